// SPDX-License-Identifier: Apache-2.0
// The rates of slices at several thresholds, and how far each is from a slice of reference.

/** @type {Record<string, Rate>} */
const RATES = {
  "selection rate": {
    about: "Share of all examples that are predicted positive.",
    of: (m) => m.tp + m.fp,
    among: totalOf,
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
    among: totalOf,
  },
};
const MOST_RATED = 60;
const MOST_THRESHOLDS = 6;
const MOST_REFERENCES = 200;

/** The thresholds that were asked for. */
function askedThresholds() {
  const asked = state.at
    .split(/[\s,;]+/)
    .filter(Boolean)
    .map(Number);
  return [...new Set(asked.filter(Number.isFinite))].slice(0, MOST_THRESHOLDS);
}

/** The slices whose counts the page holds. */
const ratedSlices = () => plotsOf("counts")[0]?.slices ?? [];

/** @param {number} i */
const kindOf = (i) => data.kinds[column(data.kind)[i]];

/** The features by which slices can be compared. */
const ratedKinds = () =>
  [...new Set(ratedSlices().map(kindOf))].filter((kind) => kind !== "Overall");

/** The features whose slices are compared: those that were chosen, or the first. */
function ratedKind() {
  const kinds = ratedKinds();
  if (kinds.includes(state.group)) return state.group;
  return kinds.find((kind) => !kind.includes(" × ")) || kinds[0] || "Overall";
}

/**
 * The candidate's rate and what it is of, at each threshold.
 * @param {number} slice
 * @param {number[]} thresholds
 * @returns {RateCell[]}
 */
function ratesOf(slice, thresholds) {
  const counts = candidateOf(countsOf(slice))?.counts;
  const { of, among } = RATES[state.rate];
  return thresholds.map((threshold) => {
    if (!counts) return { rate: NaN, among: 0 };
    const matrix = matrixAt(counts, threshold);
    return { rate: ratio(of(matrix), among(matrix)), among: among(matrix) };
  });
}

/**
 * The reference first, then the slices of the features from the largest down.
 * @param {number[]} thresholds
 */
function ratedRows(thresholds) {
  const all = ratedSlices();
  const asked = data.names.indexOf(state.reference);
  const reference = all.includes(asked) ? asked : all[0];
  const kind = ratedKind();
  const others = all.filter((i) => i !== reference && kindOf(i) === kind);
  others.sort(ordering(sizes, true));
  const slices = [reference, ...others.slice(0, MOST_RATED)];
  const rows = slices.map((slice) => ({ slice, cells: ratesOf(slice, thresholds) }));
  return { reference, rows, left: Math.max(0, others.length - MOST_RATED) };
}

function drawRates() {
  const elsewhere = viewsWith((plot) => carried(plot) === "counts");
  at("fairness").hidden = !elsewhere.length && !ratedSlices().length;
  if (!ratedSlices().length) {
    const buttons = elsewhere.length
      ? [viewButtons("Rates are those of two classes:", elsewhere)]
      : [];
    at("fairness-body").replaceChildren(...buttons);
    return;
  }
  const thresholds = askedThresholds();
  const { reference, rows, left } = ratedRows(thresholds);
  const label = { role: "region", "aria-label": "Table of rates" };
  const table = make(
    "table",
    { "aria-label": `${state.rate} by slice` },
    make("thead", {}, rateHead(thresholds)),
    make("tbody", {}, ...rateBody(rows)),
  );
  const click = () => save("rates.csv", rateCsv(rows, thresholds));
  redraw(
    at("fairness-body"),
    rateControls(reference),
    make("p", { class: "note" }, rateNotes(reference, left)),
    make("div", { id: "rates", class: "scroll", tabindex: 0, ...label }, table),
    make("button", { type: "button", id: "rate-csv", on: { click } }, "Download CSV"),
  );
}

/** @param {number[]} thresholds */
function rateHead(thresholds) {
  const names = ["slice", "examples", ...thresholds.map((threshold) => `above ${threshold}`)];
  return make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)));
}

