// SPDX-License-Identifier: Apache-2.0
// How the predictions of positives and of negatives are spread.

const SCORES = 20; // bins of the prediction

/** @typedef {Side & {label: string, shares: number[], total: number}} ScoreLine */

/**
 * @param {Numbers} between
 * @param {Numbers} thresholds
 * @param {number} total
 */
function sharesOf(between, thresholds, total) {
  const sums = new Float64Array(SCORES);
  for (let i = 0; i < between.length; i++) {
    const from = thresholds[Math.max(0, i - 1)] || 0;
    const bin = Math.floor(from * SCORES + 1e-9);
    sums[Math.min(SCORES - 1, Math.max(0, bin))] += between[i];
  }
  return Array.from(sums, (sum) => ratio(sum, total));
}

/**
 * Negatives, which are drawn first, and positives.
 * @param {Counted} side
 * @returns {ScoreLine[]}
 */
function scoreLines({ name, css, counts }) {
  const { thresholds, negatives, positives, negativesBetween, positivesBetween } = counts;
  return [
    { label: "negatives", total: negatives, between: negativesBetween },
    { label: "positives", total: positives, between: positivesBetween },
  ].map(({ label, total, between }) => {
    return { name, css, label, total, shares: sharesOf(between, thresholds, total) };
  });
}

/** @type {PlotKind["draw"]} */
function drawScores(figure, slice) {
  const lines = countsOf(slice).flatMap(scoreLines);
  if (!lines.length) return false;
  drawChart(figure, scoresChart(data.names[slice], lines), (layer, x, y) => {
    for (const { css, label, shares } of lines) {
      const steps = shares.flatMap((share, i) => [
        [i / SCORES, share],
        [(i + 1) / SCORES, share],
      ]);
      const area = `${path([[0, 0], ...steps, [1, 0]], x, y)}Z`;
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
    line.shares.map((y, i) => ({ x: (i + 0.5) / SCORES, y, tip: () => scoreTip(line, i) })),
  );
  return {
    title: slice,
    summary: `Score distribution of ${slice}: positives and negatives`,
    points: points.filter(({ y }) => Number.isFinite(y)),
    x: unitAxis("prediction (blue: positives, grey: negatives)"),
    y: {
      ...{ min: 0, max: most, label: "share of the class" },
      format: (share) => `${Math.round(100 * share)}%`,
    },
    rows: () => [
      ["model", "class", "from", "to", "share"],
      ...lines.flatMap(({ name, label, shares }) =>
        shares.map((share, i) => [name, label, i / SCORES, (i + 1) / SCORES, share]),
      ),
    ],
  };
}

/**
 * @param {ScoreLine} line
 * @param {number} i
 */
function scoreTip({ name, label, shares, total }, i) {
  const share = `${percent(shares[i])} of ${whole(total)} ${label}`;
  return `${name}: ${share} score ${i / SCORES} to ${(i + 1) / SCORES}`;
}
