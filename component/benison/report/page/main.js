// SPDX-License-Identifier: Apache-2.0
// @ts-check
// This file is the beginning of the page: what is shown first, and what is drawn anew when the state changes.

const OF_SLICES = [
  "view",
  "kind",
  "find",
  "least",
  "failing",
  "from",
  "to",
  "metric",
  "change",
  "sort",
  "down",
];

/** Draw what a change of the state concerns. @param {Set<string>} changed */
function draw(changed) {
  const some = (/** @type {string[]} */ ...keys) => keys.some((key) => changed.has(key));
  if (some("theme")) showTheme();
  if (some(...OF_SLICES)) filter();
  if (some(...OF_SLICES, "columns")) {
    at("table").scrollTop = 0;
    drawTable();
  } else if (some("slice")) {
    drawn.first = -1;
    drawRows();
  }
  if (some(...OF_SLICES, "weigh") && !(changed.size <= 2 && some("sort", "down"))) {
    drawControls();
    drawCount();
    drawHistogram();
  }
  if (some(...OF_SLICES, "slice") && !(changed.size <= 2 && some("sort", "down"))) drawScatter();
  if (some("view", "columns")) drawColumns();
  if (some("view", "slice")) drawChosen();
  if (some("view", "slice", "plot")) {
    drawKinds();
    drawPlots();
  }
  if (some("view", "rate", "group", "reference", "at")) drawFairness();
}

function showTheme() {
  document.documentElement.dataset.theme = state.theme;
  at("theme").value = state.theme;
}

/** What is shown before anything is chosen: the view, metric and slices of the failed checks. */
function chooseFirst() {
  state.view = DEFAULTS.view = data.failed.length ? Math.min(...data.failed.map(([, v]) => v)) : 0;
  const metrics = view().metrics.filter((metric) => metric.value),
    failed = data.failed.filter(([, v]) => v === state.view);
  const judged = failed.length ? metricOf(failed[0][2]) : undefined;
  DEFAULTS.metric = (
    judged ||
    metrics.find((metric) => metric.better !== null) ||
    metrics[0] || { name: "" }
  ).name;
  DEFAULTS.slice = [...new Set([0, ...failed.map(([s]) => s)])]
    .slice(0, 3)
    .map((i) => data.names[i])
    .filter((name) => name !== undefined);
}

/** Paper cannot unfold what is folded up. */
function unfoldOnPaper() {
  /** @type {HTMLDetailsElement[]} */
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [
      .../** @type {NodeListOf<HTMLDetailsElement>} */ (
        document.querySelectorAll("#why details:not([open]), #left:not([open])")
      ),
    ];
    for (const node of folded) node.open = true;
  });
  addEventListener("afterprint", () => {
    for (const node of folded) node.open = false;
  });
}

/** Let each reason lead to its slice. */
function linkReasons() {
  for (const reason of document.querySelectorAll("#why li[data-slice]")) {
    const {
      slice = "",
      metric = "",
      view: label = "",
    } = /** @type {HTMLElement} */ (reason).dataset;
    if (!data.names.includes(slice)) continue;
    const place = data.views.findIndex((one) => one.label === label),
      known = data.views[place]?.metrics.some((one) => one.name === metric);
    const look = () => {
      set({
        ...(known ? { view: place, metric } : {}),
        slice: [...new Set([data.names[0], slice])],
        from: null,
        to: null,
      });
      at("plots").scrollIntoView();
    };
    (reason.querySelector("span") || reason).append(
      " ",
      make(
        "button",
        {
          type: "button",
          class: "look",
          "aria-label": `Look at the plots of ${slice}`,
          on: { click: look },
        },
        "look",
      ),
    );
  }
}

function explainTable() {
  const parts = [`≈ and grey: fewer than ${SMALL} examples, so uncertain.`];
  if (view().metrics.some((metric) => metric.lower))
    parts.push(
      "Line beside a value: its confidence interval, on one scale for the column and cut where that ends; the line over a bar is the interval of the change.",
    );
  if (data.baseline !== null)
    parts.push(
      "Small print: change from the baseline, as a bar to the left for less and to the right for more; red is worse, green is better, grey has no good end.",
    );
  parts.push(
    data.exact
      ? "Point at a number for all its digits."
      : "This page holds six digits of each number, and three of how wide an interval is; all are in metrics.parquet.",
  );
  at("legend").textContent = parts.join(" ");
}

function explainLeft() {
  const left = data.sliceCount - data.names.length;
  at("left").hidden = !left;
  at("left").querySelector("summary").textContent =
    `${whole(left)} of ${whole(data.sliceCount)} slices are not in this page, but in metrics.parquet`;
  at("left")
    .querySelector("ul")
    .replaceChildren(
      ...data.left.map(([kind, count, least, most]) =>
        make(
          "li",
          {},
          `${kind}: ${whole(count)} slices of ${whole(least)} to ${whole(most)} examples each`,
        ),
      ),
    );
}

async function begin() {
  await load();
  startTable();
  startOverview();
  chooseFirst();
  readAddress();
  rooms.push(draw);
  at("rooms").hidden = false;
  at("theme-label").hidden = false;
  at("theme").addEventListener("input", () => set({ theme: at("theme").value }));
  addEventListener("hashchange", () => {
    readAddress();
    draw(new Set(Object.keys(state)));
  });
  explainOnHover();
  unfoldOnPaper();
  explainTable();
  explainLeft();
  linkReasons();
  draw(new Set(Object.keys(state)));
}

begin().catch((error) => {
  at("broken").hidden = false;
  at("broken").textContent =
    `The slices cannot be shown (${error}). Open this page in a browser of 2023 or later; all numbers are in metrics.parquet.`;
  throw error;
});
