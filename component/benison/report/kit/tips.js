// SPDX-License-Identifier: Apache-2.0
// What elements say of themselves when they are pointed at or have the focus.

/**
 * What is said, where that is made only then.
 * @type {WeakMap<Element, () => string>}
 */
const tips = new WeakMap();

/**
 * @param {Element} node
 * @param {() => string} say
 */
function explainLater(node, say) {
  node.setAttribute("data-tip", "");
  tips.set(node, say);
}

/**
 * Something that explains itself on hover and focus, also to a screen reader.
 * @param {string} text
 * @param {string} about
 */
function explained(text, about) {
  const label = { "data-tip": about, "aria-label": `${text}: ${about}` };
  return make("span", { class: "explained", tabindex: 0, role: "note", ...label }, text);
}

/** Show what `data-tip` says while its element is pointed at or has the focus. */
function explainOnHover() {
  const hide = () => tell("", 0, 0);
  /** @param {Event} event */
  const show = (event) => {
    const node = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    if (!node) return hide();
    const box = node.getBoundingClientRect();
    return tell(node.getAttribute("data-tip") || tips.get(node)?.() || "", box.left, box.bottom);
  };
  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
  });
}

/**
 * Say something beside a place of the window.
 * @param {string} text
 * @param {number} x
 * @param {number} y
 */
function tell(text, x, y) {
  const tip = at("tip");
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const { width, height } = tip.getBoundingClientRect();
  const above = y + height + 14 > innerHeight;
  tip.style.left = `${Math.max(4, Math.min(x, innerWidth - width - 8))}px`;
  tip.style.top = `${above ? Math.max(4, y - height - 28) : y + 8}px`;
}
