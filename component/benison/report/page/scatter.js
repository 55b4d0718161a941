// SPDX-License-Identifier: Apache-2.0
// The metric of all slices against their size, with those that failed or were chosen.

/** @typedef {Tip & {i: number}} Dot */

function drawScatter() {
  const metric = metricInView();
  const y = charted(metric);
  if (!metric || !y || !isAnyKnown(y)) return at("scatter").replaceChildren();
  const points = dotsOf(metric, y);
  const chart = scatterChart(metric, y, points);
  const drawn = drawChart(at("scatter"), chart, (layer, px, py) => {
    const right = px(chart.x.max);
    const shade = Math.min(px(FEW), right);
    if (shade > PAD.left) layer.append(shadeTo(shade, py(chart.y.min)));
    if (Number.isFinite(y[0])) {
      const level = { x1: PAD.left, x2: right, y1: py(y[0]), y2: py(y[0]) };
      layer.append(svg("line", { class: "overall", ...level }));
    }
    for (const [css, some] of dotGroups(metric, points)) {
      const places = some.map((dot) => [dot.x, dot.y]);
      layer.append(svg("path", { class: css, d: dots(places, px, py) }));
    }
  });
  return readOut(drawn, points, (k) => choose(points[k].i));
}

/**
 * @param {Metric} metric
 * @param {Numbers} y
 * @returns {Dot[]}
 */
function dotsOf(metric, y) {
  const name = chartedName(metric);
  /** @param {number} i */
  const tip = (i) =>
    `${isolated(data.names[i])}: ${name} ${exact(y[i])}, ${examplesText(sizes[i])}.${pressToChoose()}`;
  const drawable = listed.before.filter((i) => Number.isFinite(y[i]) && sizes[i] > 0);
  return drawable.map((i) => ({ i, x: sizes[i], y: y[i], tip: () => tip(i) }));
}

/**
 * @param {Metric} metric
 * @param {Numbers} y
 * @param {Dot[]} points
 * @returns {Chart}
 */
function scatterChart(metric, y, points) {
  const name = chartedName(metric);
  const [low, high] = rangeOf(y, listed.before);
  const [least, most] = rangeOf(sizes, listed.before);
  const room = (high - low) * 0.04;
  const ends = { min: Math.max(1, least) / 1.2, max: Math.max(most, 2) * 1.2 };
  return {
    title: `${name} against size`,
    about:
      `Each dot is a ${noun()}. Small ones scatter by chance alone; ` +
      `those with fewer than ${FEW} examples lie in the shade.`,
    summary: `Scatter of examples and ${name}: ${counted(points.length, noun())}`,
    x: { ...ends, label: "examples (log scale)", log: true },
    y: axisOf(low - room, high + room, name),
    ...wide(at("scatter")),
    rows: () => [[noun(), "examples", name], ...points.map((p) => [data.names[p.i], p.x, p.y])],
  };
}

/**
 * Where slices are small.
 * @param {number} right
 * @param {number} bottom
 */
const shadeTo = (right, bottom) =>
  svg("rect", {
    ...{ class: "shade", x: PAD.left, width: right - PAD.left },
    ...{ y: PAD.top, height: bottom - PAD.top },
  });

/**
 * The dots of each look, the last drawn over the first.
 * @param {Metric} metric
 * @param {Dot[]} points
 * @returns {[css: string, dots: Dot[]][]}
 */
function dotGroups(metric, points) {
  const kept = new Set(listed.order);
  const failed = failedOn(metric.name);
  const chosen = new Set(chosenSlices());
  return [
    ["dot out", points.filter(({ i }) => !kept.has(i))],
    ["dot", points.filter(({ i }) => kept.has(i) && !failed.has(i))],
    ["dot bad", points.filter(({ i }) => failed.has(i))],
    ["dot chosen", points.filter(({ i }) => chosen.has(i))],
  ];
}
