// SPDX-License-Identifier: Apache-2.0
// Which slices are looked at, in what order, and which of them failed.

const MOST_CHOSEN = 6;
const MOST_COLUMNS = 12;

/** @type {string[]} */
let searched = [];
/** @type {Numbers} */
let sizes = [];

/** What the filters leave: before the range of the metric, and after it in the table's order. */
const listed = {
  before: /** @type {number[]} */ ([]),
  order: /** @type {number[]} */ ([]),
};

/**
 * The slices that failed a check, by view and metric.
 * @type {Map<string, Set<number>>}
 */
const failures = new Map();

/** @param {string} metric */
const failedOn = (metric) => failures.get(`${state.view} ${metric}`) || new Set();

/** Whether comparisons of slices are looked at, and not slices. */
const areCompared = () => state.kind === data.comparisons && data.kinds.includes(state.kind);

/** What is looked at. */
const noun = () => (areCompared() ? "comparison" : "slice");

/** @param {number} i */
const isComparison = (i) => data.kinds[column(data.kind)[i]] === data.comparisons;

/** The metrics of what is looked at. */
const metricsHere = () =>
  view().metrics.filter((metric) => metric.value && (metric.of !== null) === areCompared());

/** What the charts are about: the chosen metric, or what it is between slices, or of slices. */
function metricInView() {
  const here = metricsHere();
  const chosen = here.find(({ name }) => name === state.metric);
  const names = [state.metric, metricOf(state.metric)?.of];
  return chosen ?? here.find(({ name, of }) => names.includes(of ?? name)) ?? here[0];
}

/**
 * The numbers that the charts show.
 * @param {Metric | undefined} metric
 */
const charted = (metric) =>
  metric ? (state.change && changeOf(metric)) || numbers(metric, "value") : null;

/** @param {Metric} metric */
const chartedName = (metric) =>
  state.change && changeOf(metric) ? `change of ${metric.name}` : metric.name;

/** The metrics that the table shows. */
function tableMetrics() {
  const all = metricsHere();
  const chosen = all.filter((metric) => state.columns.includes(metric.name));
  const others = all.filter(({ name, of }) => (of ?? name) !== "example_count");
  const first = metricInView();
  const rest = others.filter((metric) => metric !== first);
  const ordered = first && others.includes(first) ? [first, ...rest] : others;
  return chosen.length ? chosen : ordered.slice(0, MOST_COLUMNS);
}

/**
 * What a column sorts by.
 * @param {string} key
 * @returns {ArrayLike<number | string> | null}
 */
function sortable(key) {
  if (key === "slice") return searched;
  if (key === "examples") return sizes;
  if (key === "concern") return ranksOfConcern();
  const isChange = key.startsWith("Δ");
  const metric = metricOf(isChange ? key.slice(1) : key);
  if (!metric) return null;
  return isChange ? changeOf(metric) : numbers(metric, "value");
}

/**
 * The numbers of a metric that say how bad a slice is: of its change, or without a baseline of its value,
 * the better end of the interval where there is one, so that a few examples do not come first by chance.
 * @param {Metric} metric
 */
function worstOf(metric) {
  const change = changeOf(metric);
  /** @type {[Field, Field]} */
  const ends = change ? ["changeLower", "changeUpper"] : ["lower", "upper"];
  return numbers(metric, ends[metric.better ? 1 : 0]) || change || numbers(metric, "value");
}

/** The rank of each slice, the higher the earlier: Overall, those that failed, then from the worst or largest. */
function ranksOfConcern() {
  const metric = metricInView();
  const failing = failingNow();
  const worst = metric && metric.better !== null ? worstOf(metric) : null;
  const order = worst ? ordering(worst, metric?.better === false) : ordering(sizes, true);
  /** @param {number} i */
  const first = (i) => (i === 0 ? 2 : Number(failing.has(i)));
  const ranks = new Float64Array(data.names.length);
  const slices = [...data.names.keys()].sort((a, b) => first(b) - first(a) || order(a, b));
  slices.forEach((i, rank) => (ranks[i] = -rank));
  return ranks;
}

/** The slices that failed a check of the view. */
const failingNow = () => new Set(data.failed.filter(([, v]) => v === state.view).map(([i]) => i));

function filter() {
  const kind = data.kinds.indexOf(state.kind);
  const compared = data.kinds.indexOf(data.comparisons);
  const kinds = column(data.kind);
  const text = state.find.toLowerCase();
  const failing = failingNow();
  /** @param {number} i */
  const isWanted = (i) =>
    sizes[i] >= state.least &&
    (kind < 0 ? kinds[i] !== compared : kinds[i] === kind) &&
    (!state.failing || failing.has(i)) &&
    (!text || searched[i].includes(text));
  listed.before = [...data.names.keys()].filter(isWanted);
  listed.order = inRange(listed.before).sort(ordering(sortable(state.sort) || sizes, state.down));
}

/** @param {number[]} slices */
function inRange(slices) {
  const x = charted(metricInView());
  const { from, to } = state;
  if (!x || (from === null && to === null)) return [...slices];
  return slices.filter((i) => x[i] >= (from ?? -Infinity) && x[i] <= (to ?? Infinity));
}

/** The slices that were chosen. */
const chosenSlices = () =>
  state.slice.map((name) => data.names.indexOf(name)).filter((i) => i >= 0 && !isComparison(i));

/** The end of a tip. */
const pressToChoose = () => (areCompared() ? "" : " Press to choose it.");

/**
 * Choose a slice for the plots, or no longer; a comparison has none.
 * @param {number} i
 */
function choose(i) {
  if (isComparison(i)) return;
  const name = data.names[i];
  const others = state.slice.filter((chosen) => chosen !== name);
  const isChosen = others.length < state.slice.length;
  set({ slice: isChosen ? others : [...others, name].slice(-MOST_CHOSEN) });
}

function startRows() {
  searched = data.names.map((name) => name.toLowerCase());
  startNames();
  sizes = column(data.examples);
  for (const [slice, v, metric] of data.failed) {
    const key = `${v} ${metric}`;
    failures.set(key, (failures.get(key) || new Set()).add(slice));
  }
}
