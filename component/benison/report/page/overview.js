// SPDX-License-Identifier: Apache-2.0
// @ts-check
// This file is the metric over all slices: its histogram, which selects slices, and its scatter against size.

const BINS = 30;

/** @param {Metric} metric */
const chartedName = (metric) =>
  state.change && changeOf(metric) ? `change of ${metric.name}` : metric.name;

/** The range of the numbers of some slices, without those that are undefined. @param {ArrayLike<number>} x @param {number[]} slices */
function rangeOf(x, slices) {
  let low = Infinity,
    high = -Infinity;
  for (const i of slices)
    if (Number.isFinite(x[i])) {
      low = Math.min(low, x[i]);
      high = Math.max(high, x[i]);
    }
  return low <= high ? [low, high] : [0, 1];
}

/** @param {ArrayLike<number>} x @param {number} low @param {number} high */
function histogramOf(x, low, high) {
  const bins = new Float64Array(BINS),
    step = (high - low) / BINS;
  for (const i of found.before) {
    if (Number.isFinite(x[i]))
      bins[Math.min(BINS - 1, Math.max(0, Math.floor((x[i] - low) / step)))] += state.weigh
        ? sizes[i]
        : 1;
  }
  return bins;
}

function drawHistogram() {
  const metric = metricInView(),
    x = charted(metric);
  if (!metric || !x) return at("histogram").replaceChildren();
  const range = rangeOf(x, found.before),
    across = axisOf(range[0], range[1], chartedName(metric));
  const bins = histogramOf(x, across.min, across.max),
    step = (across.max - across.min) / BINS;
  const unit = state.weigh ? "examples" : "slices",
    most = Math.max(1, ...bins);
  /** @param {number} i */
  const edges = (i) => [across.min + i * step, across.min + (i + 1) * step];
  const chart = {
    title: `${chartedName(metric)} over slices`,
    about: `How many ${unit} have which ${chartedName(metric)}. ${explain(metric)} Drag over the bars to see those slices alone.`,
    summary: `Histogram of ${chartedName(metric)}: ${counted(found.before.length, "slice")} from ${brief(range[0])} to ${brief(range[1])}`,
    x: across,
    y: {
      min: 0,
      max: most,
      label: unit,
      format: (/** @type {number} */ n) => (Number.isInteger(n) ? brief(n) : ""),
    },
    width: 460,
    height: 220,
    rows: () => [
      [`${metric.name} from`, "to", unit],
      ...Array.from(bins, (n, i) => [...edges(i), n]),
    ],
  };
  const made = drawChart(at("histogram"), chart, (layer, px, py) => {
    bins.forEach((n, i) => {
      const [low, high] = edges(i),
        inside = high > (state.from ?? -Infinity) && low < (state.to ?? Infinity);
      layer.append(
        svg("rect", {
          class: inside ? "bar" : "bar out",
          x: px(low) + 0.5,
          width: Math.max(1, px(high) - px(low) - 1),
          y: py(n),
          height: py(0) - py(n),
        }),
      );
    });
    if (Number.isFinite(x[0])) overallLine(layer, px(x[0]), py(0));
  });
  const tips = Array.from(bins, (n, i) => ({
    x: (edges(i)[0] + edges(i)[1]) / 2,
    y: n,
    tip: () => `${edges(i).map(brief).join(" to ")}: ${whole(n)} ${unit}`,
  }));
  brushable(made, across, tips);
}

/** @param {any} layer @param {number} left @param {number} bottom */
function overallLine(layer, left, bottom) {
  layer.append(svg("line", { class: "overall", x1: left, x2: left, y1: PAD.top, y2: bottom }));
  layer.append(
    svg(
      "text",
      {
        class: "tick on",
        x: left + (left > 380 ? -4 : 4),
        y: PAD.top + 9,
        "text-anchor": left > 380 ? "end" : "start",
      },
      data.names[0],
    ),
  );
}

/** Let a drag over a histogram choose a range. @param {any} made @param {Axis} across @param {Point[]} tips */
function brushable({ picture, x, width, height }, across, tips) {
  const left = PAD.left,
    right = width - PAD.right,
    veil = svg("rect", {
      class: "brush",
      y: PAD.top,
      height: height - PAD.top - PAD.bottom,
      x: left,
      width: 0,
    });
  picture.append(veil);
  picture.classList.add("brushable");
  const valueAt = (/** @type {number} */ px) =>
    across.min +
    ((Math.min(right, Math.max(left, px)) - left) / (right - left)) * (across.max - across.min);
  /** @type {number | null} */
  let begun = null;
  picture.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
    begun = placeOf(picture, event, width).left;
    picture.setPointerCapture(event.pointerId);
  });
  picture.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    const now = placeOf(picture, event, width).left;
    if (begun === null)
      return tell(
        tips[Math.floor(((now - left) / (right - left)) * BINS)]?.tip() || "",
        event.clientX,
        event.clientY,
      );
    veil.setAttribute("x", Math.max(left, Math.min(begun, now)));
    veil.setAttribute("width", Math.abs(Math.min(right, now) - begun));
  });
  picture.addEventListener("pointerleave", () => tell("", 0, 0));
  picture.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => {
    if (begun === null) return;
    const [low, high] = [begun, placeOf(picture, event, width).left]
      .sort((a, b) => a - b)
      .map(valueAt);
    const dragged = Math.abs(x(high) - x(low)) > 4;
    begun = null;
    set(
      dragged
        ? { from: Number(low.toPrecision(6)), to: Number(high.toPrecision(6)) }
        : { from: null, to: null },
    );
  });
}

