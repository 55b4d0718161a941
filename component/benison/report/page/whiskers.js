// SPDX-License-Identifier: Apache-2.0
// The metric of a few slices, a line for each: value, interval and baseline, where a histogram shows nothing.

const FEW_SLICES = 8;
const LINE = 32; // pixels of a slice

/** Whether so few slices are looked at that each can have its line. */
const areFew = () => listed.before.length <= FEW_SLICES;

/**
 * Overall first, then from the worst to the best, or where no end is good from the largest down.
 * @param {Metric} metric
 * @param {Numbers} x
 */
function fromTheWorst({ better }, x) {
  const order = better === null ? ordering(sizes, true) : ordering(x, !better);
  return [...listed.before].sort((a, b) => Number(b === 0) - Number(a === 0) || order(a, b));
}

/**
 * Draw dots and whiskers into the figure of the histogram.
 * @param {Metric} metric
 * @param {Numbers} x
 */
function drawWhiskers(metric, x) {
  const figure = at("histogram");
  const slices = fromTheWorst(metric, x);
  const lines = slices.map((i, k) => lineOf(metric, x, i, slices.length - k - 0.6));
  const chart = whiskerChart(metric, lines);
  const drawn = drawChart(figure, chart, (layer, px, py) => {
    const level = levelOf(metric, x);
    if (Number.isFinite(level)) layer.append(levelLine(px(level), py(0)));
    for (const line of lines) layer.append(...marksOf(metric, line, px, py));
  });
  figure.append(whiskerKey(metric, lines));
  const points = lines.filter((line) => Number.isFinite(line.x));
  return readOut(drawn, points, (k) => choose(points[k].i));
}

/**
 * @param {Metric} metric
 * @param {Numbers} x
 * @param {number} i
 * @param {number} y
 * @returns {WhiskerLine}
 */
function lineOf(metric, x, i, y) {
  const isChange = x === changeOf(metric);
  /** @type {[Field, Field]} */
  const ends = isChange ? ["changeLower", "changeUpper"] : ["lower", "upper"];
  const [low, high] = endsAt(metric, i, ...ends);
  const [baseline] = isChange ? [0] : endsAt(metric, i, "baseline");
  const tip = () => `${sentenceOf(metric, i)}.${pressToChoose()}`;
  return { i, x: x[i], y, low, high, baseline, tip };
}

/**
 * @param {Metric} metric
 * @param {WhiskerLine[]} lines
 * @returns {Chart}
 */
function whiskerChart(metric, lines) {
  const name = chartedName(metric);
  const numbers = lines.flatMap(({ x, low, high, baseline }) => [x, low, high, baseline]);
  return {
    title: `${name} of each ${noun()}`,
    about: `A dot is the value of a ${noun()}, its line the interval. ${explain(metric)}`,
    summary: `Values of ${name}: ${counted(lines.length, noun())}`,
    x: roomy([...numbers, levelOf(metric, charted(metric) ?? [])].filter(Number.isFinite), name),
    y: { min: 0, max: lines.length, label: "", format: () => "" },
    ...wide(at("histogram")),
    height: Math.max(110, PAD.top + PAD.bottom + LINE * lines.length),
    rows: () => [
      [noun(), name, "lower", "upper", "baseline"],
      ...lines.map((line) => [data.names[line.i], line.x, line.low, line.high, line.baseline]),
    ],
  };
}

/**
 * What all are seen beside: Overall, or of comparisons where both slices are equal.
 * @param {Metric} metric
 * @param {Numbers} x
 */
function levelOf(metric, x) {
  if (!areCompared()) return x[0];
  return metric.name.startsWith("ratio") && x !== changeOf(metric) ? 1 : 0;
}

/**
 * @param {number} left
 * @param {number} bottom
 */
const levelLine = (left, bottom) =>
  svg("line", { class: "overall", x1: left, x2: left, y1: PAD.top, y2: bottom });

/**
 * The name of a slice, and below it interval, baseline and value.
 * @param {Metric} metric
 * @param {WhiskerLine} line
 * @param {Scale} px
 * @param {Scale} py
 */
function marksOf(metric, { i, x, y, low, high, baseline }, px, py) {
  const middle = py(y);
  const name = cut(data.names[i], 60);
  /** @type {SVGElement[]} */
  const marks = [svg("text", { class: "tick on", x: PAD.left, y: middle - 9 }, name)];
  if (Number.isFinite(low + high)) {
    marks.push(svg("line", { class: "reach", x1: px(low), x2: px(high), y1: middle, y2: middle }));
  }
  if (Number.isFinite(baseline)) {
    const tick = { x1: px(baseline), x2: px(baseline), y1: middle - 6, y2: middle + 6 };
    marks.push(svg("line", { class: "before", ...tick }));
  }
  if (Number.isFinite(x)) {
    const css = failedOn(metric.name).has(i) ? "dot value bad" : "dot value";
    marks.push(svg("path", { class: css, d: dots([[x, y]], px, py) }));
  }
  return marks;
}

/**
 * @param {Metric} metric
 * @param {WhiskerLine[]} lines
 */
function whiskerKey(metric, lines) {
  const isOfChange = charted(metric) === changeOf(metric);
  const level = areCompared() ? (isOfChange ? "no change" : "no difference") : data.names[0];
  /** @param {(line: WhiskerLine) => number} of */
  const some = (of) => lines.some((line) => Number.isFinite(of(line)));
  const marks = [
    make("span", { class: "of-value" }, "value"),
    some(({ low }) => low) && make("span", { class: "of-reach" }, "interval"),
    some(({ baseline }) => baseline) && make("span", { class: "of-before" }, "baseline"),
    make("span", { class: "of-level" }, level),
  ];
  return make("p", { class: "marks" }, ...marks.filter((mark) => mark !== false));
}
