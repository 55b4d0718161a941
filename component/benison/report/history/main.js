// SPDX-License-Identifier: Apache-2.0
// The beginning of the page: its controls, and what is drawn anew when the state changes.

const MOST_OPTIONS = 2000; // that a browser still opens at once

/** The slices that contain what is looked for, and the chosen one. */
function offerSlices() {
  const text = inputAt("find").value.toLowerCase();
  const names = data.slices.filter(
    (name) => name === state.slice || name.toLowerCase().includes(text),
  );
  fill(
    "slice",
    names.slice(0, MOST_OPTIONS).map((name) => [name, cut(name, 80)]),
    state.slice,
  );
}

/** Choose the first slice that contains what is looked for. */
function findSlice() {
  offerSlices();
  const text = inputAt("find").value.toLowerCase();
  const slice = data.slices.find((name) => name.toLowerCase().includes(text));
  const isThere = state.slice.toLowerCase().includes(text);
  if (text && slice !== undefined && !isThere) set({ slice });
}

function drawControls() {
  fill(
    "metric",
    data.metrics.map(({ label }) => [label, cut(label, 60)]),
    state.metric,
  );
  offerSlices();
  /** @type {[number, string][]} */
  const runs = data.points.map(({ run }, i) => [i, cut(run, 40)]);
  fill("from", runs, String(state.from));
  fill("to", runs, String(state.to));
  selectAt("over").value = state.over;
  inputAt("least").value = String(state.least);
}

function draw() {
  showTheme(state.theme);
  drawControls();
  at("chart-title").replaceChildren(`${state.metric} of `, make("bdi", {}, state.slice));
  at("about").textContent = metric().about;
  drawOverTime();
  say(lastPoint());
  drawMoved();
  drawRuns();
}

/** How many evaluations, or periods of one, there are, and how they ended. */
function summary() {
  const { points } = data;
  const blessed = points.filter(({ verdict }) => verdict === "blessed").length;
  const [from, to] = [points[0], points[lastPoint()]].map(({ run, created }) =>
    arePeriods() ? run : created.slice(0, 10),
  );
  const when = from === to ? `on ${from}` : `from ${from} to ${to}`;
  return `${counted(points.length, noun())} ${when}: ${blessed} blessed`;
}

const noun = () => data.watched?.noun ?? "evaluation";
const arePeriods = () => noun() !== "evaluation";

/** Periods of one evaluation have one model and the same data. */
function namePeriods() {
  if (!arePeriods()) return;
  at("runs-title").textContent = "Periods";
  at("over-label").hidden = true;
}

function startControls() {
  for (const key of ["metric", "slice", "over", "theme"]) {
    at(key).addEventListener("change", () => set({ [key]: selectAt(key).value }));
  }
  for (const key of ["from", "to", "least"]) {
    at(key).addEventListener("change", () => set({ [key]: Number(inputAt(key).value) || 0 }));
  }
  at("find").addEventListener("input", findSlice);
  at("csv").addEventListener("click", () => save("history.csv", runsCsv()));
  addEventListener("resize", drawOverTime);
  sendNothing(at("controls"), at("between"));
}

orSayWhyNot(async () => {
  await load();
  chooseFirst();
  address.begin();
  startControls();
  listAlerts();
  namePeriods();
  explainOnHover();
  at("summary").textContent = summary();
  at("rooms").hidden = false;
  draw();
});
