// SPDX-License-Identifier: Apache-2.0
// @ts-check
// This file is the plots of chosen slices, side by side, the candidate over the baseline.

/**
 * @typedef {{thresholds: ArrayLike<number>, tp: Float64Array, fp: Float64Array, positives: number,
 *   negatives: number, pos: ArrayLike<number>, neg: ArrayLike<number>}} Counts
 * @typedef {{edges: ArrayLike<number>, label: ArrayLike<number>, prediction: ArrayLike<number>, weight: ArrayLike<number>}} Sums
 * @typedef {"counts" | "sums" | "pairs"} Needs
 * @typedef {{over: number, actual: number, predicted: number, weight: number}} Pair
 * @typedef {{name: string, css: string, counts?: Counts, sums?: Sums, pairs?: Pair[]}} Series
 * @typedef {{title: string, about: string, needs: Needs,
 *   draw: (figure: HTMLElement, slice: string, series: Series[]) => void}} PlotKind
 */

/** What a plot carries. @param {Plot} plot @returns {Needs} */
const carried = ({ candidate }) =>
  "positives" in candidate ? "counts" : "pairs" in candidate ? "pairs" : "sums";

/** @param {ArrayLike<number>} numbers @param {number} which @param {number} size */
const part = (numbers, which, size) =>
  Array.prototype.slice.call(numbers, which * size, (which + 1) * size);

/** Weights above each threshold, from those between thresholds. @param {Plot} plot @param {Record<string, Place>} side @param {number} which @returns {Counts} */
function countsOf(plot, side, which) {
  const thresholds = column(plot.axis),
    size = thresholds.length + 1;
  const pos = part(column(side.positives), which, size),
    neg = part(column(side.negatives), which, size);
  const tp = new Float64Array(size - 1),
    fp = new Float64Array(size - 1);
  for (let i = size - 2, p = 0, n = 0; i >= 0; i--) {
    tp[i] = p += pos[i + 1];
    fp[i] = n += neg[i + 1];
  }
  return { thresholds, tp, fp, positives: tp[0] + pos[0], negatives: fp[0] + neg[0], pos, neg };
}

/** @param {Plot} plot @param {Record<string, Place>} side @param {number} which @returns {Sums} */
function sumsOf(plot, side, which) {
  const edges = column(plot.axis),
    size = edges.length + 1;
  const [label, prediction, weight] = ["label", "prediction", "weight"].map((name) =>
    part(column(side[name]), which, size),
  );
  return { edges, label, prediction, weight };
}

/** @param {Plot} plot @param {Record<string, Place>} side @param {number} which @returns {Pair[]} */
function pairsOf(plot, side, which) {
  const lengths = column(side.length),
    begin = Array.from(lengths)
      .slice(0, which)
      .reduce((sum, n) => sum + n, 0);
  const [over, actual, predicted, weight] = ["over", "actual", "predicted", "pairs"].map((name) =>
    column(side[name]),
  );
  return Array.from({ length: lengths[which] }, (_, k) => begin + k).map((i) => ({
    over: over[i],
    actual: actual[i],
    predicted: predicted[i],
    weight: weight[i],
  }));
}

const READ = { counts: countsOf, sums: sumsOf, pairs: pairsOf };

/** The models whose plots of a slice carry what is asked for. @param {number} slice @param {Needs} needs @returns {Series[]} */
function seriesOf(slice, needs) {
  const plot = data.plots.find(
    (one) => one.view === state.view && one.slices.includes(slice) && carried(one) === needs,
  );
  if (!plot) return [];
  const which = plot.slices.indexOf(slice);
  /** @type {[string, string, Record<string, Place> | undefined][]} */
  const sides = [
    ["baseline", "theirs", plot.baseline],
    ["candidate", "ours", plot.candidate],
  ];
  return sides.flatMap(([name, css, side]) =>
    side ? [{ name, css, [needs]: READ[needs](plot, side, which) }] : [],
  );
}

const UNIT = { min: 0, max: 1 };
/** @param {number} a @param {number} b */
const ratio = (a, b) => (b ? a / b : NaN);

