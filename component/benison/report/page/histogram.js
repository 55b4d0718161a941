// SPDX-License-Identifier: Apache-2.0
// The metric over all slices as a histogram, of which a drag selects slices.

const BINS = 30;

/**
 * The size of a picture of all slices: as wide as its figure, so that text has the size that it is given.
 * @param {HTMLElement} figure
 */
const wide = (figure) => ({ width: Math.max(300, figure.clientWidth), height: 230 });

/**
 * Whether there is anything to draw.
 * @param {Numbers} x
 */
const isAnyKnown = (x) => listed.before.some((i) => Number.isFinite(x[i]));

/** Whether bars count examples, and not what has them. */
const areWeighed = () => state.weigh && !areCompared();
const unitOfBins = () => (areWeighed() ? "examples" : `${noun()}s`);

function drawHistogram() {
  const metric = metricInView();
  const x = charted(metric);
  const figure = at("histogram");
  if (!metric || !x || !isAnyKnown(x)) return figure.replaceChildren();
  if (areFew()) return drawWhiskers(metric, x);
  const name = chartedName(metric);
  const axis = axisOf(...rangeOf(x, listed.before), name);
  const bins = histogramOf(x, axis);
  const drawn = drawChart(figure, histogramChart(metric, axis, bins), (layer, px, py) => {
    layer.append(...bins.map((bin) => barOfBin(bin, px, py)));
    if (Number.isFinite(x[0])) layer.append(...overallLine(px(x[0]), px(axis.max), py(0)));
  });
  return brushable(drawn, axis, bins);
}

/**
 * @param {Metric} metric
 * @param {Axis} axis
 * @param {Bin[]} bins
 * @returns {Chart}
 */
function histogramChart(metric, axis, bins) {
  const name = axis.label;
  const unit = unitOfBins();
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  const ends = `from ${brief(axis.min)} to ${brief(axis.max)}`;
  return {
    title: `${name} over ${noun()}s`,
    about:
      `How many ${unit} have which ${name}. ${explain(metric)} ` +
      `Drag over the bars to see those ${noun()}s alone.`,
    summary: `Histogram of ${name}: ${counted(listed.before.length, noun())} ${ends}`,
    x: axis,
    y: {
      min: 0,
      max: 1.1 * most,
      label: unit,
      format: (n) => (Number.isInteger(n) ? brief(n) : ""),
    },
    ...wide(at("histogram")),
    rows: () => [
      [`${metric.name} from`, "to", unit],
      ...bins.map(({ low, high, count }) => [low, high, count]),
    ],
  };
}

/** @typedef {{low: number, high: number, count: number}} Bin */

/**
 * @param {Numbers} x
 * @param {Axis} axis
 * @returns {Bin[]}
 */
function histogramOf(x, { min, max }) {
  const step = (max - min) / BINS;
  const counts = new Float64Array(BINS);
  for (const i of listed.before) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor((x[i] - min) / step)));
    if (Number.isFinite(x[i])) counts[bin] += areWeighed() ? sizes[i] : 1;
  }
  return Array.from(counts, (count, k) => {
    return { low: min + k * step, high: min + (k + 1) * step, count };
  });
}

/**
 * @param {Bin} bin
 * @param {Scale} px
 * @param {Scale} py
 */
function barOfBin({ low, high, count }, px, py) {
  const inside = high > (state.from ?? -Infinity) && low < (state.to ?? Infinity);
  const width = Math.max(1, px(high) - px(low) - 1);
  const height = py(0) - py(count);
  return svg("rect", {
    ...{ class: inside ? "bar" : "bar out" },
    ...{ x: px(low) + 0.5, y: py(count), width, height },
  });
}

/**
 * @param {number} left
 * @param {number} right Of the picture.
 * @param {number} bottom
 */
function overallLine(left, right, bottom) {
  const onLeft = left > right - 80;
  const where = { x: left + (onLeft ? -4 : 4), y: PAD.top + 9 };
  const anchor = onLeft ? "end" : "start";
  return [
    svg("line", { class: "overall", x1: left, x2: left, y1: PAD.top, y2: bottom }),
    svg("text", { class: "tick on", ...where, "text-anchor": anchor }, data.names[0]),
  ];
}

/**
 * Let a drag over the histogram choose a range, and each bar say what it is.
 * @param {Picture} drawn
 * @param {Axis} axis
 * @param {Bin[]} bins
 */
function brushable({ picture, x, width, height }, axis, bins) {
  const [left, right] = [PAD.left, width - PAD.right];
  const veil = svg("rect", { class: "brush", y: PAD.top, height: height - PAD.top - PAD.bottom });
  picture.append(veil);
  picture.classList.add("brushable");
  /** @param {MouseEvent} event */
  const pointer = (event) => Math.min(right, Math.max(left, pointerIn(picture, event, width).left));
  /** @param {number} px */
  const valueAt = (px) => axis.min + ((px - left) / (right - left)) * (axis.max - axis.min);
  /** @type {number | null} */
  let begun = null;
  picture.addEventListener("pointerdown", (event) => {
    begun = pointer(event);
    picture.setPointerCapture(event.pointerId);
  });
  picture.addEventListener("pointermove", (event) => {
    const now = pointer(event);
    if (begun === null) sayBin(bins, (now - left) / (right - left), event);
    else setAll(veil, { x: Math.min(begun, now), width: Math.abs(now - begun) });
  });
  picture.addEventListener("pointerleave", () => tell("", 0, 0));
  picture.addEventListener("pointerup", (event) => {
    if (begun === null) return;
    const [low, high] = [begun, pointer(event)].sort((a, b) => a - b).map(valueAt);
    begun = null;
    const isDrag = x(high) - x(low) > 4;
    set(isDrag ? { from: sixOf(low), to: sixOf(high) } : { from: null, to: null });
  });
}

/** @param {number} x */
const sixOf = (x) => Number(x.toPrecision(6));

/**
 * @param {Bin[]} bins
 * @param {number} share Of the width, from the left.
 * @param {MouseEvent} event
 */
function sayBin(bins, share, event) {
  const bin = bins[Math.min(BINS - 1, Math.floor(share * BINS))];
  const unit = unitOfBins();
  const text = `${brief(bin.low)} to ${brief(bin.high)}: ${whole(bin.count)} ${unit}`;
  tell(text, event.clientX, event.clientY);
}
