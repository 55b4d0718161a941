// SPDX-License-Identifier: Apache-2.0
// @ts-check
// This file is how the page says things: elements with text, numbers, explanations, files to save.

const SMALL = 100; // examples below which a slice is shown as uncertain
const FEW_DIGITS = 4;

/**
 * An element with attributes and children; text becomes text nodes, never markup.
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node | string)} children
 * @returns {any}
 */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on")
      for (const [event, heard] of Object.entries(value)) node.addEventListener(event, heard);
    else if (value === true) node.setAttribute(name, name.startsWith("aria-") ? "true" : "");
    else if (value === false && name.startsWith("aria-")) node.setAttribute(name, "false");
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

/** Put new children into an element; what had the focus has it again. @param {HTMLElement} box @param {...(Node | string)} children */
function redraw(box, ...children) {
  const held = box.contains(document.activeElement) ? document.activeElement?.id : "";
  box.replaceChildren(...children);
  if (held) at(held)?.focus({ preventScroll: true });
}

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/** A number between `least` and `most` decimals; making a format takes longer than using it. @param {number} x @param {number} least @param {number} most */
function decimal(x, least, most) {
  const key = `${least} ${most}`,
    known =
      formats.get(key) ||
      new Intl.NumberFormat("en", { minimumFractionDigits: least, maximumFractionDigits: most });
  formats.set(key, known);
  return known.format(x);
}

/** A whole number. @param {number} x */
const whole = (x) => decimal(x, 0, 1);

/** A number in as many digits as the page holds, for a sentence. @param {number} x */
function exact(x) {
  if (Number.isNaN(x)) return "undefined";
  if (!Number.isFinite(x)) return x > 0 ? "infinite" : "minus infinity";
  return String(Number(x.toPrecision(data.exact ? 15 : 6)));
}

/**
 * A number of a column, whose largest says how many decimals all have.
 * @param {number} x @param {number} largest @param {boolean} [signed]
 */
function shown(x, largest, signed = false) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "–" : x > 0 ? "∞" : "−∞";
  const decimals = Math.max(0, FEW_DIGITS - Math.ceil(Math.log10(largest || 1)));
  const tiny = x !== 0 && Math.abs(x) < 0.5 * 10 ** -decimals,
    odd = decimals > 8 || largest >= 1e15;
  const isCount = Number.isInteger(largest) && largest > 1 && Number.isInteger(x);
  const text = tiny
    ? x.toPrecision(2)
    : odd && x
      ? x.toPrecision(FEW_DIGITS)
      : decimal(x, isCount ? 0 : Math.min(8, decimals), Math.min(8, decimals));
  return `${signed && x > 0 ? "+" : ""}${text}`.replace("-", "−");
}

/** @param {number} x */
const percent = (x) => (Number.isFinite(x) ? `${decimal(100 * x, 1, 1)}%`.replace("-", "−") : "–");

/** @param {number} n @param {string} one */
const counted = (n, one) => `${whole(n)} ${n === 1 ? one : `${one}s`}`;

/** @param {number} n */
const examplesText = (n) => counted(n, "example");

/** A name within a sentence, which it does not turn around if it runs from right to left. @param {string} name */
const isolated = (name) => `\u2068${name}\u2069`;

/** What a metric is, which end is good, and its range. @param {Metric} metric */
function explain(metric) {
  const good =
    metric.better === null ? "" : metric.better ? " Higher is better." : " Lower is better.";
  const range =
    metric.low !== null && metric.high !== null
      ? ` From ${metric.low} to ${metric.high}.`
      : metric.low !== null
        ? ` From ${metric.low} up.`
        : "";
  return `${metric.about || metric.name}${good}${range}`;
}

/** What elements say when they are pointed at, where that is made only then. @type {WeakMap<Element, () => string>} */
const tips = new WeakMap();

/** @param {any} node @param {() => string} say */
function explainLater(node, say) {
  node.setAttribute("data-tip", "");
  tips.set(node, say);
}

/** Show what `data-tip` says while its element is pointed at or has the focus. */
function explainOnHover() {
  const tip = at("tip");
  const hide = () => {
    tip.hidden = true;
  };
  /** @param {Event} event */
  const seen = (event) => {
    const node = /** @type {Element | null} */ (
      event.target instanceof Element ? event.target.closest("[data-tip]") : null
    );
    if (!node) return hide();
    const box = node.getBoundingClientRect();
    tell(node.getAttribute("data-tip") || tips.get(node)?.() || "", box.left, box.bottom);
  };
  document.addEventListener("pointerover", seen);
  document.addEventListener("focusin", seen);
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
}

/** Say something beside a place of the window. @param {string} text @param {number} x @param {number} y */
function tell(text, x, y) {
  const tip = at("tip");
  tip.textContent = text;
  tip.hidden = !text;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x, innerWidth - width - 8))}px`;
  tip.style.top = `${y + height + 14 > innerHeight ? Math.max(4, y - height - 28) : y + 8}px`;
}

/** Something that explains itself on hover and focus, also to a screen reader. @param {string} text @param {string} about */
const explained = (text, about) =>
  make(
    "span",
    {
      class: "explained",
      "data-tip": about,
      tabindex: 0,
      role: "note",
      "aria-label": `${text}: ${about}`,
    },
    text,
  );

/** Save a file. @param {string} name @param {Blob} content */
function save(name, content) {
  const link = make("a", {
    href: URL.createObjectURL(content),
    download: name.replace(/[^\w.=-]+/g, "_").slice(0, 80),
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Rows as CSV; a cell that a spreadsheet would run is made text. @param {(string | number)[][]} rows */
function csv(rows) {
  /** @param {string | number} cell */
  const field = (cell) => {
    if (typeof cell === "number") return Number.isNaN(cell) ? "" : String(cell);
    const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return new Blob([`${rows.map((row) => row.map(field).join(",")).join("\r\n")}\r\n`], {
    type: "text/csv",
  });
}
