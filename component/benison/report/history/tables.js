// SPDX-License-Identifier: Apache-2.0
// The tables below the chart: what moved between two runs, and the runs.

const MOST_MOVED = 15;
const NONE_MOVED = "No slice moved. Choose other runs, or ask for fewer examples.";
const WORDS = ["slice", "run", "verdict", "alert", "evaluated", "model", "data"];

/**
 * @param {string[]} head
 * @param {Child[][]} rows
 */
function table(head, rows) {
  /** @param {number} k */
  const css = (k) => ({ class: WORDS.includes(head[k]) ? "words" : null });
  const names = head.map((name, k) => make("th", { scope: "col", ...css(k) }, name));
  const body = rows.map((cells) => {
    const nodes = cells.map((cell, k) => {
      const title = WORDS.includes(head[k]) && typeof cell === "string" ? cell : null;
      const label = { title, ...css(k) };
      return k ? make("td", label, cell) : make("th", { scope: "row", ...label }, cell);
    });
    return make("tr", {}, ...nodes);
  });
  return make("table", {}, make("thead", {}, make("tr", {}, ...names)), make("tbody", {}, ...body));
}

/**
 * A change, coloured by whether it is for the better.
 * @param {number} x
 */
const changeText = (x) => make("span", { class: worseOrBetter(better(), x) }, short(x, true));

/** The slices that changed between two runs, those that lost most first. */
function movedSlices() {
  const { from, to, least } = state;
  const changes = data.slices.map((_, i) => less(number("value", i, to), number("value", i, from)));
  const moved = [...data.slices.keys()].filter((i) => {
    const size = Math.min(data.examples[i][from] ?? 0, data.examples[i][to] ?? 0);
    return changes[i] && size >= least;
  });
  return { changes, moved: moved.sort(ordering(changes, better() === false)) };
}

function drawMoved() {
  const { from, to } = state;
  const { changes, moved } = movedSlices();
  const rows = moved
    .slice(0, MOST_MOVED)
    .map((i) => [
      sliceButton(data.slices[i]),
      short(number("value", i, from)),
      short(number("value", i, to)),
      changeText(changes[i]),
      sizeText(examplesOf(i, to)),
    ]);
  at("moved").replaceChildren(table(["slice", "was", "is", "change", "examples"], rows));
  const shown = whole(data.slices.length);
  const isCut = data.sliceCount > data.slices.length;
  const left = isCut ? ` The ${shown} largest of ${whole(data.sliceCount)} slices are here.` : "";
  const hint = `≈: fewer than ${FEW} examples, so uncertain.`;
  const count = `${counted(moved.length, "slice")} moved; those that lost most come first. ${hint}`;
  at("count").textContent = `${moved.length ? count : NONE_MOVED}${left}`;
}

/**
 * A slice, which leads to its chart.
 * @param {string} name
 */
function sliceButton(name) {
  const click = () => {
    set({ slice: name });
    at("chart").scrollIntoView({ block: "center" });
  };
  return make("button", { type: "button", class: "look", title: name, on: { click } }, name);
}

/** @typedef {{name: string, of: (i: number) => Cell, draw?: (cell: Cell, i: number) => Child}} RunColumn */

/**
 * The columns of the table of runs, of which some have numbers only where the metric does.
 * @returns {RunColumn[]}
 */
function runColumns() {
  const slice = sliceRank();
  /** @param {Field} name @returns {RunColumn} */
  const column = (name) => ({ name, of: (i) => number(name, slice, i) });
  /** @param {number} i */
  const change = (i) => less(number("value", slice, i), number("baseline", slice, i));
  return [
    { name: "run", of: (i) => data.points[i].run },
    { name: "verdict", of: (i) => VERDICTS[data.points[i].verdict].words, draw: verdictText },
    ...(data.watched ? [{ name: "alert", of: alertAt }] : []),
    { name: "examples", of: (i) => examplesOf(slice, i), draw: (n) => sizeText(Number(n)) },
    column("value"),
    column("lower"),
    column("upper"),
    column("baseline"),
    { name: "change", of: change, draw: (x) => changeText(Number(x)) },
    { name: "evaluated", of: (i) => data.points[i].created },
    { name: "model", of: (i) => data.points[i].model[1] },
    { name: "data", of: (i) => data.points[i].data[1] },
  ];
}

/** @param {Cell} words @param {number} i */
function verdictText(words, i) {
  const { verdict } = data.points[i];
  return make("span", { class: verdict }, `${VERDICTS[verdict].sign} ${words}`);
}

function drawRuns() {
  const { lower, upper, baseline } = metric();
  /** @type {Record<string, unknown>} */
  const optional = { lower, upper, baseline, change: baseline, alert: alertsHere().length };
  const columns = runColumns().filter(({ name }) => !(name in optional) || optional[name]);
  const rows = data.points.map((_, i) =>
    columns.map(({ of, draw: drawn }) => {
      const cell = of(i);
      if (drawn) return drawn(cell, i);
      return typeof cell === "number" ? short(cell) : cell;
    }),
  );
  const names = columns.map(({ name }) => name);
  at("runs").replaceChildren(table(names, rows));
}

/** The runs of the metric and slice that are looked at, as CSV. */
function runsCsv() {
  const columns = runColumns();
  const rows = data.points.map((_, i) => columns.map(({ of }) => of(i)));
  const names = ["metric", "slice", ...columns.map(({ name }) => name)];
  return csv([names, ...rows.map((cells) => [state.metric, state.slice, ...cells])]);
}
