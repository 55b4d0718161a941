// SPDX-License-Identifier: Apache-2.0
// The state of a page, which lives in the fragment of its address, so that a view can be sent.

const THEMES = ["auto", "light", "dark"];

/**
 * Keep a state in the address: what differs from the beginning.
 * @template {object} S
 * @param {S} state
 * @param {S} begin
 * @param {(changed: Set<string>) => void} draw Hears which values have changed.
 * @param {() => void} mend Puts right what makes no sense after an address was read.
 * @returns {Kept<S>}
 */
function keepInAddress(state, begin, draw, mend) {
  let waiting = 0;
  // Browsers limit how often an address may change, and take long over it.
  const write = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => showAddress(fragmentOf(state, begin)), 150);
  };
  const read = () => {
    Object.assign(state, begin, fromFragment(location.hash, begin));
    mend();
  };
  const start = () => {
    read();
    addEventListener("hashchange", () => {
      read();
      draw(new Set(Object.keys(state)));
    });
  };
  /** @param {Partial<S>} change */
  const set = (change) => {
    Object.assign(state, change);
    draw(new Set(Object.keys(change)));
    write();
  };
  return { set, begin: start, write };
}

/** @param {string} fragment */
function showAddress(fragment) {
  try {
    history.replaceState(null, "", `#${fragment}`);
  } catch {
    // A sandboxed frame has no address of its own; the page works without.
  }
}

/**
 * @param {object} state
 * @param {object} begin
 */
function fragmentOf(state, begin) {
  const parts = new URLSearchParams();
  const first = new Map(Object.entries(begin));
  for (const [key, value] of Object.entries(state)) {
    if (value === null || String(value) === String(first.get(key))) continue;
    if (!Array.isArray(value)) parts.set(key, String(value));
    else for (const item of value.length ? value : [""]) parts.append(key, item);
  }
  return parts.toString();
}

/**
 * What a fragment says of a state; numbers that are none are left out.
 * @param {string} fragment
 * @param {object} begin
 */
function fromFragment(fragment, begin) {
  const parts = new URLSearchParams(fragment.slice(1));
  /** @type {Record<string, StateValue>} */
  const state = {};
  for (const [key, first] of Object.entries(begin)) {
    const text = parts.get(key);
    if (text === null) continue;
    if (Array.isArray(first)) state[key] = parts.getAll(key).filter(Boolean);
    else if (typeof first === "boolean") state[key] = text === "true";
    else if (typeof first === "string") state[key] = text;
    else if (Number.isFinite(Number(text))) state[key] = Number(text);
  }
  return state;
}
