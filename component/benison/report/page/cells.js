// SPDX-License-Identifier: Apache-2.0
// A cell of the table: a value, its interval, and its change from the baseline.

const FIELDS = /** @type {const} */ ([
  ...["value", "lower", "upper", "baseline", "changeLower", "changeUpper"],
]);

/** @type {Map<Metric, Extent>} */
const extents = new Map();

/**
 * How the cells of a metric are drawn.
 * @param {Metric} metric
 * @returns {Extent}
 */
function extentOf(metric) {
  const known = extents.get(metric);
  if (known) return known;
  const value = sorted(numbers(metric, "value"));
  const [least, most] = [value[0] ?? NaN, value.at(-1) ?? NaN];
  const largest = Math.max(Math.abs(least) || 0, Math.abs(most) || 0);
  const letters = Math.max(...[least, most].map((x) => shown(x, largest).length));
  const extent = { largest, letters, bounds: boundsOf(metric), change: widestChange(metric) };
  extents.set(metric, extent);
  return extent;
}

/**
 * Overall, and slices that failed.
 * @param {Metric} metric
 */
const seen = (metric) => [0, ...[...failedOn(metric.name)].slice(0, 1000)];

/**
 * The scale of a column's intervals: a few odd slices hide no other, unless they are why the model failed.
 * @param {Metric} metric
 */
function boundsOf(metric) {
  const [lower, upper] = [numbers(metric, "lower") || [], numbers(metric, "upper") || []];
  /** @param {Numbers} x */
  const ofSeen = (x) =>
    seen(metric)
      .map((i) => x[i])
      .filter(Number.isFinite);
  const least = Math.min(quantile(sorted(lower), 0.1), ...ofSeen(lower));
  const most = Math.max(quantile(sorted(upper), 0.9), ...ofSeen(upper));
  return axisOf(least, most);
}

/** @param {Metric} metric */
function widestChange(metric) {
  const change = Float64Array.from(changeOf(metric) || [], Math.abs);
  const inOrder = sorted(change);
  const failed = seen(metric)
    .slice(1)
    .map((i) => change[i])
    .filter(Number.isFinite);
  return Math.max(quantile(inOrder, 0.9) || inOrder.at(-1) || 0, ...failed);
}

/** The marks that cells may have: the change from the baseline, or the interval of the value. */
function possibleMarks() {
  const metrics = metricsHere();
  const change = metrics.some(changeOf) ? ["change"] : [];
  return metrics.some(({ lower }) => lower) ? [...change, "interval"] : change;
}

/** The one mark of a cell; "" where there is none to show. */
const marked = () =>
  possibleMarks().find((mark) => mark === state.mark) ?? possibleMarks()[0] ?? "";

/**
 * @param {Metric} metric
 * @param {number} i
 */
function valueCell(metric, i) {
  const extent = extentOf(metric);
  const failed = failedOn(metric.name).has(i);
  const cell = make("td", failed ? { class: "failed" } : {});
  const label = { class: "mark", role: "img", "aria-label": "failed check" };
  const mark = failed ? make("span", label, "✗ ") : "";
  const text = make("b", {}, shown(numbers(metric, "value")?.[i] ?? NaN, extent.largest));
  text.style.minWidth = `${extent.letters}ch`;
  const [low, high] = endsAt(metric, i, "lower", "upper");
  if (marked() !== "interval" || Number.isNaN(low + high)) cell.append(mark, text);
  else cell.append(make("span", { class: "value" }, mark, whisker(low, high, extent), text));
  const change = changeOf(metric)?.[i] ?? NaN;
  if (Number.isFinite(change)) cell.append(changeBar(metric, i, change, extent));
  explainLater(cell, () => sentenceOf(metric, i));
  return cell;
}

/**
 * @param {Metric} metric
 * @param {number} i
 * @param {...Field} fields
 */
const endsAt = (metric, i, ...fields) => fields.map((field) => numbers(metric, field)?.[i] ?? NaN);

/**
 * A value with all its digits, its interval and its change.
 * @param {Metric} metric
 * @param {number} i
 */
function sentenceOf(metric, i) {
  const [value, lower, upper, baseline, least, most] = endsAt(metric, i, ...FIELDS);
  /**
   * @param {number} low
   * @param {number} high
   */
  const between = (low, high) =>
    Number.isNaN(low) || Number.isNaN(high) ? "" : `, interval ${exact(low)} to ${exact(high)}`;
  const change = `; baseline ${exact(baseline)}, change ${exact(value - baseline)}`;
  const against = Number.isFinite(baseline) ? `${change}${between(least, most)}` : "";
  const what = `${metric.name} of ${isolated(data.names[i])}: ${exact(value)}`;
  return `${what} (${examplesText(sizes[i])})${between(lower, upper)}${against}`;
}

/**
 * A part of a track, in percent of its width.
 * @param {number} left
 * @param {number} width
 * @param {Attributes} [attributes]
 */
function strip(left, width, attributes = {}) {
  const line = make("i", attributes);
  line.style.left = `${left}%`;
  line.style.width = `${width}%`;
  return line;
}

/**
 * The interval of a value, cut where the scale of its column ends.
 * @param {number} low
 * @param {number} high
 * @param {Extent} extent
 */
function whisker(low, high, { bounds, largest }) {
  const along = scale(bounds, 0, 100);
  const [left, right] = [low, high].map((x) => Math.max(0, Math.min(100, along(x))));
  const label = `interval ${shown(low, largest)} to ${shown(high, largest)}`;
  const line = strip(Math.min(left, 97), Math.max(3, right - left));
  return make("span", { class: "whisker", role: "img", "aria-label": label }, line);
}

/**
 * @param {Metric} metric
 * @param {number} i
 * @param {number} change
 * @param {Extent} extent
 */
function changeBar(metric, i, change, extent) {
  const text = make("small", {}, change ? shown(change, extent.largest, true) : "0");
  if (marked() !== "change") return make("span", { class: "change" }, text);
  const track = barOf(change, extent.change);
  const [low, high] = endsAt(metric, i, "changeLower", "changeUpper");
  if (!Number.isNaN(low + high)) {
    const [from, to] = [low, high].map((x) => shown(x, extent.largest, true));
    track.append(spanOf(low, high, extent.change || 1));
    setAll(track, { role: "img", "aria-label": `interval of the change ${from} to ${to}` });
  }
  return make("span", { class: `change ${worseOrBetter(metric.better, change)}` }, track, text);
}

/**
 * The interval of a change, cut where the track ends.
 * @param {number} low
 * @param {number} high
 * @param {number} widest
 */
function spanOf(low, high, widest) {
  const [left, right] = [low, high].map((x) => 50 + 50 * Math.max(-1, Math.min(1, x / widest)));
  return strip(left, right - left, { class: "span" });
}

/**
 * A bar from the middle to the left for less, to the right for more.
 * @param {number} change
 * @param {number} widest
 */
function barOf(change, widest) {
  const share = widest ? Math.min(1, Math.abs(change) / widest) : 0;
  const bar = strip(change < 0 ? 50 - 50 * share : 50, 50 * share);
  return make("span", { class: "track" }, bar);
}
