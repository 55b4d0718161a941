// SPDX-License-Identifier: Apache-2.0
// The plots of chosen slices, side by side, the candidate over the baseline.

/** @type {Record<string, PlotKind>} */
const KINDS = {
  roc: CURVES.roc,
  pr: CURVES.pr,
  calibration: {
    title: "Calibration",
    needs: "sums",
    about:
      "Mean label against mean prediction in ten buckets of the prediction; on the diagonal a " +
      "prediction means what it says. Bars are intervals of the candidate's mean label, as if labels " +
      "were 0 or 1; without options.confidence, and with its cluster_key, as if weights were 1 and " +
      "rows independent.",
    draw: drawCalibration,
  },
  scores: {
    title: "Scores",
    needs: "counts",
    about:
      "How the predictions of positives and of negatives are spread; areas are the candidate's, " +
      "dashed lines the baseline's. The less they overlap, the better they are told apart.",
    draw: drawScores,
  },
  matrix: {
    title: "Confusion matrix",
    needs: "counts",
    about:
      "How many examples are what they are predicted to be, when a prediction above the " +
      "threshold is positive.",
    draw: drawMatrix,
  },
  residuals: {
    title: "Residuals",
    needs: "sums",
    about:
      "Mean label less mean prediction over the prediction; above 0 the model predicts too " +
      "little, below too much.",
    draw: drawResiduals,
  },
  gain: CURVES.gain,
  lift: CURVES.lift,
  classes: {
    title: "Confusion of classes",
    needs: "pairs",
    about:
      "Of the examples of each class (a row), which share is predicted to be of which class (a " +
      "column); the diagonal is right.",
    draw: drawClasses,
  },
};
const FIRST_KINDS = ["roc", "pr", "calibration", "scores", "matrix", "residuals", "classes"];
const MOST_VIEWS = 20;
const WITH_THRESHOLD = ["matrix", "classes"];

/** The kinds of plots that the page has data for. */
const possibleKinds = () => Object.keys(KINDS).filter((key) => plotsOf(KINDS[key].needs).length);

/** The kinds that are shown. */
function shownKinds() {
  const possible = possibleKinds();
  if (state.plot.length) return possible.filter((key) => state.plot.includes(key));
  return possible.filter((key) => FIRST_KINDS.includes(key) || possible.length < 4);
}

function drawChosen() {
  const key = make("p", { class: "key" }, make("span", { class: "ours" }, "candidate"));
  if (data.baseline !== null) key.append(make("span", { class: "theirs" }, "baseline"));
  const chips = chosenSlices().map(chip);
  const hint = "Tick slices in the table, or press a dot of the scatter, to see their plots here.";
  redraw(at("chosen"), make("ul", {}, ...chips), chips.length ? "" : hint, key);
}

/**
 * A chosen slice, and what takes it out again.
 * @param {number} i
 * @param {number} k
 */
function chip(i, k) {
  const name = data.names[i];
  const label = { id: `chosen-${k}`, "aria-label": `Take ${name} out of the plots` };
  return make(
    "li",
    {},
    make("span", { dir: "auto", title: name }, name),
    make("small", {}, ` ${examplesText(sizes[i])} `),
    make("button", { type: "button", ...label, on: { click: () => choose(i) } }, "×"),
  );
}

function drawKinds() {
  const now = shownKinds();
  const buttons = possibleKinds().map((key) => {
    const isShown = now.includes(key);
    const click = () =>
      set({ plot: isShown ? now.filter((other) => other !== key) : [...now, key] });
    const label = { id: `plot-${key}`, "aria-pressed": isShown, "data-tip": KINDS[key].about };
    return make("button", { type: "button", ...label, on: { click } }, KINDS[key].title);
  });
  redraw(at("plot-kinds"), ...buttons);
}

/** One row of charts for each kind, a chart for each chosen slice. */
function drawPlots() {
  const chosen = chosenSlices();
  const rows = shownKinds().map((key) => {
    const { title, about } = KINDS[key];
    const figures = chosen.map((i) => {
      const figure = make("figure", { "data-slice": data.names[i] });
      drawPlot(key, figure, i);
      return figure;
    });
    const section = make("section", { class: "row", "data-kind": key });
    section.append(make("h3", {}, explained(title, about)));
    if (WITH_THRESHOLD.includes(key)) section.append(thresholdSlider(key, figures));
    section.append(make("div", { class: "grid" }, ...figures));
    section.style.setProperty("--charts", String(Math.max(1, chosen.length)));
    return section;
  });
  at("charts").replaceChildren(
    ...(data.plots.length ? [...rows, ...plotsElsewhere()] : [noPlots()]),
  );
}

