// SPDX-License-Identifier: Apache-2.0
// How the predictions of positives and of negatives are spread.

const SCORES = 20; // bins of the prediction

/** @typedef {{min: number, max: number}} Span */
/** @typedef {Side & {label: string, shares: number[], total: number, span: Span}} ScoreLine */

/**
 * The lower end of a bin.
 * @param {Span} span
 * @param {number} i
 */
const binAt = ({ min, max }, i) => sixOf(min + ((max - min) * i) / SCORES);

/**
 * @param {Numbers} between
 * @param {Numbers} thresholds
 * @param {number} total
 * @param {Span} span
 */
function sharesOf(between, thresholds, total, { min, max }) {
  const sums = new Float64Array(SCORES);
  for (let i = 0; i < between.length; i++) {
    const from = thresholds[Math.max(0, i - 1)] || 0;
    const bin = Math.floor(((from - min) / (max - min)) * SCORES + 1e-9);
    sums[Math.min(SCORES - 1, Math.max(0, bin))] += between[i];
  }
  return Array.from(sums, (sum) => ratio(sum, total));
}

/**
 * Negatives, which are drawn first, and positives.
 * @param {Counted} side
 * @param {Span} span
 * @returns {ScoreLine[]}
 */
function scoreLines({ name, css, counts }, span) {
  const { thresholds, negatives, positives, negativesBetween, positivesBetween } = counts;
  return [
    { label: "negatives", total: negatives, between: negativesBetween },
    { label: "positives", total: positives, between: positivesBetween },
  ].map(({ label, total, between }) => {
    return { name, css, label, total, span, shares: sharesOf(between, thresholds, total, span) };
  });
}

/** @type {PlotKind["draw"]} */
function drawScores(figure, slice) {
  const sides = countsOf(slice);
  const span = scoreSpan(sides);
  const lines = sides.flatMap((side) => scoreLines(side, span));
  if (!lines.length) return false;
  drawChart(figure, scoresChart(data.names[slice], lines), (layer, x, y) => {
    for (const { css, label, shares } of lines) {
      const steps = shares.flatMap((share, i) => [
        [binAt(span, i), share],
        [binAt(span, i + 1), share],
      ]);
      const area = `${path([[span.min, 0], ...steps, [span.max, 0]], x, y)}Z`;
      const line = { class: `line theirs ${label}`, d: path(steps, x, y) };
      layer.append(svg("path", css === "ours" ? { class: `area ${label}`, d: area } : line));
    }
  });
  return true;
}

/**
 * @param {string} slice
 * @param {ScoreLine[]} lines
 * @returns {Chart}
 */
function scoresChart(slice, lines) {
  const most = Math.max(0.01, ...lines.flatMap(({ shares }) => shares.filter(Number.isFinite)));
  const points = lines.flatMap((line) =>
    line.shares.map((y, i) => ({ x: binAt(line.span, i + 0.5), y, tip: () => scoreTip(line, i) })),
  );
  return {
    title: slice,
    summary: `Score distribution of ${slice}: positives and negatives`,
    points: points.filter(({ y }) => Number.isFinite(y)),
    x: { ...lines[0].span, label: "prediction (blue: positives, grey: negatives)" },
    y: {
      ...{ min: 0, max: most, label: "share of the class" },
      format: (share) => `${Math.round(100 * share)}%`,
    },
    rows: () => [
      ["model", "class", "from", "to", "share"],
      ...lines.flatMap(({ name, label, shares, span }) =>
        shares.map((share, i) => [name, label, binAt(span, i), binAt(span, i + 1), share]),
      ),
    ],
  };
}

/**
 * @param {ScoreLine} line
 * @param {number} i
 */
function scoreTip({ name, label, shares, total, span }, i) {
  const share = `${percent(shares[i])} of ${whole(total)} ${label}`;
  return `${name}: ${share} score ${binAt(span, i)} to ${binAt(span, i + 1)}`;
}
