// SPDX-License-Identifier: Apache-2.0
// The confusion matrix of two classes at the threshold of the slider.

/**
 * The confusion matrix at a threshold, or the closest below it.
 * @param {Counts} counts
 * @param {number} threshold
 * @returns {Matrix}
 */
function matrixAt({ thresholds, tp, fp, positives, negatives }, threshold) {
  let i = 0;
  while (i + 1 < thresholds.length && thresholds[i + 1] <= threshold + 1e-9) i++;
  const [right, wrong] = [tp[i], fp[i]];
  const rest = { fn: positives - right, tn: negatives - wrong };
  return { threshold: thresholds[i], tp: right, fp: wrong, ...rest };
}

/** @typedef {{key: "tp" | "fn" | "fp" | "tn", label: string, across: number, down: number}} MatrixCell */

/** @type {MatrixCell[]} */
const MATRIX_CELLS = [
  { key: "tp", label: "true positives", across: 0, down: 0 },
  { key: "fn", label: "false negatives", across: 1, down: 0 },
  { key: "fp", label: "false positives", across: 0, down: 1 },
  { key: "tn", label: "true negatives", across: 1, down: 1 },
];

/** @param {Matrix} m */
const totalOf = (m) => m.tp + m.fp + m.fn + m.tn;

/** @type {PlotKind["draw"]} */
function drawMatrix(figure, slice) {
  const matrices = countsOf(slice).map(({ name, css, counts }) => {
    return { name, css, matrix: matrixAt(counts, state.threshold) };
  });
  const ours = candidateOf(matrices)?.matrix;
  if (!ours) return false;
  const theirs = matrices.find(({ css }) => css === "theirs")?.matrix;
  const title = data.names[slice];
  const where = `at threshold ${brief(ours.threshold)}`;
  const counts = MATRIX_CELLS.map(({ key, label }) => `${whole(ours[key])} ${label}`).join(", ");
  const picture = pictureOf(300, 230, `Confusion matrix of ${title} ${where}: ${counts}`);
  for (const cell of MATRIX_CELLS) picture.append(...matrixCell(cell, ours, theirs));
  picture.append(...matrixLabels(), centred("tick", ratesText(ours), 164, 224));
  const rows = () => [
    ["model", "threshold", ...MATRIX_CELLS.map(({ label }) => label)],
    ...matrices.map(({ name, matrix }) => [
      ...[name, matrix.threshold],
      ...MATRIX_CELLS.map(({ key }) => matrix[key]),
    ]),
  ];
  const summary = `Confusion matrix of ${title}: ${where}`;
  figure.replaceChildren(caption({ title, summary, rows }, picture), picture);
  return true;
}

/**
 * @param {MatrixCell} cell
 * @param {Matrix} ours
 * @param {Matrix | undefined} theirs
 */
function matrixCell({ key, label, across, down }, ours, theirs) {
  const [x, y] = [34 + 132 * across, 18 + 96 * down];
  const share = ratio(ours[key], totalOf(ours));
  const css = key === "tp" || key === "tn" ? "right" : "wrong";
  const size = { width: 128, height: 92, "fill-opacity": 0.06 + 0.5 * share };
  const cells = [
    svg("rect", { class: `cell ${css}`, x, y, ...size }),
    centred("count", whole(ours[key]), x + 64, y + 32),
    centred("tick on", `${percent(share)} ${label}`, x + 64, y + 48),
  ];
  if (!theirs) return cells;
  const before = `${whole(theirs[key])} (${percent(ratio(theirs[key], totalOf(theirs)))})`;
  return [
    ...cells,
    centred("tick on", "baseline", x + 64, y + 67),
    centred("tick on", before, x + 64, y + 81),
  ];
}

const matrixLabels = () => [
  centred("label", "predicted positive", 98, 12),
  centred("label", "predicted negative", 230, 12),
  centred("label", "positive", 22, 64, -90),
  centred("label", "negative", 22, 160, -90),
];

/** @param {Matrix} matrix */
function ratesText({ tp, fp, fn }) {
  /** @type {[name: string, rate: number][]} */
  const rates = [
    ["precision", tp / (tp + fp)],
    ["recall", tp / (tp + fn)],
    ["F1", (2 * tp) / (2 * tp + fp + fn)],
  ];
  return rates.map(([name, rate]) => `${name} ${shown(rate, 1)}`).join("   ");
}