/** A line for each series, of points [x, y, what says so]. @param {HTMLElement} figure @param {string} slice @param {Series[]} series @param {{title: string, x: Axis, y: Axis, diagonal?: number[][], dotted?: boolean}} how @param {(one: Series) => [number, number, () => string][]} pointsOf */
function lineChart(figure, slice, series, how, pointsOf) {
  const lines = series.map((one) => ({ ...one, points: pointsOf(one) }));
  const points = lines
    .flatMap(({ name, points: some }) =>
      some.map(([x, y, tip]) => ({ x, y, tip: () => `${name}: ${tip()}` })),
    )
    .filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y));
  const chart = {
    ...how,
    title: slice,
    summary: `${how.title} of ${slice}: ${lines.map((line) => line.name).join(" and ")}`,
    points,
    rows: () => [
      ["model", how.x.label, how.y.label],
      ...lines.flatMap((line) => line.points.map(([x, y]) => [line.name, x, y])),
    ],
  };
  drawChart(figure, chart, (layer, x, y) => {
    if (how.diagonal) layer.append(svg("path", { class: "even", d: path(how.diagonal, x, y) }));
    for (const line of lines) {
      layer.append(svg("path", { class: `line ${line.css}`, d: path(line.points, x, y) }));
      if (how.dotted)
        layer.append(
          svg("path", {
            class: `dot ${line.css}`,
            d: dots(/** @type {any} */ (line.points), x, y),
          }),
        );
    }
  });
}

/** Points of a curve over thresholds. @param {(tp: number, fp: number, c: Counts) => [number, number]} of @param {(x: number, y: number) => string} say */
const overThresholds =
  (of, say) =>
  (/** @type {Series} */ { counts }) => {
    const c = /** @type {Counts} */ (counts);
    return Array.from(c.thresholds, (t, i) => {
      const [x, y] = of(c.tp[i], c.fp[i], c);
      return /** @type {[number, number, () => string]} */ ([
        x,
        y,
        () => `${say(x, y)} at threshold ${brief(t)}`,
      ]);
    });
  };

/** Sums in fewer buckets, so that each has enough to say. @param {Sums} sums @param {number} most */
function coarse(sums, most) {
  const count = sums.weight.length,
    every = Math.max(1, Math.ceil((count - 2) / most)),
    found = [];
  for (let begin = 0; begin < count; begin = begin ? begin + every : 1) {
    const end = begin === 0 ? 1 : Math.min(begin + every, Math.max(begin + 1, count - 1)),
      total = { label: 0, prediction: 0, weight: 0 };
    for (let i = begin; i < end; i++) {
      total.label += sums.label[i];
      total.prediction += sums.prediction[i];
      total.weight += sums.weight[i];
    }
    if (total.weight > 0)
      found.push({ ...total, x: total.prediction / total.weight, y: total.label / total.weight });
  }
  return found;
}

