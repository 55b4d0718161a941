// SPDX-License-Identifier: Apache-2.0
// What the page holds of the plots of a slice, of the candidate and of the baseline.

/**
 * What a plot carries.
 * @param {Plot} plot
 * @returns {Needs}
 */
const carried = ({ candidate }) =>
  "positives" in candidate ? "counts" : "pairs" in candidate ? "pairs" : "sums";

/**
 * The plots of the view that carry what is asked for.
 * @param {Needs} needs
 */
const plotsOf = (needs) =>
  data.plots.filter((plot) => plot.view === state.view && carried(plot) === needs);

/**
 * The columns of a slice's plot, of the baseline, which is drawn first, and of the candidate.
 * @template T
 * @param {number} slice
 * @param {Needs} needs
 * @param {(plot: Plot, columns: Record<string, Column>, rank: number) => T} read
 * @returns {(Side & T)[]}
 */
function sidesOf(slice, needs, read) {
  const plot = plotsOf(needs).find(({ slices }) => slices.includes(slice));
  if (!plot) return [];
  const rank = plot.slices.indexOf(slice);
  /** @type {Side & T} */
  const ours = { name: "candidate", css: "ours", ...read(plot, plot.candidate, rank) };
  if (!plot.baseline) return [ours];
  return [{ name: "baseline", css: "theirs", ...read(plot, plot.baseline, rank) }, ours];
}

/**
 * The candidate's side.
 * @template {Side} S
 * @param {S[]} sides
 */
const candidateOf = (sides) => sides.find((side) => side.css === "ours");

/**
 * The numbers of a slice in a column that has `size` of each.
 * @param {Numbers} numbers
 * @param {number} rank
 * @param {number} size
 * @returns {number[]}
 */
const part = (numbers, rank, size) =>
  Array.prototype.slice.call(numbers, rank * size, (rank + 1) * size);

/**
 * Weights above each threshold, from those between thresholds.
 * @param {number} slice
 * @returns {Counted[]}
 */
const countsOf = (slice) =>
  sidesOf(slice, "counts", (plot, columns, rank) => {
    const thresholds = column(plot.axis);
    const size = thresholds.length + 1;
    const positives = part(column(columns.positives), rank, size);
    const negatives = part(column(columns.negatives), rank, size);
    const [tp, fp] = [above(positives), above(negatives)];
    const totals = { positives: tp[0] + positives[0], negatives: fp[0] + negatives[0] };
    const between = { positivesBetween: positives, negativesBetween: negatives };
    const limits = limitsOf(columns, rank, thresholds.length);
    return { counts: { thresholds, tp, fp, ...totals, ...between, limits } };
  });

const LIMIT_UNITS = 10_000; // of which points.py has limits

/**
 * The intervals of a slice's rates at each threshold, where they were computed.
 * @param {Record<string, Column>} columns
 * @param {number} rank
 * @param {number} size
 * @returns {CurveLimits | undefined}
 */
function limitsOf(columns, rank, size) {
  if (!("recall_lower" in columns)) return undefined;
  /** @param {string} name */
  const of = (name) => {
    const [low, high] = ["lower", "upper"].map((end) =>
      part(column(columns[`${name}_${end}`]), rank, size).map((parts) =>
        parts < 0 ? NaN : parts / LIMIT_UNITS,
      ),
    );
    return low.map((number, i) => /** @type {Ends} */ ([number, high[i]]));
  };
  return { recall: of("recall"), falls: of("false_positive_rate"), precision: of("precision") };
}

/**
 * The scores between which all weights lie: 0 and 1, or more where some are outside, as logits are.
 * @param {Counted[]} sides
 */
function scoreSpan(sides) {
  const span = { min: 0, max: 1 };
  for (const { counts } of sides) {
    const { thresholds, positivesBetween, negativesBetween } = counts;
    for (let i = 0; i <= thresholds.length; i++) {
      if (!(positivesBetween[i] + negativesBetween[i] > 0)) continue;
      const from = thresholds[Math.max(0, i - 1)];
      if (from < -1e-5) span.min = Math.min(span.min, from); // the first of [0, 1] is just below 0
      span.max = Math.max(span.max, thresholds[Math.min(i, thresholds.length - 1)]);
    }
  }
  return span;
}

/**
 * Sums from each place to the end.
 * @param {number[]} between
 */
function above(between) {
  const sums = new Float64Array(between.length - 1);
  for (let i = sums.length - 1, sum = 0; i >= 0; i--) sums[i] = sum += between[i + 1];
  return sums;
}

/**
 * @param {number} slice
 * @returns {Summed[]}
 */
const sumsOf = (slice) =>
  sidesOf(slice, "sums", (_, columns, rank) => {
    const size = column(columns.length)[rank];
    /** @param {string} name */
    const of = (name) => part(column(columns[name]), rank, size);
    const edges = of("edge").slice(0, -1);
    const sums = { label: of("label"), prediction: of("prediction"), weight: of("weight") };
    const effective = "effective" in columns ? of("effective") : undefined;
    return { sums: { edges, ...sums, effective } };
  });

/**
 * @param {number} slice
 * @returns {Paired[]}
 */
const pairsOf = (slice) =>
  sidesOf(slice, "pairs", (_, columns, rank) => {
    const lengths = Array.from(column(columns.length));
    const begin = lengths.slice(0, rank).reduce((sum, n) => sum + n, 0);
    const names = ["over", "actual", "predicted", "pairs"];
    const [over, actual, predicted, weight] = names.map((name) => column(columns[name]));
    const pairs = Array.from({ length: lengths[rank] }, (__, k) => {
      const i = begin + k;
      return { over: over[i], actual: actual[i], predicted: predicted[i], weight: weight[i] };
    });
    return { pairs };
  });
