// SPDX-License-Identifier: Apache-2.0
// The results, which of them are looked at, and what is known of each.

/** @type {Data} */
let data;
/** @type {Set<string>} */
let failed;
/** The bounds of the values of a metric, slice and point. @type {Map<string, number[]>} */
const bounds = new Map();

/** Read the data that the page carries. */
async function load() {
  data = JSON.parse(new TextDecoder().decode(await inflated()));
  failed = new Set(data.failed.map((triple) => triple.join(" ")));
  for (const [m, slice, point, bound] of data.bounds) {
    const key = `${m} ${slice} ${point}`;
    bounds.set(key, [...(bounds.get(key) ?? []), bound]);
  }
}

/** @type {Record<Verdict, {words: string, sign: string, shape: string}>} */
const VERDICTS = {
  blessed: {
    words: "blessed",
    sign: "●",
    shape: "M5.5 0A5.5 5.5 0 1 1 -5.5 0A5.5 5.5 0 1 1 5.5 0Z",
  },
  not_blessed: {
    words: "not blessed",
    sign: "✖",
    shape: "M-6 -3.5L-3.5 -6L0 -2.5L3.5 -6L6 -3.5L2.5 0L6 3.5L3.5 6L0 2.5L-3.5 6L-6 3.5L-2.5 0Z",
  },
  not_evaluated: {
    words: "not evaluated",
    sign: "◆",
    shape: "M0 -6.5L6.5 0L0 6.5L-6.5 0Z",
  },
};

/** @type {State} */
const DEFAULTS = { metric: "", slice: "", over: "runs", from: 0, to: 0, least: 0, theme: "auto" };
const state = { ...DEFAULTS };
const address = keepInAddress(state, DEFAULTS, draw, mend);
const set = address.set;

const lastPoint = () => data.points.length - 1;

/** What is shown before anything is chosen. */
function chooseFirst() {
  const alert = data.watched?.alerts.find(({ metric: m, slice }) => m >= 0 && slice >= 0);
  DEFAULTS.metric = data.metrics[alert?.metric ?? data.first].label;
  DEFAULTS.slice = data.slices[alert?.slice ?? 0];
  DEFAULTS.from = Math.max(0, (alert?.since ?? lastPoint()) - 1);
  DEFAULTS.to = lastPoint();
}

/** Put right what an address may hold that makes no sense. */
function mend() {
  if (!data.metrics.some(({ label }) => label === state.metric)) state.metric = DEFAULTS.metric;
  if (!data.slices.includes(state.slice)) state.slice = DEFAULTS.slice;
  if (!["runs", "model", "data"].includes(state.over)) state.over = DEFAULTS.over;
  if (!THEMES.includes(state.theme)) state.theme = DEFAULTS.theme;
  for (const key of /** @type {const} */ (["from", "to", "least"])) {
    if (!(Number.isInteger(state[key]) && state[key] >= 0)) state[key] = DEFAULTS[key];
  }
  state.from = Math.min(state.from, lastPoint());
  state.to = Math.min(state.to, lastPoint());
}

const metricRank = () => data.metrics.findIndex(({ label }) => label === state.metric);
const metric = () => data.metrics[metricRank()];
const sliceRank = () => data.slices.indexOf(state.slice);

/** Whether higher is better; null where nothing says it. */
const better = () => (metric().badWhenHigh === null ? null : !metric().badWhenHigh);

/**
 * A number of the metric, NaN where it is unknown.
 * @param {Field} kind
 * @param {number} slice
 * @param {number} point
 */
const number = (kind, slice, point) => metric()[kind]?.[slice]?.[point] ?? NaN;

/** @param {number} slice @param {number} point */
const examplesOf = (slice, point) => data.examples[slice][point] ?? NaN;

/**
 * A change, less what rounding adds.
 * @param {number} now
 * @param {number} before
 */
const less = (now, before) => Number((now - before).toPrecision(9));

/**
 * Whether a value failed a check.
 * @param {number} slice
 * @param {number} point
 */
const hasFailed = (slice, point) => failed.has(`${metricRank()} ${slice} ${point}`);

/**
 * The bounds within which a value had to be.
 * @param {number} slice
 * @param {number} point
 */
const boundsOf = (slice, point) => bounds.get(`${metricRank()} ${slice} ${point}`) ?? [];

/**
 * What is known of a point, as one sentence.
 * @param {number} i
 * @param {number} slice
 */
function sentence(i, slice) {
  const fields = /** @type {const} */ (["value", "lower", "upper", "baseline"]);
  const [value, low, high, base] = fields.map((kind) => number(kind, slice, i));
  const interval = Number.isNaN(low + high) ? "" : ` (${short(low)} to ${short(high)})`;
  const change = short(less(value, base), true);
  const against = Number.isNaN(base) ? "" : `; baseline ${short(base)}, change ${change}`;
  const count = examplesOf(slice, i);
  const size = Number.isNaN(count) ? "no examples" : examplesText(count);
  const parts = [
    `${data.points[i].run}: ${state.metric} of ${isolated(state.slice)} is ${short(value)}`,
    `${interval}${against}; ${size}${count < FEW ? ", so uncertain" : ""}`,
    `; ${VERDICTS[data.points[i].verdict].words}`,
    hasFailed(slice, i) ? "; this value failed a check." : ".",
  ];
  return parts.join("");
}