function drawScatter() {
  const metric = metricInView(),
    y = charted(metric);
  if (!metric || !y) return at("scatter").replaceChildren();
  const [low, high] = rangeOf(y, found.before),
    [least, most] = rangeOf(sizes, found.before);
  const room = (high - low) * 0.04,
    kept = new Set(found.order);
  const points = found.before
    .filter((i) => Number.isFinite(y[i]) && sizes[i] > 0)
    .map((i) => ({
      i,
      x: sizes[i],
      y: y[i],
      tip: () =>
        `${isolated(data.names[i])}: ${chartedName(metric)} ${exact(y[i])}, ${examplesText(sizes[i])}. Press to choose it.`,
    }));
  const failed = failedOn(metric.name),
    chosen = new Set(chosenSlices());
  const chart = {
    title: `${chartedName(metric)} against size`,
    about: `Each dot is a slice. Small slices scatter by chance alone; those with fewer than ${SMALL} examples lie in the shade.`,
    summary: `Scatter of examples and ${chartedName(metric)}: ${counted(points.length, "slice")}`,
    x: {
      min: Math.max(1, least) / 1.2,
      max: Math.max(most, 2) * 1.2,
      label: "examples (log scale)",
      log: true,
    },
    y: axisOf(low - room, high + room, chartedName(metric)),
    width: 460,
    height: 220,
    rows: () => [
      ["slice", "examples", chartedName(metric)],
      ...points.map((p) => [data.names[p.i], p.x, p.y]),
    ],
  };
  const made = drawChart(at("scatter"), chart, (layer, px, py) => {
    const shade = Math.min(px(SMALL), 450);
    if (shade > PAD.left)
      layer.append(
        svg("rect", {
          class: "shade",
          x: PAD.left,
          width: shade - PAD.left,
          y: PAD.top,
          height: py(chart.y.min) - PAD.top,
        }),
      );
    if (Number.isFinite(y[0]))
      layer.append(
        svg("line", { class: "overall", x1: PAD.left, x2: 450, y1: py(y[0]), y2: py(y[0]) }),
      );
    const groups = {
      "dot out": points.filter((p) => !kept.has(p.i)),
      dot: points.filter((p) => kept.has(p.i) && !failed.has(p.i)),
      "dot bad": points.filter((p) => failed.has(p.i)),
      "dot chosen": points.filter((p) => chosen.has(p.i)),
    };
    for (const [name, some] of Object.entries(groups))
      layer.append(
        svg("path", {
          class: name,
          d: dots(
            some.map((p) => [p.x, p.y]),
            px,
            py,
          ),
        }),
      );
  });
  readOut(made.picture, points, made.x, made.y, 460, (k) => choose(points[k].i));
}

/** Put the state into the controls. */
function drawControls() {
  const metric = metricInView();
  at("view").value = String(state.view);
  at("metric").replaceChildren(
    ...view()
      .metrics.filter((m) => m.value)
      .map((m) => make("option", { value: m.name }, m.name)),
  );
  at("metric").value = metric ? metric.name : "";
  for (const id of ["kind", "find"])
    if (at(id) !== document.activeElement) at(id).value = state[/** @type {"kind"} */ (id)];
  for (const id of ["from", "to"])
    if (at(id) !== document.activeElement) at(id).value = state[/** @type {"from"} */ (id)] ?? "";
  if (at("least") !== document.activeElement) at("least").value = state.least || "";
  for (const id of ["failing", "weigh", "change"])
    at(id).checked = state[/** @type {"weigh"} */ (id)];
  at("brush-what").textContent = metric ? `Slices with ${chartedName(metric)}` : "Values";
  at("change-label").hidden = !metric || !changeOf(metric);
}

function drawColumns() {
  const shown = tableMetrics().map((metric) => metric.name);
  redraw(
    at("column-list"),
    ...view()
      .metrics.filter((m) => m.value)
      .map((metric, k) => {
        const box = make("input", {
          type: "checkbox",
          id: `column-${k}`,
          on: {
            change: () =>
              set({
                columns: box.checked
                  ? [...shown, metric.name]
                  : shown.filter((name) => name !== metric.name),
              }),
          },
        });
        box.checked = shown.includes(metric.name);
        return make(
          "label",
          { class: "check", "data-tip": explain(metric) },
          box,
          ` ${metric.name}`,
        );
      }),
  );
}

function startOverview() {
  at("view").replaceChildren(
    ...data.views.map((one, i) => make("option", { value: i }, one.label)),
  );
  at("view-label").hidden = data.views.length < 2;
  at("kind").replaceChildren(
    make("option", { value: "" }, "all"),
    ...data.kinds.map((kind) => make("option", { value: kind }, kind)),
  );
  /** @param {string} id @param {(node: any) => any} read */
  const hear = (id, read) => at(id).addEventListener("input", () => set(read(at(id))));
  /** @param {string} text */
  const numberOf = (text) => (text === "" ? null : Number(text));
  hear("view", (node) => ({ view: Number(node.value), from: null, to: null }));
  hear("metric", (node) => ({ metric: node.value, from: null, to: null }));
  hear("kind", (node) => ({ kind: node.value }));
  hear("find", (node) => ({ find: node.value }));
  hear("least", (node) => ({ least: Number(node.value) || 0 }));
  hear("failing", (node) => ({ failing: node.checked }));
  hear("from", (node) => ({ from: numberOf(node.value) }));
  hear("to", (node) => ({ to: numberOf(node.value) }));
  hear("weigh", (node) => ({ weigh: node.checked }));
  hear("change", (node) => ({ change: node.checked, from: null, to: null }));
  for (const id of ["controls", "brush"])
    at(id).addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
  at("reset").addEventListener("click", () =>
    set({ kind: "", find: "", least: 0, failing: false, from: null, to: null }),
  );
}
