// SPDX-License-Identifier: Apache-2.0
// @ts-check
// This file is the page's data, and its state, which lives in the fragment of the address.

/**
 * @typedef {[number, number, "f8" | "i4" | "d6"]} Place  First byte, length and kind of a column.
 * @typedef {{name: string, about: string, better: boolean | null, low: number | null, high: number | null,
 *   value?: Place, lower?: Place, upper?: Place, baseline?: Place, changeLower?: Place,
 *   changeUpper?: Place}} Metric
 * @typedef {{label: string, metrics: Metric[]}} View
 * @typedef {{view: number, name: string, slices: number[], axis: Place,
 *   candidate: Record<string, Place>, baseline?: Record<string, Place>}} Plot
 * @typedef {{names: string[], kinds: string[], kind: Place, examples: Place, views: View[],
 *   left: [string, number, number, number][], exact: boolean, sliceCount: number,
 *   failed: [number, number, string][], baseline: string | null, plots: Plot[], plotSlices: number}} Data
 */

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);

/** @type {Data} */
let data;
/** @type {Uint8Array} */
let bytes;
/** @type {Map<Place, ArrayLike<number>>} */
const decoded = new Map();

/** Inflate the data that the page carries. */
async function load() {
  const text = atob(at("data").textContent.trim());
  const packed = Uint8Array.from(text, (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const whole = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = new DataView(whole.buffer).getUint32(0, true);
  data = JSON.parse(new TextDecoder().decode(whole.subarray(4, 4 + size)));
  bytes = whole.subarray(4 + size);
}

const TENS = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/** The number of six digits. @param {number} packed */
function sixDigits(packed) {
  if (packed === -(2 ** 31)) return NaN;
  if (packed === -(2 ** 31) + 1) return Infinity;
  if (packed === -(2 ** 31) + 2) return -Infinity;
  const mantissa = Math.floor(packed / 1024),
    exponent = packed - mantissa * 1024 - 329;
  if (Math.abs(exponent) > 22) return Number(`${mantissa}e${exponent}`);
  return exponent < 0 ? mantissa / TENS[-exponent] : mantissa * TENS[exponent];
}

/** The numbers of a column. @param {Place} place @returns {ArrayLike<number>} */
function column(place) {
  const known = decoded.get(place);
  if (known) return known;
  const [start, length, kind] = place,
    width = kind === "f8" ? 8 : 4;
  const plain = new Uint8Array(length * width);
  for (let k = 0; k < width; k++) {
    for (let i = 0, from = start + k * length; i < length; i++)
      plain[i * width + k] = bytes[from + i];
  }
  const Kind = kind === "f8" ? Float64Array : Int32Array;
  const numbers = new Kind(plain.buffer);
  const found = kind === "d6" ? Float64Array.from(numbers, sixDigits) : numbers;
  decoded.set(place, found);
  return found;
}

const DEFAULTS = {
  view: 0,
  metric: "",
  kind: "",
  find: "",
  least: 0,
  failing: false,
  sort: "examples",
  down: true,
  from: /** @type {number | null} */ (null),
  to: /** @type {number | null} */ (null),
  weigh: false,
  change: false,
  columns: /** @type {string[]} */ ([]),
  slice: /** @type {string[]} */ ([]),
  plot: /** @type {string[]} */ ([]),
  threshold: 0.5,
  theme: "auto",
  group: "",
  rate: "selection rate",
  reference: "Overall",
  at: "0.25, 0.5, 0.75",
};

const state = { ...DEFAULTS };
/** @type {((changed: Set<string>) => void)[]} */
const rooms = [];

/** Change the state, show it, and put it into the address. @param {Partial<typeof DEFAULTS>} change */
function set(change) {
  Object.assign(state, change);
  for (const room of rooms) room(new Set(Object.keys(change)));
  writeAddress();
}

/** The state as a fragment: what differs from the beginning. */
function fragment() {
  const said = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) {
    const begin = DEFAULTS[/** @type {"view"} */ (key)];
    if (value === null || String(value) === String(begin)) continue;
    if (Array.isArray(value)) for (const one of value.length ? value : [""]) said.append(key, one);
    else said.set(key, String(value));
  }
  return said.toString();
}

let asked = 0;

/** Browsers limit how often an address may change, and take long over it. */
function writeAddress() {
  clearTimeout(asked);
  asked = setTimeout(() => {
    try {
      history.replaceState(null, "", `#${fragment()}`);
    } catch {
      // A sandboxed frame has no address of its own; the page works without.
    }
  }, 150);
}

/** The state that an address holds; what makes no sense is left out. */
function readAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  /** @type {Record<string, any>} */
  const found = { ...DEFAULTS };
  for (const [key, begin] of Object.entries(DEFAULTS)) {
    if (!said.has(key)) continue;
    const text = said.get(key) || "";
    if (Array.isArray(begin)) found[key] = said.getAll(key).filter(Boolean);
    else if (typeof begin === "boolean") found[key] = text === "true";
    else if (typeof begin === "string") found[key] = text;
    else if (Number.isFinite(Number(text))) found[key] = Number(text);
  }
  Object.assign(state, found);
  if (!data.views[state.view]) state.view = DEFAULTS.view;
  if (!Object.hasOwn(RATES, state.rate)) state.rate = DEFAULTS.rate;
  if (!["light", "dark"].includes(state.theme)) state.theme = DEFAULTS.theme;
  state.threshold = Math.max(0, Math.min(1, state.threshold));
}

/** @returns {View} */
const view = () => data.views[state.view] || { label: "", metrics: [] };

/** @param {string} name @returns {Metric | undefined} */
const metricOf = (name) => view().metrics.find((metric) => metric.name === name);

/** @type {Map<Metric, Float64Array>} */
const changes = new Map();

/** Candidate less baseline over slices, or nothing without a baseline. @param {Metric} metric */
function changeOf(metric) {
  const value = numbers(metric, "value"),
    baseline = numbers(metric, "baseline");
  if (!value || !baseline) return null;
  const known = changes.get(metric) || Float64Array.from(value, (x, i) => x - baseline[i]);
  changes.set(metric, known);
  return known;
}

/** @type {Map<Place, Float64Array>} */
const ends = new Map();

/** A metric's column over slices. @param {Metric} metric @param {"value" | "baseline" | "lower" | "upper" | "changeLower" | "changeUpper"} field @returns {ArrayLike<number> | null} */
function numbers(metric, field) {
  const place = metric[field];
  if (!place || data.exact || field === "value" || field === "baseline")
    return place ? column(place) : null;
  const middle = (field.startsWith("change") ? changeOf(metric) : numbers(metric, "value")) || [],
    sign = field.endsWith("ower") ? -1 : 1;
  const known =
    ends.get(place) || Float64Array.from(column(place), (reach, i) => middle[i] + sign * reach);
  ends.set(place, known);
  return known;
}