/** @param {RateRow[]} rows The reference first. */
function rateBody(rows) {
  const [{ cells: base }] = rows;
  /** @param {RateRow} row */
  const gapsOf = ({ cells }) => cells.map(({ rate }, k) => rate - base[k].rate);
  const all = rows.flatMap(gapsOf).map(Math.abs).filter(Number.isFinite);
  const widest = Math.max(0, ...all);
  return rows.map((row, rank) => {
    const { slice, cells } = row;
    const gaps = rank ? gapsOf(row) : [];
    return make(
      "tr",
      { class: sizes[slice] < FEW ? "small" : "" },
      make("th", { scope: "row", title: data.names[slice] }, nameOf(slice)),
      make("td", {}, whole(sizes[slice])),
      ...cells.map((cell, k) => rateCell(slice, cell, gaps[k] ?? NaN, widest)),
    );
  });
}

/**
 * A gap in percentage points.
 * @param {number} gap
 */
const pointsText = (gap) => `${gap > 0 ? "+" : ""}${percent(gap).replace("%", "")} pp`;

/**
 * @param {number} slice
 * @param {RateCell} cell
 * @param {number} gap NaN for the reference.
 * @param {number} widest
 */
function rateCell(slice, { rate, among }, gap, widest) {
  const [low, high] = (among ? wilson(rate, among) : [NaN, NaN]).map(percent);
  const against = Number.isFinite(gap) ? `; gap ${pointsText(gap)}` : "";
  const tip =
    `${state.rate} of ${isolated(data.names[slice])}: ${percent(rate)} of ${whole(among)}; ` +
    `95% interval ${low} to ${high} if each weighs 1${against}`;
  const size = make("small", {}, ` of ${whole(among)}`);
  const css = among < FEW ? "unsure" : "";
  const node = make("td", { "data-tip": tip, class: css }, make("b", {}, percent(rate)), size);
  if (Number.isFinite(gap)) {
    const text = make("small", {}, pointsText(gap));
    node.append(make("span", { class: "change" }, barOf(gap, widest), text));
  }
  return node;
}

/**
 * @param {number} reference
 * @param {number} left
 */
function rateNotes(reference, left) {
  const others = left ? ` ${whole(left)} smaller slices are not listed.` : "";
  return (
    `${RATES[state.rate].about} Small print: the gap to ${isolated(data.names[reference])} in ` +
    `percentage points. Grey italics: of fewer than ${FEW} examples.${others}`
  );
}

/** @param {number} reference */
function rateControls(reference) {
  const references = ratedSlices().slice(0, MOST_REFERENCES);
  // Enter also submits the form, which has to be there still.
  const change = () => setTimeout(() => set({ at: thresholds.value }));
  const id = { id: "rate-at", size: 14, value: state.at };
  const thresholds = make("input", { ...id, on: { change } });
  const form = make(
    "form",
    {},
    rateChoice("rate", "Rate", Object.keys(RATES), state.rate),
    rateChoice("group", "Features", ratedKinds(), ratedKind()),
    rateChoice(
      "reference",
      "Compared with",
      references.map((i) => data.names[i]),
      data.names[reference],
    ),
    make("label", {}, "Thresholds ", thresholds),
  );
  sendNothing(form);
  return form;
}

/**
 * @param {"rate" | "group" | "reference"} key
 * @param {string} label
 * @param {string[]} options
 * @param {string} value
 */
function rateChoice(key, label, options, value) {
  const choices = options.map((option) => make("option", { value: option }, option));
  const select = make("select", { id: `rate-${key}` }, ...choices);
  select.value = value;
  select.addEventListener("change", () => set({ [key]: select.value }));
  return make("label", {}, `${label} `, select);
}

/**
 * @param {RateRow[]} rows
 * @param {number[]} thresholds
 */
function rateCsv(rows, thresholds) {
  const names = thresholds.flatMap((t) => [
    `${state.rate} above ${t}`,
    `of above ${t}`,
    `gap above ${t}`,
  ]);
  const [{ cells: base }] = rows;
  const numbersOf = rows.map(({ slice, cells }) => [
    data.names[slice],
    sizes[slice],
    ...cells.flatMap(({ rate, among }, k) => [rate, among, rate - base[k].rate]),
  ]);
  return csv([["slice", "examples", ...names], ...numbersOf]);
}
