// SPDX-License-Identifier: Apache-2.0
// The page's data, and what of it is looked at.

/** @type {Data} */
let data;
/** @type {Uint8Array} */
let bytes;

/** Read the data that the page carries: a length, a header of JSON, and columns. */
async function load() {
  const buffer = await inflated();
  const size = new DataView(buffer).getUint32(0, true);
  data = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  bytes = new Uint8Array(buffer, 4 + size);
}

const TENS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/**
 * The number of six digits.
 * @param {number} packed
 */
function sixDigits(packed) {
  if (packed === -(2 ** 31)) return NaN;
  if (packed === -(2 ** 31) + 1) return Infinity;
  if (packed === -(2 ** 31) + 2) return -Infinity;
  const mantissa = Math.floor(packed / 1024);
  const exponent = packed - mantissa * 1024 - 329;
  if (Math.abs(exponent) > 22) return Number(`${mantissa}e${exponent}`);
  return exponent < 0 ? mantissa / TENS[-exponent] : mantissa * TENS[exponent];
}

/** @type {Map<Column, Numbers>} */
const decoded = new Map();

/**
 * The numbers of a column, whose bytes of one significance stand together.
 * @param {Column} where
 * @returns {Numbers}
 */
function column(where) {
  const known = decoded.get(where);
  if (known) return known;
  const [start, length, kind] = where;
  const width = kind === "f8" ? 8 : 4;
  const plain = new Uint8Array(length * width);
  for (let k = 0; k < width; k++) {
    const from = start + k * length;
    for (let i = 0; i < length; i++) plain[i * width + k] = bytes[from + i];
  }
  const stored = kind === "f8" ? new Float64Array(plain.buffer) : new Int32Array(plain.buffer);
  const numbers = kind === "d6" ? Float64Array.from(stored, sixDigits) : stored;
  decoded.set(where, numbers);
  return numbers;
}

/** @type {State} */
const DEFAULTS = {
  ...{ view: 0, metric: "", kind: "", find: "", least: 0, failing: false },
  ...{ sort: "concern", down: true, from: null, to: null, weigh: false, change: false },
  ...{ mark: "", outcome: "", columns: [], slice: [], plot: [], threshold: 0.5, theme: "auto" },
  ...{ group: "", rate: "selection rate", reference: "Overall", at: "0.25, 0.5, 0.75" },
};

const state = { ...DEFAULTS };
const address = keepInAddress(state, DEFAULTS, draw, mend);
const set = address.set;

/** Put right what an address may hold that makes no sense. */
function mend() {
  if (!data.views[state.view]) state.view = DEFAULTS.view;
  if (!Object.hasOwn(RATES, state.rate)) state.rate = DEFAULTS.rate;
  if (!THEMES.includes(state.theme)) state.theme = DEFAULTS.theme;
  if (!panels.some((panel) => outcomeOf(panel) === state.outcome)) state.outcome = DEFAULTS.outcome;
  if (!Number.isFinite(state.threshold)) state.threshold = DEFAULTS.threshold;
}

/** @returns {View} */
const view = () => data.views[state.view] || { label: "", metrics: [] };

/**
 * A metric of the view.
 * @param {string} name
 */
const metricOf = (name) => view().metrics.find((metric) => metric.name === name);

/** @type {Map<Metric, Float64Array>} */
const changes = new Map();

/**
 * Candidate less baseline over slices, or nothing without a baseline.
 * @param {Metric} metric
 */
function changeOf(metric) {
  const value = numbers(metric, "value");
  const baseline = numbers(metric, "baseline");
  if (!value || !baseline) return null;
  const change = changes.get(metric) || Float64Array.from(value, (x, i) => x - baseline[i]);
  changes.set(metric, change);
  return change;
}

/** @type {Map<Column, Float64Array>} */
const ends = new Map();

/**
 * A metric's column over slices.
 * @param {Metric} metric
 * @param {Field} field
 * @returns {Numbers | null}
 */
function numbers(metric, field) {
  const where = metric[field];
  if (!where) return null;
  const isEnd = field !== "value" && field !== "baseline";
  return isEnd && !data.exact ? endOf(metric, field, where) : column(where);
}

/**
 * The end of an interval, of which a page of few digits holds how far it is from the middle.
 * @param {Metric} metric
 * @param {Field} field
 * @param {Column} where
 */
function endOf(metric, field, where) {
  const isOfChange = field.startsWith("change");
  const middle = (isOfChange ? changeOf(metric) : numbers(metric, "value")) || [];
  const sign = field.toLowerCase().endsWith("lower") ? -1 : 1;
  const end =
    ends.get(where) || Float64Array.from(column(where), (reach, i) => middle[i] + sign * reach);
  ends.set(where, end);
  return end;
}

/**
 * A number in as many digits as the page holds, for a sentence.
 * @param {number} x
 */
function exact(x) {
  if (Number.isNaN(x)) return "undefined";
  if (!Number.isFinite(x)) return x > 0 ? "infinite" : "minus infinity";
  return String(Number(x.toPrecision(data.exact ? 15 : 6)));
}

/**
 * What a metric is, which end is good, and its range.
 * @param {Metric} metric
 */
function explain({ name, about, better, low, high }) {
  const good = better === null ? "" : better ? " Higher is better." : " Lower is better.";
  const end = high === null ? "up" : `to ${high}`;
  return `${about || name}${good}${low === null ? "" : ` From ${low} ${end}.`}`;
}
