// SPDX-License-Identifier: Apache-2.0
// Axes, and what is drawn along them.

/** Less than this share of their size apart, numbers differ by rounding alone. */
const ROUNDING = 1e-9;

/**
 * An axis that has a length.
 * @param {number} min
 * @param {number} max
 * @param {string} [label]
 * @returns {Axis}
 */
function axisOf(min, max, label = "") {
  if (max - min > ROUNDING * Math.max(Math.abs(min), Math.abs(max))) return { min, max, label };
  const room = Math.abs(min) * 0.05 || 0.5;
  return { min: min - room, max: max + room, label };
}

/**
 * An axis with room at both ends.
 * @param {number[]} numbers
 * @param {string} [label]
 */
function roomy(numbers, label = "") {
  const [low, high] = rangeOf(numbers, numbers.keys());
  const room = 0.06 * (high - low);
  return axisOf(low - room, high + room, label);
}

/**
 * Round numbers that divide a range, and at most `most`.
 * @param {Axis} axis
 * @param {number} most
 */
function ticks(axis, most) {
  const powers = axis.log ? powersOfTen(axis, most) : [];
  if (powers.length > 1) return powers;
  const { min, max } = axis;
  const rough = (max - min) / most;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((m) => m * unit >= rough - 1e-12) || 10) * unit;
  const steps = [];
  for (let k = Math.ceil(min / step - 1e-9); k * step <= max + step * 1e-9; k++) {
    steps.push(Number((k * step).toPrecision(12)));
  }
  return steps;
}

/** @param {Axis} axis @param {number} most */
function powersOfTen({ min, max }, most) {
  const decades = Math.log10(max / min);
  const every = Math.max(1, Math.ceil(decades / most));
  const powers = [];
  for (let k = Math.floor(Math.log10(min)); k <= Math.log10(max); k += every) {
    for (const m of decades < 2.5 ? [1, 2, 5] : [1]) powers.push(m * 10 ** k);
  }
  return powers.filter((tick) => tick >= min && tick <= max);
}

/**
 * A place on an axis as a place in the picture.
 * @param {Axis} axis
 * @param {number} from
 * @param {number} to
 * @returns {Scale}
 */
function scale(axis, from, to) {
  const of = axis.log ? Math.log10 : (/** @type {number} */ x) => x;
  const low = of(axis.min);
  const width = of(axis.max) - low;
  return (x) => from + ((of(x) - low) / width) * (to - from);
}

/**
 * As fine as a picture needs it.
 * @param {number} x
 */
const tenths = (x) => Math.round(10 * x) / 10;

/**
 * A line through points, with a gap where one is undefined.
 * @param {number[][]} points
 * @param {Scale} x
 * @param {Scale} y
 */
function path(points, x, y) {
  let pen = "M";
  const steps = points.map(([a, b]) => {
    const known = Number.isFinite(a) && Number.isFinite(b);
    const step = known ? `${pen}${tenths(x(a))} ${tenths(y(b))}` : "";
    pen = known ? "L" : "M";
    return step;
  });
  return steps.join("");
}

/**
 * Dots as one element, however many.
 * @param {number[][]} points
 * @param {Scale} x
 * @param {Scale} y
 */
const dots = (points, x, y) =>
  points.map(([a, b]) => `M${tenths(x(a))} ${tenths(y(b))}h0`).join("");

/**
 * A line across the picture at each round number, with that number at its left.
 * @param {Axis} axis
 * @param {Scale} y
 * @param {number} left
 * @param {number} right
 */
function grid(axis, y, left, right) {
  const format = axis.format || brief;
  const marked = ticks(axis, 5).filter((tick) => format(tick));
  return marked.flatMap((tick) => [
    svg("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }),
    tickText(format(tick), { x: left - 5, y: y(tick) + 3.5, "text-anchor": "end" }),
  ]);
}

/**
 * @param {string} text
 * @param {Attributes} where
 */
const tickText = (text, where) => svg("text", { class: "tick", ...where }, text);

/**
 * Text whose middle is at a place.
 * @param {string} css
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {number} [angle] Degrees, clockwise.
 */
function centred(css, text, x, y, angle = 0) {
  const transform = angle ? `rotate(${angle} ${x} ${y})` : null;
  return svg("text", { class: css, x, y, "text-anchor": "middle", transform }, text);
}
