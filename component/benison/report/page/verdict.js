// SPDX-License-Identifier: Apache-2.0
// The checks, which the page holds as HTML: a tab for each outcome, and the way from a check to its slice.

/** @type {HTMLElement[]} */
let panels = [];

/** @param {HTMLElement} panel */
const outcomeOf = (panel) => panel.dataset.outcome ?? "";

/** Make tabs of the parts of the checks. */
function startVerdict() {
  panels = [...at("checks").querySelectorAll(/** @type {"section"} */ (".panel"))];
  if (!panels.length) return;
  DEFAULTS.outcome = outcomeOf(panels[0]);
  const tabs = make("div", { class: "tabs on-screen", role: "tablist", "aria-label": "Checks" });
  for (const panel of panels) {
    const outcome = outcomeOf(panel);
    const title = panel.querySelector("h3");
    panel.id = `panel-${outcome}`;
    setAll(panel, { role: "tabpanel", "aria-labelledby": `tab-${outcome}` });
    const click = () => set({ outcome });
    const label = { id: `tab-${outcome}`, role: "tab", "aria-controls": panel.id };
    tabs.append(
      make("button", { type: "button", ...label, on: { click } }, title?.textContent ?? ""),
    );
    title?.classList.add("on-paper");
  }
  tabs.addEventListener("keydown", stepAlongTabs);
  panels[0].before(tabs);
  linkChecks();
}

/** Show the checks of the chosen outcome. */
function drawVerdict() {
  for (const panel of panels) {
    const isShown = outcomeOf(panel) === state.outcome;
    panel.hidden = !isShown;
    setAll(at(`tab-${outcomeOf(panel)}`), { "aria-selected": isShown, tabindex: isShown ? 0 : -1 });
  }
}

/**
 * Go from tab to tab with the arrow keys.
 * @param {KeyboardEvent} event
 */
function stepAlongTabs(event) {
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  const now = panels.findIndex((panel) => outcomeOf(panel) === state.outcome);
  const next = panels[now + step];
  if (!step || !next) return;
  set({ outcome: outcomeOf(next) });
  at(`tab-${outcomeOf(next)}`).focus();
  event.preventDefault();
}

/** Let each check lead to its slice. */
function linkChecks() {
  /** @type {NodeListOf<HTMLElement>} */
  const rows = at("checks").querySelectorAll("tr[data-slice]");
  for (const row of rows) {
    const { slice = "", metric = "", view: label = "" } = row.dataset;
    if (!data.names.includes(slice)) continue;
    const judged = data.views.findIndex((other) => other.label === label);
    const known = data.views[judged]?.metrics.some(({ name }) => name === metric);
    const compared = isComparison(data.names.indexOf(slice));
    const click = () => {
      const subject = known ? { view: judged, metric } : {};
      const names = [...new Set([data.names[0], slice])];
      if (compared) set({ ...ALL, ...subject, kind: data.comparisons });
      else set({ ...subject, ...(areCompared() ? ALL : EVERY), slice: names });
      at(compared ? "browser" : "plots").scrollIntoView();
    };
    const where = compared ? `${slice} among the comparisons` : `the plots of ${slice}`;
    const about = { class: "look", "aria-label": `Look at ${where}` };
    const button = make("button", { type: "button", ...about, on: { click } }, "look");
    row.querySelector("bdi")?.after(" ", button);
  }
}
