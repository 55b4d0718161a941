// SPDX-License-Identifier: Apache-2.0
// The table of slices, of which only the rows in sight are elements.

const ROW = 46; // pixels, as kit.css says
const SPARE = 8; // rows on either side of those in sight
const ON_PAPER = 60; // rows

/**
 * A row of the table.
 * @param {number} i
 * @param {number} rank
 * @param {Metric[]} metrics
 */
function row(i, rank, metrics) {
  const name = data.names[i];
  const isChosen = state.slice.includes(name);
  const isSmall = sizes[i] < FEW;
  const change = () => choose(i);
  const box = make("input", { type: "checkbox", "data-slice": i, on: { change } });
  box.checked = isChosen;
  const text = nameOf(i);
  const label = isComparison(i) ? text : make("label", {}, box, text);
  const warning = `Only ${examplesText(sizes[i])}: the values of this ${noun()} are uncertain.`;
  const count = make("td", { "data-tip": isSmall ? warning : null }, sizeText(sizes[i]));
  const css = `${isSmall ? "small" : ""} ${isChosen ? "chosen" : ""}`;
  return make(
    "tr",
    { class: css, "aria-rowindex": rank + 3 },
    make("th", { scope: "row", title: name }, label),
    count,
    ...metrics.map((metric) => valueCell(metric, i)),
  );
}

/**
 * A button that sorts the table.
 * @param {string} key
 * @param {string} text
 * @param {string} about
 * @param {string} [spoken]
 */
function sorter(key, text, about, spoken) {
  const click = () =>
    set({ sort: key, down: state.sort === key ? !state.down : key === "examples" });
  const arrow = state.sort === key ? (state.down ? " ↓" : " ↑") : "";
  const label = { "data-tip": `${about} Press to sort.`, "aria-label": spoken };
  return make(
    "button",
    { type: "button", "data-sort": key, ...label, on: { click } },
    ...breakable(`${text}${arrow}`),
  );
}

/**
 * @param {string} key
 * @param {...Node} buttons
 */
function header(key, ...buttons) {
  const isSorted = state.sort === key || state.sort === `Δ${key}`;
  const order = state.down ? "descending" : "ascending";
  return make("th", { scope: "col", "aria-sort": isSorted ? order : "none" }, ...buttons);
}

/** @param {Metric} metric */
function metricHeader(metric) {
  const { name } = metric;
  const buttons = [sorter(name, name, explain(metric))];
  if (changeOf(metric)) {
    const about = `Change of ${name} from the baseline.`;
    buttons.push(sorter(`Δ${name}`, "Δ", about, `Sort by change of ${name}`));
  }
  return header(name, ...buttons);
}

/** Draw the head, and then the rows in sight. */
function drawTable() {
  const whose = areCompared() ? "the smaller of both slices" : "a slice";
  const size = `How many examples ${whose} has, unweighted; ≈ marks fewer than ${FEW}.`;
  const about = areCompared()
    ? "The slice whose value comes first, and the one that it is compared with."
    : "The features and values of a slice's examples.";
  const head = make(
    "tr",
    {},
    header("slice", sorter("slice", areCompared() ? "slices" : "slice", about)),
    header("examples", sorter("examples", "examples", size)),
    ...tableMetrics().map(metricHeader),
  );
  const count = {
    "aria-rowcount": listed.order.length + 2,
    "aria-label": areCompared() ? "Comparisons of slices" : "Slices",
  };
  const table = make("table", count, make("thead", {}, marksRow(), head), make("tbody"));
  const held = heldIn("data-sort");
  at("table").replaceChildren(table);
  focusOn(held && `[data-sort="${CSS.escape(held)}"]`);
  at("table").scrollTop = 0;
  drawRowsAnew();
}

/** What the mark in a cell is. */
function marksRow() {
  const parts = [make("span", {}, `≈ under ${FEW} examples`)];
  if (marked() === "change") {
    const isDirected = metricsHere().some((metric) => metric.better !== null);
    const names = isDirected ? ["worse", "better"] : ["change"];
    const direction = names.map((name) => make("span", { class: `of-${name}` }, name));
    if (metricsHere().some((metric) => metric.changeLower)) {
      direction.push(make("span", { class: "of-span" }, "interval"));
    }
    parts.unshift(...direction);
  } else if (marked()) parts.unshift(make("span", { class: "of-reach" }, "interval"));
  const key = make("p", { class: "marks" }, ...parts);
  return make("tr", { class: "legend" }, make("td", { colspan: columnCount() }, key));
}

const drawn = { first: -1, last: -1 };

/**
 * An attribute of what has the focus in the table.
 * @param {string} name
 */
const heldIn = (name) =>
  at("table").contains(document.activeElement) ? document.activeElement?.getAttribute(name) : null;

/** @param {string | null | undefined} selector */
function focusOn(selector) {
  /** @type {HTMLElement | null} */
  const node = selector ? at("table").querySelector(selector) : null;
  node?.focus({ preventScroll: true });
}

/**
 * Make elements of the rows in sight, and room for the others.
 * @param {number} [most] Rows from the first, whatever is in sight.
 */
