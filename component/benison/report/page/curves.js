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
  const endNames = lines.some((line) => line.points.some(([, , , ends]) => ends)) ? END_NAMES : [];
  const chart = {
    title: slice,
    summary: `${title} of ${slice}: ${lines.map((line) => line.name).join(" and ")}`,
    ...{ x: across, y: upright },
    points: points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)),
    rows: () => [["model", across.label, upright.label, ...endNames], ...lines.flatMap(rowsOf)],
  };
  drawChart(figure, chart, (layer, x, y) => {
    if (diagonal) layer.append(svg("path", { class: "even", d: path(diagonal, x, y) }));
    for (const line of lines) {
      if (line.css === "ours") layer.append(...bandOf(line.points, x, y));
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
const rowsOf = ({ name, points }) => points.map(([x, y, , ends]) => [name, x, y, ...(ends ?? [])]);

const END_NAMES = ["lower", "upper"];

/**
 * What lies between the ends of the intervals of points, where they have some.
 * @param {CurvePoint[]} points
 * @param {Scale} px
 * @param {Scale} py
 */
function bandOf(points, px, py) {
  const known = points.flatMap(([x, , , ends]) =>
    ends && Number.isFinite(x + ends[0] + ends[1]) ? [{ x, low: ends[0], high: ends[1] }] : [],
  );
  if (!known.length) return [];
  const above = known.map(({ x, high }) => [x, high]);
  const below = known.map(({ x, low }) => [x, low]).reverse();
  return [svg("path", { class: "band", d: `${path([...above, ...below], px, py)}Z` })];
}

/**
 * An interval behind a number; "" where it is unknown.
 * @param {number[] | undefined} ends
 * @param {(x: number) => string} text
 */
function endsText(ends, text = percent) {
  if (!ends || !Number.isFinite(ends[0] + ends[1])) return "";
  return ` (${text(ends[0])} to ${text(ends[1])}, ${brief(100 * data.level)}% interval)`;
}

/** @typedef {(tp: number, fp: number, c: Counts) => [x: number, y: number]} CurveFormula */
/** @typedef {(x: number, y: number, across: string, upright: string) => string} Saying */
/** @typedef {[across: "falls" | "recall", upright: "recall" | "precision"]} Limited */

/**
 * Points of a curve over thresholds.
 * @param {CurveFormula} of
 * @param {Saying} say
 * @param {Limited} [limited] The rates whose intervals are said, where they were computed.
 * @returns {(side: Counted) => CurvePoint[]}
 */
const overThresholds =
  (of, say, limited) =>
  ({ counts }) => {
    const [across, upright] = limited?.map((name) => counts.limits?.[name]) ?? [];
    return Array.from(counts.thresholds, (threshold, i) => {
      const [x, y] = of(counts.tp[i], counts.fp[i], counts);
      const text = () => say(x, y, endsText(across?.[i]), endsText(upright?.[i]));
      return [x, y, () => `${text()} at threshold ${brief(threshold)}`, upright?.[i]];
    });
  };

/**
 * How a curve is drawn.
 * @param {Curve} how
 * @param {CurveFormula} of
 * @param {Saying} say
 * @param {Limited} [limited]
 * @returns {PlotKind["draw"]}
 */
const curve = (how, of, say, limited) => (figure, slice) => {
  const points = overThresholds(of, say, limited);
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
      "thresholds; the upper left corner is perfect, the diagonal is chance. A band is the interval " +
      "of the first at each threshold by itself.",
    draw: curve(
      {
        ...{ title: "ROC", diagonal: CHANCE },
        ...{ x: unitAxis("false positive rate"), y: unitAxis("true positive rate") },
      },
      (tp, fp, c) => [ratio(fp, c.negatives), ratio(tp, c.positives)],
      (x, y, across, upright) =>
        `finds ${percent(y)} of positives${upright}, takes ${percent(x)} of negatives${across}`,
      ["falls", "recall"],
    ),
  },
  pr: {
    title: "Precision and recall",
    needs: "counts",
    about:
      "Share of right ones among what is predicted positive against share of the positives found, " +
      "over all thresholds; the upper right corner is perfect. A band is the interval of the first at " +
      "each threshold by itself.",
    draw: curve(
      { title: "Precision and recall", x: unitAxis("recall"), y: unitAxis("precision") },
      (tp, fp, c) => [ratio(tp, c.positives), ratio(tp, tp + fp)],
      (x, y, across, upright) => `precision ${percent(y)}${upright}, recall ${percent(x)}${across}`,
      ["recall", "precision"],
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
