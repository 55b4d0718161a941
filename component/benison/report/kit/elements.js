// SPDX-License-Identifier: Apache-2.0
// Elements of a page and of its pictures. Text becomes text nodes, never markup.

/**
 * The element of an id.
 * @param {string} id
 * @returns {HTMLElement}
 */
function at(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`The page has no element ${id}`);
  return node;
}

/** @param {string} id */
const inputAt = (id) => /** @type {HTMLInputElement} */ (at(id));

/** @param {string} id */
const selectAt = (id) => /** @type {HTMLSelectElement} */ (at(id));

/**
 * Give an element attributes; what is false or null is left out, and an object hears events.
 * @param {Element} node
 * @param {Attributes} attributes
 */
function setAll(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (typeof value === "object") {
      for (const [event, handler] of Object.entries(value)) {
        node.addEventListener(event, /** @type {EventListener} */ (handler));
      }
    } else if (typeof value === "boolean" && !name.startsWith("aria-")) {
      if (value) node.setAttribute(name, "");
    } else node.setAttribute(name, String(value));
  }
}

/**
 * An element with attributes and children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  setAll(node, attributes);
  node.append(...children);
  return node;
}

/**
 * An element of a picture.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[K]}
 */
function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAll(node, attributes);
  node.append(...children);
  return node;
}

/**
 * Put new children into an element; what had the focus has it again.
 * @param {HTMLElement} box
 * @param {...Child} children
 */
function redraw(box, ...children) {
  const held = box.contains(document.activeElement) ? document.activeElement?.id : "";
  box.replaceChildren(...children);
  if (held) document.getElementById(held)?.focus({ preventScroll: true });
}

/**
 * Fill a choice.
 * @param {string} id
 * @param {[value: string | number, text: string][]} options
 * @param {string} chosen
 */
function fill(id, options, chosen) {
  const select = selectAt(id);
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  select.value = chosen;
}

/**
 * Forms change what is shown and send nothing.
 * @param {...HTMLElement} forms
 */
function sendNothing(...forms) {
  for (const form of forms) form.addEventListener("submit", (event) => event.preventDefault());
}

/** @param {string} theme "light", "dark", or anything else for the system's. */
function showTheme(theme) {
  document.documentElement.dataset.theme = theme;
  selectAt("theme").value = theme;
}
