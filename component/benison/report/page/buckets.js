// SPDX-License-Identifier: Apache-2.0
// Mean label against mean prediction in buckets of the prediction: calibration and residuals.

const MOST_BUCKETS = 10;

/**
 * Sums in fewer buckets, so that each has enough to say; the first and the last hold what is outside.
 * @param {Sums} sums
 * @returns {Bucket[]}
 */
function coarse({ label, prediction, weight, effective }) {
  const last = weight.length - 1;
  const every = Math.max(1, Math.ceil((last - 1) / MOST_BUCKETS));
  const starts = [0];
  for (let i = 1; i < last; i += every) starts.push(i);
  if (last > 0) starts.push(last);
  const buckets = starts.map((start, k) => {
    const end = starts[k + 1] ?? last + 1;
    /** @param {Numbers} column */
    const total = (column) => {
      let sum = 0;
      for (let i = start; i < end; i++) sum += column[i];
      return sum;
    };
    const sums = { label: total(label), prediction: total(prediction), weight: total(weight) };
    const says = effective ? alike(weight, effective, start, end) : sums.weight;
    const means = { x: sums.prediction / sums.weight, y: sums.label / sums.weight };
    return { ...sums, ...means, effective: says };
  });
  return buckets.filter((bucket) => bucket.weight > 0);
}

/**
 * As many examples of equal weight as say as much as those of some buckets.
 * @param {Numbers} weight
 * @param {Numbers} effective
 * @param {number} start
 * @param {number} end
 */
function alike(weight, effective, start, end) {
  let [sum, squares] = [0, 0];
  for (let i = start; i < end; i++) {
    sum += weight[i];
    if (effective[i] > 0) squares += weight[i] ** 2 / effective[i];
  }
  return sum ** 2 / squares;
}

/**
 * @param {Summed[]} sides
 * @returns {Bucketed[]}
 */
const bucketsOf = (sides) =>
  sides.map(({ name, css, sums }) => ({ name, css, buckets: coarse(sums) }));

/** @param {number[]} numbers */
const areShares = (numbers) => numbers.every((x) => x >= 0 && x <= 1);

/** @param {number} x */
const threeOf = (x) => x.toPrecision(3);

/** @param {Bucket} bucket */
const whereOf = ({ x, weight }) =>
  `where the mean prediction is ${threeOf(x)} (${examplesText(weight)})`;

/** @type {PlotKind["draw"]} */
function drawCalibration(figure, slice) {
  const sides = sumsOf(slice);
  if (!sides.length) return false;
  const lines = bucketsOf(sides);
  const ends = lines.flatMap(({ buckets }) => buckets.flatMap(({ x, y }) => [x, y]));
  const isShare = areShares(ends);
  const { min, max } = isShare ? UNIT : roomy(ends);
  const chart = calibrationChart(data.names[slice], lines, { min, max, label: "" }, isShare);
  const diagonal = CHANCE.map((corner) => corner.map((end) => (end ? max : min)));
  drawChart(figure, chart, (layer, x, y) => {
    layer.append(svg("path", { class: "even", d: path(diagonal, x, y) }));
    for (const { css, buckets } of lines) {
      const places = buckets.map((bucket) => [bucket.x, bucket.y]);
      layer.append(svg("path", { class: `line ${css}`, d: path(places, x, y) }));
      if (isShare && css === "ours")
        layer.append(...buckets.map((bucket) => errorBar(bucket, x, y)));
      layer.append(svg("path", { class: `dot ${css}`, d: dots(places, x, y) }));
    }
  });
  tellOutside(figure, sides);
  return true;
}

/**
 * @param {string} slice
 * @param {Bucketed[]} lines
 * @param {Axis} axis
 * @param {boolean} isShare
 * @returns {Chart}
 */
function calibrationChart(slice, lines, axis, isShare) {
  return {
    title: slice,
    summary: `Calibration of ${slice}: mean label against mean prediction`,
    points: lines.flatMap(({ name, buckets }) =>
      buckets.map((bucket) => {
        const { x, y } = bucket;
        const ends = isShare ? endsText(labelEnds(bucket), threeOf) : "";
        const label = `mean label ${threeOf(y)}${ends}`;
        return { x, y, tip: () => `${name}: ${label} ${whereOf(bucket)}` };
      }),
    ),
    x: { ...axis, label: "mean prediction" },
    y: { ...axis, label: "mean label" },
    rows: () => [
      ["model", "mean prediction", "mean label", "weight", ...(isShare ? ["lower", "upper"] : [])],
      ...lines.flatMap(({ name, buckets }) =>
        buckets.map((b) => [name, b.x, b.y, b.weight, ...(isShare ? labelEnds(b) : [])]),
      ),
    ],
  };
}

/**
 * The interval of a mean label, as if each label were 0 or 1.
 * @param {Bucket} bucket
 */
const labelEnds = ({ y, effective }) => wilson(y, effective, data.reach);

/**
 * @param {Bucket} bucket
 * @param {Scale} px
 * @param {Scale} py
 */
function errorBar(bucket, px, py) {
  const { x } = bucket;
  const [low, high] = labelEnds(bucket).map(py);
  return svg("line", { class: "error", x1: px(x), x2: px(x), y1: low, y2: high });
}

/** @type {PlotKind["draw"]} */
function drawResiduals(figure, slice) {
  const sides = sumsOf(slice);
  if (!sides.length) return false;
  const lines = bucketsOf(sides);
  const all = lines.flatMap(({ buckets }) => buckets);
  const far = Math.max(1e-9, ...all.map(({ x, y }) => Math.abs(y - x)));
  const across = all.map(({ x }) => x);
  const { min, max } = areShares(across) ? UNIT : roomy(across);
  const how = {
    ...{ title: "Residuals", dotted: true },
    diagonal: [
      [min, 0],
      [max, 0],
    ],
    x: { min, max, label: "mean prediction" },
    y: { min: -far, max: far, label: "mean label − prediction" },
  };
  lineChart(figure, data.names[slice], lines, how, ({ buckets }) =>
    buckets.map((bucket) => {
      const off = bucket.y - bucket.x;
      return [bucket.x, off, () => `${off.toPrecision(3)} ${whereOf(bucket)}`];
    }),
  );
  tellOutside(figure, sides);
  return true;
}

/**
 * Say so where the buckets miss most predictions, which are then one point.
 * @param {HTMLElement} figure
 * @param {Summed[]} sides
 */
function tellOutside(figure, sides) {
  const { edges, weight } = (candidateOf(sides) ?? sides[0]).sums;
  const outside = weight[0] + weight[weight.length - 1];
  const all = Array.from(weight).reduce((sum, n) => sum + n, 0);
  if (outside <= all / 2) return;
  const ends = `${brief(edges[0])} to ${brief(edges[edges.length - 1])}`;
  const text =
    `${percent(ratio(outside, all))} of the predictions are outside ${ends}, where ` +
    "CalibrationPlot has its buckets. Its left and right in the config say where they are.";
  figure.append(make("p", { class: "note" }, text));
}