function drawRows(most) {
  const body = at("table").querySelector("tbody");
  const { first, last } = most
    ? { first: 0, last: Math.min(listed.order.length, most) }
    : inSight();
  if (!body || (first === drawn.first && last === drawn.last)) return;
  Object.assign(drawn, { first, last });
  const held = heldIn("data-slice");
  const left = listed.order.length - last;
  body.replaceChildren(...rowsBetween(first, last, !most));
  at("table").querySelector("tfoot")?.remove();
  if (left && most) body.after(footOf(left, columnCount()));
  focusOn(held && `[data-slice="${held}"]`);
}

/** How many columns the table has. */
const columnCount = () => tableMetrics().length + 2;

/**
 * Rows, with room for those before and after them, or what stands in place of rows.
 * @param {number} first
 * @param {number} last
 * @param {boolean} isRoomy
 */
function rowsBetween(first, last, isRoomy) {
  const { order } = listed;
  if (!order.length) return [noRow(columnCount())];
  const metrics = tableMetrics();
  const rows = order.slice(first, last).map((i, k) => row(i, first + k, metrics));
  if (first) rows.unshift(roomFor(first, columnCount()));
  if (isRoomy && last < order.length) rows.push(roomFor(order.length - last, columnCount()));
  return rows;
}

/**
 * What stands in place of slices where none matches.
 * @param {number} colspan
 */
function noRow(colspan) {
  const click = () => set({ ...ALL });
  const button = make("button", { type: "button", on: { click } }, "Show all slices");
  const text = `No ${noun()} has all that is asked for above.`;
  return make("tr", { class: "none" }, make("td", { colspan }, `${text} `, button));
}

/** The first row in sight, and what follows the last, with some to spare. */
function inSight() {
  const { scrollTop, clientHeight } = at("table");
  const first = Math.max(0, Math.floor(scrollTop / ROW) - SPARE);
  const count = Math.ceil((clientHeight || 600) / ROW) + 2 * SPARE;
  return { first, last: Math.min(listed.order.length, first + count) };
}

/** @param {number} [most] */
function drawRowsAnew(most) {
  drawn.first = -1;
  drawRows(most);
}

/**
 * @param {number} rows
 * @param {number} colspan
 */
function roomFor(rows, colspan) {
  const cell = make("td", { colspan });
  cell.style.height = `${rows * ROW}px`;
  return make("tr", { class: "room", "aria-hidden": "true" }, cell);
}

/**
 * @param {number} rows
 * @param {number} colspan
 */
function footOf(rows, colspan) {
  const text = `and ${counted(rows, noun())} more, in the page and in metrics.parquet`;
  return make("tfoot", {}, make("tr", {}, make("td", { colspan }, text)));
}

function drawCount() {
  const { order } = listed;
  const compared = [...data.names.keys()].filter(isComparison);
  const all = areCompared() ? compared.length : data.names.length - compared.length;
  const shown = `${order.length === all ? "" : `${whole(order.length)} of `}${counted(all, noun())}`;
  const texts = areCompared() ? [shown] : [`${shown}, ${examplesIn(order)}`];
  if (state.sort === "concern") texts.push(`those that failed come first, then ${concern()}`);
  if (compared.length && !areCompared()) {
    texts.push(`${counted(compared.length, "comparison")} of slices: choose them under Features`);
  }
  at("count").textContent = texts.join("; ");
}

/** @param {number[]} slices */
function examplesIn(slices) {
  const examples = slices.reduce((sum, i) => sum + sizes[i], 0);
  return `${whole(examples)} examples in them (a slice may share examples with another)`;
}

/** What follows those that failed. */
function concern() {
  const metric = metricInView();
  if (!metric || metric.better === null) return "the largest";
  return `the worst ${changeOf(metric) ? "change of " : ""}${metric.name}`;
}

/** What is seen, as CSV: the columns of the table for the slices that the filters leave, in their order. */
function tableCsv() {
  const columns = tableMetrics().flatMap((metric) =>
    FIELDS.flatMap((kind) => {
      const x = numbers(metric, kind);
      return x ? [{ name: kind === "value" ? metric.name : `${metric.name} ${kind}`, x }] : [];
    }),
  );
  /** @param {number} x */
  const digits = (x) => (data.exact ? x : Number(x.toPrecision(6)));
  const rows = listed.order.map((i) => [
    data.names[i],
    sizes[i],
    ...columns.map(({ x }) => digits(x[i])),
  ]);
  return csv([[noun(), "examples", ...columns.map(({ name }) => name)], ...rows]);
}

function startTable() {
  let isDrawing = false;
  at("table").addEventListener("scroll", () => {
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(() => {
      isDrawing = false;
      drawRows();
    });
  });
  addEventListener("resize", () => drawRows());
  addEventListener("beforeprint", () => drawRowsAnew(ON_PAPER));
  addEventListener("afterprint", () => drawRowsAnew());
  at("csv").addEventListener("click", () => save(`${noun()}s.csv`, tableCsv()));
}
