// SPDX-License-Identifier: Apache-2.0
// Numbers and names as text.

const FEW_DIGITS = 4;
const UNDEFINED = "–";

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/**
 * A number between `least` and `most` decimals; making a format takes longer than using it.
 * @param {number} x
 * @param {number} least
 * @param {number} most
 */
function decimal(x, least, most) {
  const key = `${least} ${most}`;
  let format = formats.get(key);
  if (!format) {
    const digits = { minimumFractionDigits: least, maximumFractionDigits: most };
    format = new Intl.NumberFormat("en", digits);
    formats.set(key, format);
  }
  return format.format(x).replace("-", "−");
}

/**
 * A count, or a sum of weights.
 * @param {number} x
 */
const whole = (x) => decimal(x, 0, 1);

/**
 * A number in at most so many digits.
 * @param {number} x
 * @param {boolean} [signed]
 * @param {number} [digits]
 */
function short(x, signed = false, digits = 5) {
  if (!Number.isFinite(x)) return endless(x);
  return `${signed && x > 0 ? "+" : ""}${decimal(Number(x.toPrecision(digits)), 0, 8)}`;
}

/** @param {number} x */
const endless = (x) => (Number.isNaN(x) ? UNDEFINED : x > 0 ? "∞" : "−∞");

/**
 * A number of a column, whose largest says how many decimals all have.
 * @param {number} x
 * @param {number} largest
 * @param {boolean} [signed]
 */
function shown(x, largest, signed = false) {
  if (!Number.isFinite(x)) return endless(x);
  return `${signed && x > 0 ? "+" : ""}${inColumn(x, largest)}`;
}

/**
 * @param {number} x
 * @param {number} largest
 */
function inColumn(x, largest) {
  const decimals = Math.max(0, FEW_DIGITS - Math.ceil(Math.log10(largest || 1)));
  if (x !== 0 && Math.abs(x) < 0.5 * 10 ** -decimals) return minus(x.toPrecision(2));
  if (x !== 0 && (decimals > 8 || largest >= 1e15)) return minus(x.toPrecision(FEW_DIGITS));
  const most = Math.min(8, decimals);
  const isCount = Number.isInteger(largest) && largest > 1 && Number.isInteger(x);
  return decimal(x, isCount ? 0 : most, most);
}

/** @param {string} text */
const minus = (text) => text.replace("-", "−");

/** @param {number} x */
const percent = (x) => (Number.isFinite(x) ? `${decimal(100 * x, 1, 1)}%` : UNDEFINED);

/**
 * A short number beside an axis.
 * @param {number} x
 */
function brief(x) {
  const long = Math.abs(x) >= 10_000;
  const text = long ? x.toLocaleString("en", { notation: "compact" }) : Number(x.toPrecision(4));
  return minus(String(text));
}

/**
 * @param {number} n
 * @param {string} noun
 */
const counted = (n, noun) => `${whole(n)} ${n === 1 ? noun : `${noun}s`}`;

/** @param {number} n */
const examplesText = (n) => counted(n, "example");

/**
 * A number of examples, marked where they are few.
 * @param {number} n
 */
const sizeText = (n) => (Number.isNaN(n) ? UNDEFINED : `${n < FEW ? "≈ " : ""}${whole(n)}`);

/**
 * A name within a sentence, which it does not turn around if it runs from right to left.
 * @param {string} name
 */
const isolated = (name) => `\u2068${name}\u2069`;

/**
 * @param {string} text
 * @param {number} most
 */
const cut = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);
