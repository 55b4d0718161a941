// SPDX-License-Identifier: Apache-2.0
// @ts-check
// This file is the table of slices: which are shown, in what order, and only the rows in sight as elements.

const MOST_CHOSEN = 6,
  ROW = 46,
  SPARE = 8;

/** @type {string[]} */
let searched = [];
/** @type {ArrayLike<number>} */
let sizes = [];
/** The slices that the filters leave, before and after the range of the metric; and those in order. */
const found = { before: /** @type {number[]} */ ([]), order: /** @type {number[]} */ ([]) };

/** What the charts are about. @returns {Metric | undefined} */
const metricInView = () => metricOf(state.metric) || view().metrics[0];

/** The numbers that the charts show. @param {Metric | undefined} metric */
const charted = (metric) =>
  metric ? (state.change && changeOf(metric)) || numbers(metric, "value") : null;

/** The slices that failed a check, by view and metric. @type {Map<string, Set<number>>} */
const failures = new Map();

/** @param {string} metric @returns {Set<number>} */
const failedOn = (metric) => failures.get(`${state.view} ${metric}`) || new Set();

/** What a column sorts by. @param {string} key @returns {ArrayLike<number | string> | null} */
function sortable(key) {
  if (key === "slice") return searched;
  if (key === "examples") return sizes;
  const change = key.startsWith("Δ"),
    metric = metricOf(change ? key.slice(1) : key);
  return metric ? (change ? changeOf(metric) : numbers(metric, "value")) : null;
}

function filter() {
  const kind = data.kinds.indexOf(state.kind),
    text = state.find.toLowerCase(),
    kinds = column(data.kind);
  const failing = state.failing
    ? new Set(data.failed.filter(([, v]) => v === state.view).map(([s]) => s))
    : null;
  found.before = [];
  for (let i = 0; i < data.names.length; i++) {
    if (sizes[i] < state.least || (kind >= 0 && kinds[i] !== kind)) continue;
    if ((failing && !failing.has(i)) || (text && !searched[i].includes(text))) continue;
    found.before.push(i);
  }
  const x = charted(metricInView()),
    low = state.from ?? -Infinity,
    high = state.to ?? Infinity;
  const ranged = x && (state.from !== null || state.to !== null);
  found.order = ranged
    ? found.before.filter((i) => x[i] >= low && x[i] <= high)
    : [...found.before];
  sortRows();
}

function sortRows() {
  const by = sortable(state.sort) || sizes,
    sign = state.down ? -1 : 1;
  found.order.sort((a, b) => {
    const x = by[a],
      y = by[b];
    if (x === y) return a - b;
    if (x !== x || y !== y) return x !== x ? (y !== y ? a - b : 1) : -1; // what is undefined comes last
    return x < y ? -sign : sign;
  });
}

/** The metrics that the table shows. @returns {Metric[]} */
function tableMetrics() {
  const all = view().metrics.filter((metric) => metric.value);
  const chosen = all.filter((metric) => state.columns.includes(metric.name));
  return chosen.length
    ? chosen
    : all.filter((metric) => metric.name !== "example_count").slice(0, 12);
}

/** The largest value and change of a metric, which say how its cells are drawn. @type {Map<Metric, any>} */
const extents = new Map();

/** @param {Metric} metric */
function extentOf(metric) {
  const known = extents.get(metric);
  if (known) return known;
  const failed = [...failedOn(metric.name)].slice(0, 1000),
    value = sorted(numbers(metric, "value"));
  const change = sorted(Float64Array.from(changeOf(metric) || [], Math.abs));
  const lower = numbers(metric, "lower") || [],
    upper = numbers(metric, "upper") || [];
  /** @param {ArrayLike<number>} x */
  const seen = (x) => [0, ...failed].map((i) => x[i]).filter(Number.isFinite);
  // A few odd slices hide no other, unless they are why the model failed.
  const least = Math.min(quantile(sorted(lower), 0.1), ...seen(lower)),
    greatest = Math.max(quantile(sorted(upper), 0.9), ...seen(upper));
  const largest = Math.max(Math.abs(value[0] ?? 0), Math.abs(value.at(-1) ?? 0));
  const extent = {
    largest,
    bounds: axisOf(least, greatest, ""),
    change: Math.max(
      quantile(change, 0.9) || change.at(-1) || 0,
      ...failed.map((i) => Math.abs(changeOf(metric)?.[i] ?? 0)).filter(Number.isFinite),
    ),
    letters: Math.max(...[value[0], value.at(-1)].map((x) => shown(x ?? NaN, largest).length)),
  };
  extents.set(metric, extent);
  return extent;
}

