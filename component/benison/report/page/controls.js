// SPDX-License-Identifier: Apache-2.0
// The controls above the table: they show the state, and change it.

const FLAGS = /** @type {const} */ (["failing", "weigh", "change"]);

/** Put the state into the controls. */
function drawControls() {
  const metric = metricInView();
  const metrics = metricsHere();
  selectAt("view").value = String(state.view);
  fill(
    "metric",
    metrics.map(({ name }) => [name, name]),
    metric?.name ?? "",
  );
  selectAt("kind").value = state.kind;
  for (const key of /** @type {const} */ (["find", "from", "to"])) write(key, state[key]);
  write("least", state.least || "");
  for (const key of FLAGS) inputAt(key).checked = state[key];
  const what = areCompared() ? "Comparisons" : "Slices";
  at("brush-what").textContent = metric ? `${what} with ${chartedName(metric)}` : "Values";
  at("weigh-label").hidden = areFew() || areCompared();
  at("change-label").hidden = !metric || !changeOf(metric);
  const marks = possibleMarks();
  at("mark-label").hidden = marks.length < 2;
  fill("mark", marks.map(pairOf), marked());
}

/**
 * Into an input, unless somebody is writing in it.
 * @param {string} id
 * @param {string | number | null} value
 */
function write(id, value) {
  const input = inputAt(id);
  if (input !== document.activeElement) input.value = String(value ?? "");
}

function drawColumns() {
  const inTable = tableMetrics().map((metric) => metric.name);
  const labels = metricsHere().map((metric, k) => {
    const { name } = metric;
    const box = make("input", { type: "checkbox", id: `column-${k}` });
    box.checked = inTable.includes(name);
    box.addEventListener("change", () => {
      const others = inTable.filter((other) => other !== name);
      set({ columns: box.checked ? [...others, name] : others });
    });
    return make("label", { class: "check", "data-tip": explain(metric) }, box, ` ${name}`);
  });
  redraw(at("column-list"), ...labels);
}

/**
 * Let an input change the state.
 * @param {string} id
 * @param {(input: HTMLInputElement) => Partial<State>} read
 */
const hear = (id, read) => at(id).addEventListener("input", () => set(read(inputAt(id))));

/** @param {string} text */
const numberOf = (text) => (text === "" ? null : Number(text));

/** Of every value. */
const EVERY = { from: null, to: null };
/** All slices. */
const ALL = { kind: "", find: "", least: 0, failing: false, ...EVERY };

function startControls() {
  fill(
    "view",
    data.views.map(({ label }, i) => [i, label]),
    "0",
  );
  at("view-label").hidden = data.views.length < 2;
  fill("kind", [["", "all slices"], ...data.kinds.map((kind) => pairOf(kind))], "");
  hear("view", ({ value }) => ({ view: Number(value), ...EVERY }));
  hear("metric", ({ value }) => ({ metric: value, ...EVERY }));
  hear("mark", ({ value }) => ({ mark: value }));
  hear("kind", ({ value }) => ({ kind: value }));
  hear("find", ({ value }) => ({ find: value }));
  hear("least", ({ value }) => ({ least: Number(value) || 0 }));
  hear("from", ({ value }) => ({ from: numberOf(value) }));
  hear("to", ({ value }) => ({ to: numberOf(value) }));
  hear("failing", ({ checked }) => ({ failing: checked }));
  hear("weigh", ({ checked }) => ({ weigh: checked }));
  hear("change", ({ checked }) => ({ change: checked, ...EVERY }));
  sendNothing(at("controls"), at("brush"));
  at("reset").addEventListener("click", () => set({ ...ALL }));
}

/**
 * An option whose text is its value.
 * @param {string} value
 * @returns {[value: string, text: string]}
 */
const pairOf = (value) => [value, value];
