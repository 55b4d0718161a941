// SPDX-License-Identifier: Apache-2.0
// Curves over all thresholds, the candidate's over the baseline's.

const UNIT = { min: 0, max: 1 };
const CHANCE = [
  [0, 0],
  [1, 1],
];

/** @param {string} label @returns {Axis} */
const unitAxis = (label) => ({ ...UNIT, label });

/**
 * A line for each side, through points [x, y, what says so].
 * @template {Side} S
 * @param {HTMLElement} figure
 * @param {string} slice
 * @param {S[]} sides
 * @param {Curve} how
 * @param {(side: S) => CurvePoint[]} pointsOf
 */
function lineChart(figure, slice, sides, how, pointsOf) {
  const lines = sides.map((side) => ({ ...side, points: pointsOf(side) }));
  const points = lines.flatMap(({ name, points: some }) =>
    some.map(([x, y, say]) => ({ x, y, tip: () => `${name}: ${say()}` })),
  );
  const { title, x: across, y: upright, diagonal, dotted } = how;
  const chart = {
    title: slice,
    summary: `${title} of ${slice}: ${lines.map((line) => line.name).join(" and ")}`,
    ...{ x: across, y: upright },
    points: points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)),
    rows: () => [["model", across.label, upright.label], ...lines.flatMap(rowsOf)],
  };
  drawChart(figure, chart, (layer, x, y) => {
    if (diagonal) layer.append(svg("path", { class: "even", d: path(diagonal, x, y) }));
    for (const line of lines) {
      const places = line.points.map(([a, b]) => [a, b]);
      layer.append(svg("path", { class: `line ${line.css}`, d: path(places, x, y) }));
      if (dotted) layer.append(svg("path", { class: `dot ${line.css}`, d: dots(places, x, y) }));
    }
  });
}

/**
 * @param {Side & {points: CurvePoint[]}} line
 * @returns {Cell[][]}
 */
const rowsOf = ({ name, points }) => points.map(([x, y]) => [name, x, y]);

/** @typedef {(tp: number, fp: number, c: Counts) => [x: number, y: number]} CurveFormula */

/**
 * Points of a curve over thresholds.
 * @param {CurveFormula} of
 * @param {(x: number, y: number) => string} say
 * @returns {(side: Counted) => CurvePoint[]}
 */
const overThresholds =
  (of, say) =>
  ({ counts }) =>
    Array.from(counts.thresholds, (threshold, i) => {
      const [x, y] = of(counts.tp[i], counts.fp[i], counts);
      return [x, y, () => `${say(x, y)} at threshold ${brief(threshold)}`];
    });

/**
 * How a curve is drawn.
 * @param {Curve} how
 * @param {CurveFormula} of
 * @param {(x: number, y: number) => string} say
 * @returns {PlotKind["draw"]}
 */
const curve = (how, of, say) => (figure, slice) => {
  const points = overThresholds(of, say);
  const sides = countsOf(slice);
  if (!sides.length) return false;
  const heights = sides.flatMap((side) => points(side).map(([, y]) => y));
  const max = Math.max(how.y.max, ...heights.filter(Number.isFinite));
  lineChart(figure, data.names[slice], sides, { ...how, y: { ...how.y, max } }, points);
  return true;
};

/** Of all examples, those that are taken, which score highest. @type {CurveFormula} */
const taken = (tp, fp, c) => [ratio(tp + fp, c.positives + c.negatives), ratio(tp, c.positives)];

/** @type {Record<string, PlotKind>} */
const CURVES = {
  roc: {
    title: "ROC",
    needs: "counts",
    about:
      "Share of the positives found against share of the negatives taken for positives, over all " +
      "thresholds; the upper left corner is perfect, the diagonal is chance.",
    draw: curve(
      {
        ...{ title: "ROC", diagonal: CHANCE },
        ...{ x: unitAxis("false positive rate"), y: unitAxis("true positive rate") },
      },
      (tp, fp, c) => [ratio(fp, c.negatives), ratio(tp, c.positives)],
      (x, y) => `finds ${percent(y)} of positives, takes ${percent(x)} of negatives`,
    ),
  },
  pr: {
    title: "Precision and recall",
    needs: "counts",
    about:
      "Share of right ones among what is predicted positive against share of the positives found, " +
      "over all thresholds; the upper right corner is perfect.",
    draw: curve(
      { title: "Precision and recall", x: unitAxis("recall"), y: unitAxis("precision") },
      (tp, fp, c) => [ratio(tp, c.positives), ratio(tp, tp + fp)],
      (x, y) => `precision ${percent(y)}, recall ${percent(x)}`,
    ),
  },
  gain: {
    title: "Gain",
    needs: "counts",
    about:
      "Share of the positives found when the highest-scored share of all examples is taken; the " +
      "diagonal is chance.",
    draw: curve(
      {
        ...{ title: "Gain", diagonal: CHANCE },
        ...{ x: unitAxis("share of examples taken"), y: unitAxis("share of positives found") },
      },
      taken,
      (x, y) => `the top ${percent(x)} hold ${percent(y)} of positives`,
    ),
  },
  lift: {
    title: "Lift",
    needs: "counts",
    about:
      "How many times as many positives as chance would give are among the highest-scored share " +
      "of examples; 1 is chance.",
    draw: curve(
      {
        ...{ title: "Lift", x: unitAxis("share of examples taken"), y: unitAxis("lift") },
        diagonal: CHANCE.map(([x]) => [x, 1]),
      },
      (tp, fp, c) => {
        const [x, y] = taken(tp, fp, c);
        return [x, ratio(y, x)];
      },
      (x, y) => `the top ${percent(x)} hold ${brief(Number(y.toPrecision(3)))} times the average`,
    ),
  },
};