/** The finite numbers from the lowest up. @param {ArrayLike<number> | null} x */
const sorted = (x) =>
  Float64Array.from(x || [])
    .filter(Number.isFinite)
    .sort();

/** What a share of sorted numbers does not exceed. @param {Float64Array} x @param {number} share */
const quantile = (x, share) => x[Math.floor(x.length * share)] ?? NaN;

/** Whether a change is for the worse; null where neither end is good. @param {Metric} metric @param {number} change */
const isWorse = (metric, change) =>
  metric.better === null || !change ? null : change > 0 !== metric.better;

/** @param {Metric} metric @param {number} i */
function valueCell(metric, i) {
  const value = numbers(metric, "value"),
    change = changeOf(metric),
    extent = extentOf(metric);
  const failed = failedOn(metric.name).has(i),
    cell = make("td", failed ? { class: "failed" } : {});
  const mark = failed
    ? make("span", { class: "mark", role: "img", "aria-label": "failed check" }, "✗ ")
    : "";
  const text = make("b", {}, shown(value ? value[i] : NaN, extent.largest));
  const lower = numbers(metric, "lower"),
    upper = numbers(metric, "upper");
  if (!lower || !upper || Number.isNaN(lower[i]) || Number.isNaN(upper[i])) cell.append(mark, text);
  else
    cell.append(make("span", { class: "value" }, mark, interval(lower[i], upper[i], extent), text));
  text.style.minWidth = `${extent.letters}ch`;
  if (change && Number.isFinite(change[i])) cell.append(changeBar(metric, i, change[i], extent));
  explainLater(cell, () => sentenceOf(metric, i));
  return cell;
}

/** A value with all its digits, its interval and its change. @param {Metric} metric @param {number} i */
function sentenceOf(metric, i) {
  const fields = /** @type {const} */ ([
    "value",
    "lower",
    "upper",
    "baseline",
    "changeLower",
    "changeUpper",
  ]);
  const [value, lower, upper, baseline, least, most] = fields.map(
    (field) => numbers(metric, field)?.[i] ?? NaN,
  );
  /** @param {number} low @param {number} high */
  const between = (low, high) =>
    Number.isNaN(low) || Number.isNaN(high) ? "" : `, interval ${exact(low)} to ${exact(high)}`;
  const change = Number.isFinite(baseline)
    ? `; baseline ${exact(baseline)}, change ${exact(value - baseline)}${between(least, most)}`
    : "";
  return `${metric.name} of ${isolated(data.names[i])}: ${exact(value)} (${examplesText(sizes[i])})${between(lower, upper)}${change}`;
}

/** The interval of a value, cut where the scale of its column ends. @param {number} low @param {number} high @param {any} extent */
function interval(low, high, { bounds, largest }) {
  const line = make("i"),
    place = scale(bounds, 0, 100);
  const [left, right] = [low, high].map((x) => Math.max(0, Math.min(100, place(x))));
  line.style.left = `${Math.min(left, 97)}%`;
  line.style.width = `${Math.max(3, right - left)}%`;
  return make(
    "span",
    {
      class: "whisker",
      role: "img",
      "aria-label": `interval ${shown(low, largest)} to ${shown(high, largest)}`,
    },
    line,
  );
}

/** @param {Metric} metric @param {number} i @param {number} change @param {any} extent */
function changeBar(metric, i, change, extent) {
  const worse = isWorse(metric, change),
    css = worse === null ? "" : worse ? "worse" : "better";
  const track = barOf(change, extent.change),
    lower = numbers(metric, "changeLower"),
    upper = numbers(metric, "changeUpper");
  if (lower && upper && !Number.isNaN(lower[i]) && !Number.isNaN(upper[i])) {
    track.append(spanOf(lower[i], upper[i], extent.change || 1));
    track.setAttribute("role", "img");
    track.setAttribute(
      "aria-label",
      `interval of the change ${shown(lower[i], extent.largest, true)} to ${shown(upper[i], extent.largest, true)}`,
    );
  }
  return make(
    "span",
    { class: `change ${css}` },
    track,
    make("small", {}, change ? shown(change, extent.largest, true) : "0"),
  );
}