/**
 * @param {string} key
 * @param {HTMLElement} figure
 * @param {number} i
 */
function drawPlot(key, figure, i) {
  if (KINDS[key].draw(figure, i)) {
    const size = make("small", {}, `${sizes[i] < FEW ? "≈ " : ""}${examplesText(sizes[i])}`);
    figure.querySelector("figcaption > span")?.after(size);
  } else {
    const note = make("p", { class: "note" }, noPlot(i));
    figure.replaceChildren(make("figcaption", {}, data.names[i]), note);
  }
}

/** @param {number} i */
function noPlot(i) {
  if (i < data.plotSlices) {
    return "This plot is undefined here: a prediction is missing, or the results hold none for this slice.";
  }
  return (
    `The page holds the plots of ${whole(data.plotSlices)} slices: Overall, those that failed, ` +
    "and the largest. This one's are in plots.parquet."
  );
}

/** What other views have plots of, which this one has not. */
function plotsElsewhere() {
  const here = possibleKinds();
  const missing = Object.keys(KINDS).filter((key) => !here.includes(key));
  const needs = missing.map((key) => KINDS[key].needs);
  const others = viewsWith((plot) => needs.includes(carried(plot)));
  if (!others.length) return [];
  const carriedThere = new Set(data.plots.filter((p) => others.includes(p.view)).map(carried));
  const titles = missing.filter((key) => carriedThere.has(KINDS[key].needs));
  const text = `${titles.map((key) => KINDS[key].title).join(", ")} are those of:`;
  return [viewButtons(text, others)];
}

/**
 * The other views that have such a plot.
 * @param {(plot: Plot) => boolean} isSuch
 */
const viewsWith = (isSuch) =>
  [...new Set(data.plots.filter(isSuch).map((plot) => plot.view))].filter((v) => v !== state.view);

/**
 * Buttons that show other views.
 * @param {string} text
 * @param {number[]} views
 */
function viewButtons(text, views) {
  const buttons = views.slice(0, MOST_VIEWS).map((v) => {
    const click = () => set({ view: v, ...EVERY });
    return make("button", { type: "button", on: { click } }, data.views[v].label);
  });
  return make("p", { class: "elsewhere" }, make("span", {}, text), ...buttons);
}

const PLOT_LINES = [
  "metrics_specs:",
  "  - metrics:",
  "      - class_name: ConfusionMatrixPlot  # two classes: ROC, precision and recall, confusion matrix, gain, lift, rates by slice",
  "      - class_name: CalibrationPlot      # two classes or a regression: calibration, residuals",
  "      - class_name: MultiClassConfusionMatrixPlot  # three classes or more: confusion matrix",
];

function noPlots() {
  if (data.plotsAsked) {
    const why =
      "The plots are undefined in every slice, as where predictions or labels are missing.";
    return make("p", { class: "note" }, why);
  }
  const advice =
    "The config asks for no plot, so there are none. Add those of these that fit to its metrics and " +
    "evaluate again; they cost about as much as AUC.";
  return make(
    "div",
    {},
    make("p", {}, advice),
    make("pre", { tabindex: 0 }, PLOT_LINES.join("\n")),
  );
}

/**
 * The charts below follow the slider while it moves, and nothing else is drawn anew.
 * @param {string} key
 * @param {HTMLElement[]} figures
 */
function thresholdSlider(key, figures) {
  const now = make("output", {}, state.threshold.toFixed(2));
  const { min, max } = scoreSpan(chosenSlices().flatMap(countsOf));
  const step = max - min > 1 ? "any" : 0.01;
  const range = { type: "range", min, max, step, value: state.threshold };
  const slider = make("input", { ...range, id: "threshold" });
  slider.addEventListener("input", () => {
    state.threshold = Number(slider.value);
    now.textContent = state.threshold.toFixed(2);
    chosenSlices().forEach((i, k) => drawPlot(key, figures[k], i));
    address.write();
  });
  return make("label", { class: "slider" }, "Threshold ", slider, " ", now);
}
