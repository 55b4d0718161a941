// SPDX-License-Identifier: Apache-2.0
// Names of slices in little room: cut where they are like others, so that what tells them apart is seen.

/** Letters of a name in the table, on a wide screen and on a narrow one. */
const NAME = { wide: 76, narrow: 44, begin: 14, before: 2 };

/** @type {Uint32Array} How many letters at the beginning of a name another name has too. */
let shared = new Uint32Array(0);

function startNames() {
  if (data.names.some((name) => name.length > NAME.narrow)) shared = sharedWithAnother(data.names);
}

/** @param {string[]} names */
function sharedWithAnother(names) {
  const order = [...names.keys()].sort((a, b) => (names[a] < names[b] ? -1 : 1));
  const longest = new Uint32Array(names.length);
  for (let k = 1; k < order.length; k++) {
    const [i, j] = [order[k - 1], order[k]];
    let same = 0;
    while (same < names[i].length && names[i][same] === names[j][same]) same++;
    longest[i] = Math.max(longest[i], same);
    longest[j] = Math.max(longest[j], same);
  }
  return longest;
}

/** @param {number} i */
const shortName = (i) =>
  windowed(data.names[i], shared[i] ?? 0, innerWidth > 576 ? NAME.wide : NAME.narrow);

/**
 * A name in at most `most` letters, of which some are those behind what it shares with another.
 * @param {string} name
 * @param {number} same
 * @param {number} most
 */
function windowed(name, same, most) {
  if (name.length <= most || same < most - NAME.before) return cut(name, most);
  const room = most - NAME.begin - 1;
  const from = Math.min(same - NAME.before, name.length - room);
  return `${name.slice(0, NAME.begin)}…${cut(name.slice(from), room)}`;
}

/**
 * The name of a slice at the head of a row.
 * @param {number} i
 */
const nameOf = (i) => make("span", { class: "called", dir: "auto" }, ...breakable(shortName(i)));

/**
 * A text that lines break behind the signs that divide names.
 * @param {string} text
 * @returns {Child[]}
 */
const breakable = (text) =>
  text.split(/(?<=[=_,/])/).flatMap((part, k) => (k ? [make("wbr"), part] : [part]));
