// SPDX-License-Identifier: Apache-2.0
// @ts-check
// This file is the rates of slices at several thresholds, and how far each is from a slice of reference.

/** @typedef {{tp: number, fp: number, tn: number, fn: number}} Matrix */

/** @type {Record<string, {about: string, of: (m: Matrix) => number, among: (m: Matrix) => number}>} */
const RATES = {
  "selection rate": {
    about: "Share of all examples that are predicted positive.",
    of: (m) => m.tp + m.fp,
    among: (m) => m.tp + m.fp + m.tn + m.fn,
  },
  "true positive rate": {
    about: "Share of the positives that are predicted positive; the same as recall.",
    of: (m) => m.tp,
    among: (m) => m.tp + m.fn,
  },
  "false positive rate": {
    about: "Share of the negatives that are predicted positive.",
    of: (m) => m.fp,
    among: (m) => m.fp + m.tn,
  },
  "true negative rate": {
    about: "Share of the negatives that are predicted negative.",
    of: (m) => m.tn,
    among: (m) => m.fp + m.tn,
  },
  "false negative rate": {
    about: "Share of the positives that are predicted negative.",
    of: (m) => m.fn,
    among: (m) => m.tp + m.fn,
  },
  precision: {
    about: "Share of positives among what is predicted positive.",
    of: (m) => m.tp,
    among: (m) => m.tp + m.fp,
  },
  "false discovery rate": {
    about: "Share of negatives among what is predicted positive.",
    of: (m) => m.fp,
    among: (m) => m.tp + m.fp,
  },
  "false omission rate": {
    about: "Share of positives among what is predicted negative.",
    of: (m) => m.fn,
    among: (m) => m.fn + m.tn,
  },
  accuracy: {
    about: "Share of right predictions.",
    of: (m) => m.tp + m.tn,
    among: (m) => m.tp + m.fp + m.tn + m.fn,
  },
};
const MOST_RATED = 60;

/** The thresholds that were asked for. */
const askedThresholds = () =>
  [
    ...new Set(
      state.at
        .split(/[\s,;]+/)
        .filter(Boolean)
        .map(Number)
        .filter((t) => t >= 0 && t <= 1),
    ),
  ].slice(0, 6);

/** The slices whose counts the page holds. */
const ratedSlices = () =>
  data.plots.find((plot) => plot.view === state.view && carried(plot) === "counts")?.slices || [];

/** The candidate's rate and what it is of, at each threshold. @param {number} slice @param {number[]} thresholds */
function ratesOf(slice, thresholds) {
  const counts = seriesOf(slice, "counts").find((one) => one.css === "ours")?.counts,
    rate = RATES[state.rate];
  return thresholds.map((t) => {
    const m = counts ? matrixAt(counts, t) : null;
    return m
      ? { rate: ratio(rate.of(m), rate.among(m)), among: rate.among(m) }
      : { rate: NaN, among: 0 };
  });
}

/** The features whose slices are compared: those that were chosen, or the first. */
function ratedKind() {
  const kinds = column(data.kind),
    some = ratedSlices()
      .map((i) => data.kinds[kinds[i]])
      .filter((kind) => kind !== "Overall");
  return some.includes(state.group)
    ? state.group
    : some.find((kind) => !kind.includes(" × ")) || some[0] || "Overall";
}

/** The table's rows: the reference first, then the slices of the features from the largest down. */
function ratedRows() {
  const kinds = column(data.kind),
    kind = data.kinds.indexOf(ratedKind()),
    all = ratedSlices();
  const reference = all.includes(data.names.indexOf(state.reference))
    ? data.names.indexOf(state.reference)
    : all[0];
  const others = all
    .filter((i) => kinds[i] === kind && i !== reference)
    .sort((a, b) => sizes[b] - sizes[a]);
  return {
    reference,
    rows: [reference, ...others.slice(0, MOST_RATED)],
    left: Math.max(0, others.length - MOST_RATED),
  };
}