/** The interval of a change, cut where the track ends. @param {number} low @param {number} high @param {number} widest */
function spanOf(low, high, widest) {
  const [left, right] = [low, high].map((x) => 50 + 50 * Math.max(-1, Math.min(1, x / widest)));
  const line = make("i", { class: "span" });
  line.style.left = `${left}%`;
  line.style.width = `${right - left}%`;
  return line;
}

/** A bar from the middle to the left for less, to the right for more. @param {number} change @param {number} widest */
function barOf(change, widest) {
  const bar = make("i"),
    share = widest ? Math.min(1, Math.abs(change) / widest) : 0;
  bar.style.width = `${50 * share}%`;
  bar.style.left = change < 0 ? `${50 - 50 * share}%` : "50%";
  return make("span", { class: "track" }, bar);
}

/** @param {number} i @param {number} place @param {Metric[]} metrics */
function row(i, place, metrics) {
  const chosen = state.slice.includes(data.names[i]),
    small = sizes[i] < SMALL;
  const box = make("input", { type: "checkbox", on: { change: () => choose(i) }, "data-slice": i });
  box.checked = chosen;
  const name = make(
    "th",
    { scope: "row", title: data.names[i] },
    make("label", {}, box, make("span", { dir: "auto" }, data.names[i])),
  );
  const count = make(
    "td",
    {
      "data-tip": small
        ? `Only ${examplesText(sizes[i])}: the values of this slice are uncertain.`
        : null,
    },
    small ? "≈ " : "",
    whole(sizes[i]),
  );
  const cells = metrics.map((metric) => valueCell(metric, i));
  const classes = `${small ? "small" : ""} ${chosen ? "chosen" : ""}`;
  return make("tr", { class: classes, "aria-rowindex": place + 2 }, name, count, ...cells);
}

/** Choose a slice for the plots, or no longer. @param {number} i */
function choose(i) {
  const name = data.names[i],
    without = state.slice.filter((one) => one !== name);
  set({
    slice: without.length < state.slice.length ? without : [...without, name].slice(-MOST_CHOSEN),
  });
}

/** @param {string} key @param {string} text @param {string} about @param {string} [spoken] */
function sorter(key, text, about, spoken) {
  const click = () =>
    set({ sort: key, down: state.sort === key ? !state.down : key === "examples" });
  const arrow = state.sort === key ? (state.down ? " ↓" : " ↑") : "";
  return make(
    "button",
    {
      type: "button",
      "data-tip": about,
      "data-sort": key,
      "aria-label": spoken || null,
      on: { click },
    },
    `${text}${arrow}`,
  );
}

/** @param {string} key @param {...Node} buttons */
function header(key, ...buttons) {
  const ours = state.sort === key || state.sort === `Δ${key}`;
  return make(
    "th",
    { scope: "col", "aria-sort": ours ? (state.down ? "descending" : "ascending") : "none" },
    ...buttons,
  );
}

/** @param {Metric} metric */
function metricHeader(metric) {
  const buttons = [sorter(metric.name, metric.name, `${explain(metric)} Press to sort.`)];
  if (changeOf(metric))
    buttons.push(
      sorter(
        `Δ${metric.name}`,
        "Δ",
        `Change of ${metric.name} from the baseline. Press to sort.`,
        `Sort by change of ${metric.name}`,
      ),
    );
  return header(metric.name, ...buttons);
}

/** Draw the head, and then the rows in sight. */
function drawTable() {
  const metrics = tableMetrics();
  const head = make(
    "tr",
    {},
    header(
      "slice",
      sorter(
        "slice",
        "slice",
        "The features and values that a slice's examples share. Press to sort.",
      ),
    ),
    header(
      "examples",
      sorter(
        "examples",
        "examples",
        `How many examples a slice has, unweighted; ≈ marks fewer than ${SMALL}. Press to sort.`,
      ),
    ),
    ...metrics.map(metricHeader),
  );
  const table = make(
    "table",
    { "aria-rowcount": found.order.length + 1, "aria-label": "Slices" },
    make("thead", {}, head),
    make("tbody"),
  );
  const kept = focusedSort();
  at("table").replaceChildren(table);
  if (kept)
    at("table")
      .querySelector(`[data-sort="${CSS.escape(kept)}"]`)
      ?.focus();
  drawn.first = -1;
  drawRows();
}

