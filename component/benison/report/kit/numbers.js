// SPDX-License-Identifier: Apache-2.0
// Numbers of slices: in order, in shares, for better and for worse.

/** @param {number} a @param {number} b */
const ratio = (a, b) => (b ? a / b : NaN);

/**
 * The finite numbers from the lowest up.
 * @param {Numbers | null} numbers
 */
const sorted = (numbers) =>
  Float64Array.from(numbers || [])
    .filter(Number.isFinite)
    .sort();

/**
 * What a share of sorted numbers does not exceed.
 * @param {Float64Array} numbers
 * @param {number} share
 */
const quantile = (numbers, share) => numbers[Math.floor(numbers.length * share)] ?? NaN;

/**
 * The lowest and the highest of the finite numbers of some slices; 0 and 1 where there are none.
 * @param {Numbers} numbers
 * @param {Iterable<number>} slices
 * @returns {[low: number, high: number]}
 */
function rangeOf(numbers, slices) {
  let low = Infinity;
  let high = -Infinity;
  for (const i of slices) {
    if (!Number.isFinite(numbers[i])) continue;
    low = Math.min(low, numbers[i]);
    high = Math.max(high, numbers[i]);
  }
  return low <= high ? [low, high] : [0, 1];
}

/**
 * Orders places by what stands there; what is undefined comes last.
 * @param {ArrayLike<number | string>} values
 * @param {boolean} down
 * @returns {(a: number, b: number) => number}
 */
const ordering = (values, down) => (a, b) => {
  const x = values[a];
  const y = values[b];
  const lost = Number(Number.isNaN(x)) - Number(Number.isNaN(y));
  if (lost || Number.isNaN(x)) return lost || a - b;
  if (x === y) return a - b;
  return x < y === down ? 1 : -1;
};

/**
 * Whether a change is for the worse; null where neither end is good, or nothing has changed.
 * @param {boolean | null} better Whether higher is better.
 * @param {number} change
 */
const isWorse = (better, change) => (better === null || !change ? null : change > 0 !== better);

/**
 * The style of a change.
 * @param {boolean | null} better
 * @param {number} change
 */
function worseOrBetter(better, change) {
  const worse = isWorse(better, change);
  return worse === null ? "" : worse ? "worse" : "better";
}

/**
 * The interval of a share, of 95% or of other standard errors, after Wilson, 1927.
 * @param {number} share
 * @param {number} n
 * @param {number} z
 */
function wilson(share, n, z = 1.96) {
  const middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const spread = Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const half = (z / (1 + (z * z) / n)) * spread;
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