function drawFairness() {
  if (!ratedSlices().length) {
    at("fairness-body").replaceChildren(
      data.plots.length
        ? make(
            "p",
            { class: "note" },
            "This needs the plot ConfusionMatrixPlot, which the config does not ask for.",
          )
        : make("p", { class: "note" }, "This needs ConfusionMatrixPlot in the config, as above."),
    );
    return;
  }
  const thresholds = askedThresholds(),
    { reference, rows, left } = ratedRows();
  const rated = rows.map((i) => ({ i, cells: ratesOf(i, thresholds) })),
    base = rated[0].cells;
  const gaps = rated
      .flatMap(({ cells }) => cells.map((cell, k) => Math.abs(cell.rate - base[k].rate)))
      .filter(Number.isFinite),
    widest = Math.max(0, ...gaps);
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, "slice"),
    make("th", { scope: "col" }, "examples"),
    ...thresholds.map((t) => make("th", { scope: "col" }, `above ${t}`)),
  );
  const body = rated.map(({ i, cells }) =>
    make(
      "tr",
      { class: sizes[i] < SMALL ? "small" : "" },
      make("th", { scope: "row", dir: "auto", title: data.names[i] }, data.names[i]),
      make("td", {}, whole(sizes[i])),
      ...cells.map((cell, k) =>
        rateCell(i, cell, i === reference ? null : cell.rate - base[k].rate, widest),
      ),
    ),
  );
  const table = make(
    "table",
    { "aria-label": `${state.rate} by slice` },
    make("thead", {}, head),
    make("tbody", {}, ...body),
  );
  const csvButton = make(
    "button",
    {
      type: "button",
      id: "rate-csv",
      on: { click: () => save("rates.csv", rateCsv(rated, thresholds)) },
    },
    "Download CSV",
  );
  const notes = make(
    "p",
    { class: "note" },
    `${RATES[state.rate].about} Small print: the gap to ${isolated(data.names[reference])} in percentage points. Grey italics: of fewer than ${SMALL} examples.${left ? ` ${whole(left)} smaller slices are not listed.` : ""}`,
  );
  const box = make(
    "div",
    { id: "rates", class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of rates" },
    table,
  );
  redraw(at("fairness-body"), rateControls(reference), notes, box, csvButton);
}

/** A gap in percentage points. @param {number} gap */
const points = (gap) => `${gap > 0 ? "+" : ""}${percent(gap).replace("%", "")} pp`;

/** @param {number} i @param {{rate: number, among: number}} cell @param {number | null} gap @param {number} widest */
function rateCell(i, { rate, among }, gap, widest) {
  const [low, high] = among ? wilson(rate, among) : [NaN, NaN];
  const tip = `${state.rate} of ${isolated(data.names[i])}: ${percent(rate)} of ${whole(among)}; 95% interval ${percent(low)} to ${percent(high)} if each weighs 1${gap === null ? "" : `; gap ${points(gap)}`}`;
  const cell = make(
    "td",
    { "data-tip": tip, class: among < SMALL ? "unsure" : "" },
    make("b", {}, percent(rate)),
    make("small", {}, ` of ${whole(among)}`),
  );
  if (gap !== null && Number.isFinite(gap))
    cell.append(
      make("span", { class: "change" }, barOf(gap, widest), make("small", {}, points(gap))),
    );
  return cell;
}

/** @param {number} reference */
function rateControls(reference) {
  const kinds = column(data.kind),
    groups = [...new Set(ratedSlices().map((i) => data.kinds[kinds[i]]))].filter(
      (kind) => kind !== "Overall",
    );
  /** @param {string} key @param {string} label @param {string[]} options @param {string} value */
  const choice = (key, label, options, value) => {
    const node = make(
      "select",
      { id: `rate-${key}`, on: { change: () => set({ [key]: node.value }) } },
      ...options.map((one) => make("option", { value: one }, one)),
    );
    node.value = value;
    return make("label", {}, `${label} `, node);
  };
  // Enter also submits the form, which has to be there still.
  const input = make("input", {
    size: 14,
    value: state.at,
    id: "rate-at",
    on: { change: () => setTimeout(() => set({ at: input.value })) },
  });
  const form = make(
    "form",
    { on: { submit: (/** @type {Event} */ event) => event.preventDefault() } },
    choice("rate", "Rate", Object.keys(RATES), state.rate),
    choice("group", "Features", groups, ratedKind()),
    choice(
      "reference",
      "Compared with",
      ratedSlices()
        .slice(0, 200)
        .map((i) => data.names[i]),
      data.names[reference],
    ),
    make("label", {}, "Thresholds ", input),
  );
  return form;
}

/** @param {{i: number, cells: {rate: number, among: number}[]}[]} rated @param {number[]} thresholds */
function rateCsv(rated, thresholds) {
  const names = thresholds.flatMap((t) => [
    `${state.rate} above ${t}`,
    `of above ${t}`,
    `gap above ${t}`,
  ]);
  return csv([
    ["slice", "examples", ...names],
    ...rated.map(({ i, cells }) => [
      data.names[i],
      sizes[i],
      ...cells.flatMap((cell, k) => [cell.rate, cell.among, cell.rate - rated[0].cells[k].rate]),
    ]),
  ]);
}