/** The 95% interval of a share, after Wilson, 1927. @param {number} share @param {number} n */
function wilson(share, n) {
  const z = 1.96,
    middle = (share + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const half =
    (z / (1 + (z * z) / n)) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** @param {HTMLElement} figure @param {string} slice @param {Series[]} series */
function drawCalibration(figure, slice, series) {
  const groups = series.map((one) => ({
    ...one,
    buckets: coarse(/** @type {Sums} */ (one.sums), 10),
  }));
  const all = groups.flatMap((group) => group.buckets.flatMap((b) => [b.x, b.y])),
    isShare = all.every((x) => x >= 0 && x <= 1);
  const { min: low, max: high } = isShare ? UNIT : roomy(all);
  const points = groups.flatMap((group) =>
    group.buckets.map((b) => ({
      x: b.x,
      y: b.y,
      tip: () =>
        `${group.name}: mean label ${b.y.toPrecision(3)} where the mean prediction is ${b.x.toPrecision(3)} (${examplesText(b.weight)})`,
    })),
  );
  const chart = {
    title: slice,
    summary: `Calibration of ${slice}: mean label against mean prediction`,
    points,
    x: { min: low, max: high, label: "mean prediction" },
    y: { min: low, max: high, label: "mean label" },
    rows: () => [
      ["model", "mean prediction", "mean label", "weight"],
      ...groups.flatMap((group) => group.buckets.map((b) => [group.name, b.x, b.y, b.weight])),
    ],
  };
  drawChart(figure, chart, (layer, x, y) => {
    layer.append(
      svg("path", {
        class: "even",
        d: path(
          [
            [low, low],
            [high, high],
          ],
          x,
          y,
        ),
      }),
    );
    for (const group of groups) {
      layer.append(
        svg("path", {
          class: `line ${group.css}`,
          d: path(
            group.buckets.map((b) => [b.x, b.y]),
            x,
            y,
          ),
        }),
      );
      for (const b of isShare && group.css === "ours" ? group.buckets : []) {
        const [least, most] = wilson(b.y, b.weight);
        layer.append(
          svg("line", { class: "error", x1: x(b.x), x2: x(b.x), y1: y(least), y2: y(most) }),
        );
      }
      layer.append(
        svg("path", {
          class: `dot ${group.css}`,
          d: dots(
            group.buckets.map((b) => [b.x, b.y]),
            x,
            y,
          ),
        }),
      );
    }
  });
  tellOutside(figure, series);
}

/** An axis with room at both ends. @param {number[]} numbers */
function roomy(numbers) {
  const low = Math.min(...numbers),
    high = Math.max(...numbers),
    room = 0.06 * (high - low);
  return axisOf(low - room, high + room, "");
}

/** Say so where the buckets miss most predictions, which are then one point. @param {HTMLElement} figure @param {Series[]} series */
function tellOutside(figure, series) {
  const { edges, weight } = /** @type {Sums} */ (
    series.find((one) => one.css === "ours")?.sums || series[0].sums
  );
  const last = weight.length - 1,
    outside = weight[0] + weight[last],
    all = Array.from(weight).reduce((sum, n) => sum + n, 0);
  if (outside > all / 2)
    figure.append(
      make(
        "p",
        { class: "note" },
        `${percent(ratio(outside, all))} of the predictions are outside ${brief(edges[0])} to ${brief(edges[edges.length - 1])}, where CalibrationPlot has its buckets. Its left and right in the config say where they are.`,
      ),
    );
}

/** @param {HTMLElement} figure @param {string} slice @param {Series[]} series */
function drawResiduals(figure, slice, series) {
  const groups = series.map((one) => ({
    ...one,
    buckets: coarse(/** @type {Sums} */ (one.sums), 10),
  }));
  const all = groups.flatMap((group) => group.buckets),
    far = Math.max(1e-9, ...all.map((b) => Math.abs(b.y - b.x)));
  const { min: low, max: high } = all.every((b) => b.x >= 0 && b.x <= 1)
    ? UNIT
    : roomy(all.map((b) => b.x));
  lineChart(
    figure,
    slice,
    groups,
    {
      title: KINDS.residuals.title,
      diagonal: [
        [low, 0],
        [high, 0],
      ],
      dotted: true,
      x: { min: low, max: high, label: "mean prediction" },
      y: { min: -far, max: far, label: "mean label − prediction" },
    },
    (one) =>
      /** @type {any} */ (one).buckets.map((/** @type {any} */ b) => [
        b.x,
        b.y - b.x,
        () =>
          `${(b.y - b.x).toPrecision(3)} where the mean prediction is ${b.x.toPrecision(3)} (${examplesText(b.weight)})`,
      ]),
  );
  tellOutside(figure, series);
}

/** Shares of positives and negatives by score. @param {HTMLElement} figure @param {string} slice @param {Series[]} series */
function drawScores(figure, slice, series) {
  const bins = 20;
  /** @param {ArrayLike<number>} between @param {ArrayLike<number>} thresholds @param {number} total */
  const shares = (between, thresholds, total) => {
    const sums = new Float64Array(bins);
    for (let i = 0; i < between.length; i++)
      sums[
        Math.min(
          bins - 1,
          Math.max(0, Math.floor((thresholds[Math.max(0, i - 1)] || 0) * bins + 1e-9)),
        )
      ] += between[i];
    return Array.from(sums, (n) => ratio(n, total));
  };
  const lines = series.flatMap((one) => {
    const c = /** @type {Counts} */ (one.counts);
    return [
      { ...one, label: "negatives", y: shares(c.neg, c.thresholds, c.negatives), n: c.negatives },
      { ...one, label: "positives", y: shares(c.pos, c.thresholds, c.positives), n: c.positives },
    ];
  });
  const most = Math.max(0.01, ...lines.flatMap((line) => line.y.filter(Number.isFinite)));
  const points = lines
    .flatMap((line) =>
      line.y.map((share, i) => ({
        x: (i + 0.5) / bins,
        y: share,
        tip: () =>
          `${line.name}: ${percent(share)} of ${whole(line.n)} ${line.label} score ${i / bins} to ${(i + 1) / bins}`,
      })),
    )
    .filter((p) => Number.isFinite(p.y));
  const chart = {
    title: slice,
    summary: `Score distribution of ${slice}: positives and negatives`,
    points,
    x: { ...UNIT, label: "prediction (blue: positives, grey: negatives)" },
    y: {
      min: 0,
      max: most,
      label: "share of the class",
      format: (/** @type {number} */ v) => `${Math.round(100 * v)}%`,
    },
    rows: () => [
      ["model", "class", "from", "to", "share"],
      ...lines.flatMap((line) =>
        line.y.map((share, i) => [line.name, line.label, i / bins, (i + 1) / bins, share]),
      ),
    ],
  };
  drawChart(figure, chart, (layer, x, y) => {
    for (const line of lines) {
      const steps = line.y.flatMap((share, i) => [
        [i / bins, share],
        [(i + 1) / bins, share],
      ]);
      if (line.css === "ours")
        layer.append(
          svg("path", {
            class: `area ${line.label}`,
            d: `${path([[0, 0], ...steps, [1, 0]], x, y)}Z`,
          }),
        );
      else layer.append(svg("path", { class: `line theirs ${line.label}`, d: path(steps, x, y) }));
    }
  });
}

/** The confusion matrix at a threshold, or the closest one below it. @param {Counts} c @param {number} threshold */
function matrixAt(c, threshold) {
  let i = 0;
  while (i + 1 < c.thresholds.length && c.thresholds[i + 1] <= threshold + 1e-9) i++;
  return {
    threshold: c.thresholds[i],
    tp: c.tp[i],
    fp: c.fp[i],
    fn: c.positives - c.tp[i],
    tn: c.negatives - c.fp[i],
  };
}

/** @param {HTMLElement} figure @param {string} slice @param {Series[]} series */
function drawMatrix(figure, slice, series) {
  const [ours, theirs] = ["ours", "theirs"]
    .map((css) => series.find((one) => one.css === css)?.counts)
    .map((c) => (c ? matrixAt(c, state.threshold) : null));
  if (!ours) return;
  const total = ours.tp + ours.fp + ours.fn + ours.tn,
    base = theirs ? theirs.tp + theirs.fp + theirs.fn + theirs.tn : 1;
  const cells = /** @type {const} */ ([
    ["tp", "true positives", 0, 0],
    ["fn", "false negatives", 1, 0],
    ["fp", "false positives", 0, 1],
    ["tn", "true negatives", 1, 1],
  ]);
  const picture = svg("svg", {
    viewBox: "0 0 300 230",
    role: "img",
    "aria-label": `Confusion matrix of ${slice} at threshold ${brief(ours.threshold)}: ${cells.map(([key, label]) => `${whole(ours[key])} ${label}`).join(", ")}`,
  });
  for (const [key, label, across, down] of cells) {
    const left = 34 + 132 * across,
      top = 18 + 96 * down,
      middle = left + 64;
    picture.append(
      svg("rect", {
        class: `cell ${key === "tp" || key === "tn" ? "right" : "wrong"}`,
        x: left,
        y: top,
        width: 128,
        height: 92,
        "fill-opacity": 0.06 + 0.5 * ratio(ours[key], total),
      }),
    );
    picture.append(
      svg(
        "text",
        { class: "count", x: middle, y: top + 36, "text-anchor": "middle" },
        whole(ours[key]),
      ),
    );
    picture.append(
      svg(
        "text",
        { class: "tick on", x: middle, y: top + 54, "text-anchor": "middle" },
        `${percent(ratio(ours[key], total))} ${label}`,
      ),
    );
    if (theirs)
      picture.append(
        svg(
          "text",
          { class: "tick on", x: middle, y: top + 72, "text-anchor": "middle" },
          `baseline ${whole(theirs[key])} (${percent(ratio(theirs[key], base))})`,
        ),
      );
  }
  for (const [text, x] of /** @type {[string, number][]} */ ([
    ["predicted positive", 98],
    ["predicted negative", 230],
  ]))
    picture.append(svg("text", { class: "label", x, y: 12, "text-anchor": "middle" }, text));
  for (const [text, y] of /** @type {[string, number][]} */ ([
    ["positive", 64],
    ["negative", 160],
  ]))
    picture.append(
      svg(
        "text",
        { class: "label", x: 22, y, "text-anchor": "middle", transform: `rotate(-90 22 ${y})` },
        text,
      ),
    );
  const { tp, fp, fn } = ours;
  const rates = [
    ["precision", tp / (tp + fp)],
    ["recall", tp / (tp + fn)],
    ["F1", (2 * tp) / (2 * tp + fp + fn)],
  ];
  picture.append(
    svg(
      "text",
      { class: "tick", x: 164, y: 224, "text-anchor": "middle" },
      rates.map(([name, rate]) => `${name} ${shown(Number(rate), 1)}`).join("   "),
    ),
  );
  const chart = {
    title: slice,
    summary: `Confusion matrix of ${slice}: at threshold ${brief(ours.threshold)}`,
    rows: () => [
      ["model", "threshold", ...cells.map(([, label]) => label)],
      ...[ours, theirs].flatMap((m, i) =>
        m ? [[i ? "baseline" : "candidate", m.threshold, m.tp, m.fn, m.fp, m.tn]] : [],
      ),
    ],
  };
  figure.replaceChildren(caption(/** @type {any} */ (chart), picture), picture);
}

/** @param {"roc" | "pr" | "gain" | "lift"} key @param {Axis} x @param {Axis} y @param {number[][] | undefined} diagonal @param {(tp: number, fp: number, c: Counts) => [number, number]} of @param {(x: number, y: number) => string} say @returns {PlotKind["draw"]} */
const curve = (key, x, y, diagonal, of, say) => (figure, slice, series) => {
  const points = overThresholds(of, say),
    top = Math.max(
      y.max,
      ...series.flatMap((one) =>
        points(one)
          .map((p) => p[1])
          .filter(Number.isFinite),
      ),
    );
  lineChart(
    figure,
    slice,
    series,
    { title: KINDS[key].title, x, y: { ...y, max: top }, diagonal },
    points,
  );
};

/** @type {Record<string, PlotKind>} */
const KINDS = {
  roc: {
    title: "ROC",
    needs: "counts",
    about:
      "Share of the positives found against share of the negatives taken for positives, over all thresholds; the upper left corner is perfect, the diagonal is chance.",
    draw: curve(
      "roc",
      { ...UNIT, label: "false positive rate" },
      { ...UNIT, label: "true positive rate" },
      [
        [0, 0],
        [1, 1],
      ],
      (tp, fp, c) => [ratio(fp, c.negatives), ratio(tp, c.positives)],
      (x, y) => `finds ${percent(y)} of positives, takes ${percent(x)} of negatives`,
    ),
  },
  pr: {
    title: "Precision and recall",
    needs: "counts",
    about:
      "Share of right ones among what is predicted positive against share of the positives found, over all thresholds; the upper right corner is perfect.",
    draw: curve(
      "pr",
      { ...UNIT, label: "recall" },
      { ...UNIT, label: "precision" },
      undefined,
      (tp, fp, c) => [ratio(tp, c.positives), ratio(tp, tp + fp)],
      (x, y) => `precision ${percent(y)}, recall ${percent(x)}`,
    ),
  },
  calibration: {
    title: "Calibration",
    needs: "sums",
    about:
      "Mean label against mean prediction in ten buckets of the prediction; on the diagonal a prediction means what it says. Bars are 95% intervals of the candidate's mean label, as if labels were 0 or 1 and weights 1.",
    draw: drawCalibration,
  },
  scores: {
    title: "Scores",
    needs: "counts",
    about:
      "How the predictions of positives and of negatives are spread; areas are the candidate's, dashed lines the baseline's. The less they overlap, the better they are told apart.",
    draw: drawScores,
  },
  matrix: {
    title: "Confusion matrix",
    needs: "counts",
    about:
      "How many examples are what they are predicted to be, when a prediction above the threshold is positive.",
    draw: drawMatrix,
  },
  residuals: {
    title: "Residuals",
    needs: "sums",
    about:
      "Mean label less mean prediction over the prediction; above 0 the model predicts too little, below too much.",
    draw: drawResiduals,
  },
  gain: {
    title: "Gain",
    needs: "counts",
    about:
      "Share of the positives found when the highest-scored share of all examples is taken; the diagonal is chance.",
    draw: curve(
      "gain",
      { ...UNIT, label: "share of examples taken" },
      { ...UNIT, label: "share of positives found" },
      [
        [0, 0],
        [1, 1],
      ],
      (tp, fp, c) => [ratio(tp + fp, c.positives + c.negatives), ratio(tp, c.positives)],
      (x, y) => `the top ${percent(x)} hold ${percent(y)} of positives`,
    ),
  },
  lift: {
    title: "Lift",
    needs: "counts",
    about:
      "How many times as many positives as chance would give are among the highest-scored share of examples; 1 is chance.",
    draw: curve(
      "lift",
      { ...UNIT, label: "share of examples taken" },
      { min: 0, max: 1, label: "lift" },
      [
        [0, 1],
        [1, 1],
      ],
      (tp, fp, c) => [
        ratio(tp + fp, c.positives + c.negatives),
        ratio(ratio(tp, tp + fp), ratio(c.positives, c.positives + c.negatives)),
      ],
      (x, y) => `the top ${percent(x)} hold ${brief(Number(y.toPrecision(3)))} times the average`,
    ),
  },
  classes: {
    title: "Confusion of classes",
    needs: "pairs",
    about:
      "Of the examples of each class (a row), which share is predicted to be of which class (a column); the diagonal is right.",
    draw: drawClasses,
  },
};
const FIRST_KINDS = ["roc", "pr", "calibration", "scores", "matrix", "residuals", "classes"];

/** The kinds of plots that the page has data for. */
const possibleKinds = () =>
  Object.keys(KINDS).filter((key) =>
    data.plots.some((plot) => plot.view === state.view && carried(plot) === KINDS[key].needs),
  );

/** The kinds that are shown. */
function shownKinds() {
  const possible = possibleKinds();
  return state.plot.length
    ? possible.filter((key) => state.plot.includes(key))
    : possible.filter((key) => FIRST_KINDS.includes(key) || possible.length < 4);
}

/** The slices that were chosen, by their places. */
const chosenSlices = () =>
  state.slice.map((name) => data.names.indexOf(name)).filter((i) => i >= 0);

function drawChosen() {
  const chips = chosenSlices().map((i, k) =>
    make(
      "li",
      {},
      make("span", { dir: "auto", title: data.names[i] }, data.names[i]),
      make("small", {}, ` ${examplesText(sizes[i])} `),
      make(
        "button",
        {
          type: "button",
          id: `chosen-${k}`,
          "aria-label": `Take ${data.names[i]} out of the plots`,
          on: { click: () => choose(i) },
        },
        "×",
      ),
    ),
  );
  const words = chips.length
    ? ""
    : "Tick slices in the table, or press a dot of the scatter, to see their plots here.";
  const key = make(
    "p",
    { class: "key" },
    make("span", { class: "ours" }, "candidate"),
    ...(data.baseline === null ? [] : [make("span", { class: "theirs" }, "baseline")]),
  );
  redraw(at("chosen"), make("ul", {}, ...chips), words, key);
}

function drawKinds() {
  const now = shownKinds();
  redraw(
    at("plot-kinds"),
    ...possibleKinds().map((key) =>
      make(
        "button",
        {
          type: "button",
          id: `plot-${key}`,
          "aria-pressed": now.includes(key),
          "data-tip": KINDS[key].about,
          on: {
            click: () =>
              set({ plot: now.includes(key) ? now.filter((one) => one !== key) : [...now, key] }),
          },
        },
        KINDS[key].title,
      ),
    ),
  );
}

/** @param {PlotKind} kind @param {HTMLElement} figure @param {number} i @param {Series[]} series */
function drawKind(kind, figure, i, series) {
  kind.draw(figure, data.names[i], series);
  figure
    .querySelector("figcaption > span")
    ?.after(make("small", {}, `${sizes[i] < SMALL ? "≈ " : ""}${examplesText(sizes[i])}`));
}

/** One row of charts for each kind, a chart for each chosen slice. */
function drawPlots() {
  const chosen = chosenSlices();
  at("charts").replaceChildren(
    ...shownKinds().map((key) => {
      const kind = KINDS[key],
        section = make(
          "section",
          { class: "row", "data-kind": key },
          make("h3", {}, explained(kind.title, kind.about)),
        );
      if (["matrix", "classes"].includes(key)) section.append(thresholdSlider());
      const charts = chosen.map((i) => {
        const figure = make("figure", { "data-slice": data.names[i] }),
          series = seriesOf(i, kind.needs);
        if (series.length) drawKind(kind, figure, i, series);
        else
          figure.append(
            make("figcaption", {}, data.names[i]),
            make("p", { class: "note" }, noPlot(i)),
          );
        return figure;
      });
      section.append(make("div", { class: "grid" }, ...charts));
      section.style.setProperty("--charts", String(Math.max(1, chosen.length)));
      return section;
    }),
  );
  if (!data.plots.length) at("charts").replaceChildren(noPlots());
}

/** @param {number} i */
const noPlot = (i) =>
  i >= data.plotSlices
    ? `The page holds the plots of ${whole(data.plotSlices)} slices: Overall, those that failed, and the largest. This one's are in plots.parquet.`
    : "This plot is undefined here: a prediction is missing, or the results hold none for this slice.";

function noPlots() {
  const lines =
    "metrics_specs:\n  - metrics:\n      - class_name: ConfusionMatrixPlot  # two classes: ROC, precision and recall, confusion matrix, gain, lift, rates by slice\n      - class_name: CalibrationPlot      # two classes or a regression: calibration, residuals";
  return make(
    "div",
    {},
    make(
      "p",
      {},
      "The config asks for no plot, so there are none. Add one or both of these to its metrics and evaluate again; they cost about as much as AUC.",
    ),
    make("pre", {}, lines),
  );
}

/** The matrices below follow the slider while it moves, and nothing else is drawn anew. */
function thresholdSlider() {
  const said = make("output", {}, state.threshold.toFixed(2));
  const slider = make("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.01,
    value: state.threshold,
    id: "threshold",
  });
  slider.addEventListener("input", () => {
    state.threshold = Number(slider.value);
    said.textContent = state.threshold.toFixed(2);
    for (const figure of slider.closest("section").querySelectorAll("figure")) {
      const kind = KINDS[slider.closest("section").dataset.kind],
        i = data.names.indexOf(figure.dataset.slice),
        series = seriesOf(i, kind.needs);
      if (series.length) drawKind(kind, figure, i, series);
    }
    writeAddress();
  });
  return make("label", { class: "slider" }, "Threshold ", slider, " ", said);
}
