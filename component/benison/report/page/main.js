// SPDX-License-Identifier: Apache-2.0
// The beginning of the page: what is shown first, and what is drawn anew when the state changes.

const FILTERS = ["view", "kind", "find", "least", "failing", "from", "to", "metric", "change"];
const SLICES = [...FILTERS, "sort", "down"];

/** What is drawn anew when which values of the state change. @type {[keys: string[], draw: () => void][]} */
const DRAWN = [
  [["theme"], () => showTheme(state.theme)],
  [["outcome"], drawVerdict],
  [SLICES, filter],
  [[...SLICES, "columns", "mark"], drawTable],
  [["slice"], drawRowsAnew],
  [[...FILTERS, "weigh", "mark"], drawControls],
  [SLICES, drawCount],
  [[...FILTERS, "weigh"], drawHistogram],
  [[...FILTERS, "slice"], drawScatter],
  [["view", "columns", "kind"], drawColumns],
  [["view", "slice"], drawChosen],
  [["view", "slice", "plot"], drawKinds],
  [["view", "slice", "plot"], drawPlots],
  [["view", "rate", "group", "reference", "at"], drawRates],
];

/**
 * Draw what a change of the state concerns.
 * @param {Set<string>} changed
 */
function draw(changed) {
  for (const [keys, drawAnew] of DRAWN) if (keys.some((key) => changed.has(key))) drawAnew();
}

/** What is shown before anything is chosen: the view, metric and slices of the failed checks. */
function chooseFirst() {
  const views = data.failed.map(([, v]) => v);
  state.view = DEFAULTS.view = views.length ? Math.min(...views) : 0;
  const failed = data.failed.filter(([, v]) => v === state.view);
  const metrics = metricsHere();
  const judged = failed.length ? metricOf(failed[0][2]) : undefined;
  const directed = metrics.find((metric) => metric.better !== null);
  DEFAULTS.metric = (judged ?? directed ?? metrics[0])?.name ?? "";
  const slices = new Set([0, ...failed.map(([i]) => i).filter((i) => !isComparison(i))]);
  const names = [...slices].slice(0, 3).map((i) => data.names[i]);
  DEFAULTS.slice = names.filter((name) => name !== undefined);
}

/** Paper cannot unfold what is folded up, nor choose a tab. */
function unfoldOnPaper() {
  const folded = "#evidence:not([open]), #left:not([open])";
  /** @type {HTMLDetailsElement[]} */
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll(/** @type {"details"} */ (folded))];
    for (const node of unfolded) node.open = true;
    for (const panel of panels) panel.hidden = outcomeOf(panel) === "pass" && panels.length > 1;
  });
  addEventListener("afterprint", () => {
    for (const node of unfolded) node.open = false;
    drawVerdict();
  });
}

/** Pictures of all slices are as wide as there is room. */
function redrawOnResize() {
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return; // as when the bar of a phone's browser goes
    width = innerWidth;
    drawHistogram();
    drawScatter();
    drawRowsAnew();
  });
}

function explainTable() {
  const parts = [
    data.baseline !== null &&
      "Small print: change from the baseline, as a bar to the left for less and to the right for " +
        "more, grey where neither is better; the line over it is the interval of the change.",
    view().metrics.some((metric) => metric.lower) &&
      "The interval of a value is on one scale for its column, and cut where that ends.",
    data.exact
      ? "Point at a number for all its digits."
      : "This page holds six digits of each number, and three of how wide an interval is; all " +
        "are in metrics.parquet.",
  ];
  at("legend").textContent = parts.filter(Boolean).join(" ");
}

function explainLeft() {
  const left = data.sliceCount - data.names.length;
  at("left").hidden = !left;
  const lines = data.left.map(([kind, count, least, most]) =>
    make(
      "li",
      {},
      `${kind}: ${whole(count)}${kind === data.comparisons ? "" : " slices"} of ${whole(least)} to ` +
        `${whole(most)} examples each`,
    ),
  );
  const what = data.kinds.includes(data.comparisons) ? "slices and comparisons" : "slices";
  const some = `${whole(left)} of ${whole(data.sliceCount)} ${what}`;
  at("left").replaceChildren(
    make("summary", {}, `${some} are not in this page, but in metrics.parquet`),
    make("ul", {}, ...lines),
  );
}

orSayWhyNot(async () => {
  await load();
  startRows();
  startTable();
  startControls();
  startVerdict();
  chooseFirst();
  address.begin();
  at("rooms").hidden = false;
  at("theme-label").hidden = false;
  at("theme").addEventListener("input", () => set({ theme: selectAt("theme").value }));
  explainOnHover();
  unfoldOnPaper();
  redrawOnResize();
  explainTable();
  explainLeft();
  draw(new Set(Object.keys(state)));
});