const focusedSort = () =>
  at("table").contains(document.activeElement)
    ? document.activeElement?.getAttribute("data-sort")
    : null;
const drawn = { first: -1, last: -1 };

/** Make elements of the rows in sight, and room for the others. @param {number} [most] */
function drawRows(most) {
  const box = at("table"),
    body = box.querySelector("tbody");
  const first = most ? 0 : Math.max(0, Math.floor(box.scrollTop / ROW) - SPARE);
  const last = Math.min(
    found.order.length,
    most || first + Math.ceil((box.clientHeight || 600) / ROW) + 2 * SPARE,
  );
  if (!body || (first === drawn.first && last === drawn.last)) return;
  Object.assign(drawn, { first, last });
  const kept = body.contains(document.activeElement)
    ? document.activeElement?.getAttribute("data-slice")
    : null;
  const metrics = tableMetrics(),
    span = metrics.length + 2;
  /** @param {number} rows */
  const room = (rows) => {
    const cell = make("td", { colspan: span });
    cell.style.height = `${rows * ROW}px`;
    return make("tr", { class: "room", "aria-hidden": "true" }, cell);
  };
  const rows = found.order.slice(first, last).map((i, k) => row(i, first + k, metrics));
  if (first) rows.unshift(room(first));
  if (last < found.order.length && !most) rows.push(room(found.order.length - last));
  body.replaceChildren(...rows);
  box.querySelector("tfoot")?.remove();
  if (last < found.order.length && most)
    body.after(
      make(
        "tfoot",
        {},
        make(
          "tr",
          {},
          make(
            "td",
            { colspan: span },
            `and ${counted(found.order.length - last, "slice")} more, in the page and in metrics.parquet`,
          ),
        ),
      ),
    );
  if (kept) body.querySelector(`[data-slice="${kept}"]`)?.focus({ preventScroll: true });
}

function drawCount() {
  const shown = found.order.length,
    all = data.names.length;
  const examples = found.order.reduce((sum, i) => sum + sizes[i], 0);
  const of = `${shown === all ? "" : `${whole(shown)} of `}${counted(all, "slice")}`;
  at("count").textContent =
    `${of}, ${whole(examples)} examples in them (a slice may share examples with another)`;
}

/** What is seen, as CSV: the columns of the table for the slices that the filters leave, in their order. */
function tableCsv() {
  const metrics = tableMetrics();
  const fields = /** @type {const} */ ([
    "value",
    "lower",
    "upper",
    "baseline",
    "changeLower",
    "changeUpper",
  ]);
  const columns = metrics.flatMap((metric) =>
    fields
      .filter((field) => metric[field])
      .map((field) => ({
        name: field === "value" ? metric.name : `${metric.name} ${field}`,
        x: /** @type {any} */ (numbers(metric, field)),
      })),
  );
  const rows = found.order.map((i) => [
    data.names[i],
    sizes[i],
    ...columns.map(({ x }) => (data.exact ? x[i] : Number(x[i].toPrecision(6)))),
  ]);
  return csv([["slice", "examples", ...columns.map(({ name }) => name)], ...rows]);
}

function startTable() {
  searched = data.names.map((name) => name.toLowerCase());
  sizes = column(data.examples);
  for (const [slice, view, metric] of data.failed) {
    const key = `${view} ${metric}`;
    failures.set(key, (failures.get(key) || new Set()).add(slice));
  }
  let drawing = false;
  at("table").addEventListener("scroll", () => {
    if (!drawing)
      requestAnimationFrame(() => {
        drawing = false;
        drawRows();
      });
    drawing = true;
  });
  addEventListener("resize", () => drawRows());
  addEventListener("beforeprint", () => {
    drawn.first = -1;
    drawRows(60);
  });
  addEventListener("afterprint", () => {
    drawn.first = -1;
    drawRows();
  });
  at("csv").addEventListener("click", () => save("slices.csv", tableCsv()));
}
