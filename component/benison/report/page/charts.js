// SPDX-License-Identifier: Apache-2.0
// @ts-check
// This file is the charts: axes, marks and files, as SVG.

/**
 * @typedef {{min: number, max: number, label: string, log?: boolean, format?: (x: number) => string}} Axis
 * @typedef {{x: number, y: number, tip: () => string}} Point
 * @typedef {{title: string, about?: string, summary: string, x: Axis, y: Axis, width?: number, height?: number,
 *   rows: () => (string | number)[][], points?: Point[]}} Chart
 */

const PAD = { left: 54, right: 10, top: 8, bottom: 34 };

/** @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node | string)} children @returns {any} */
function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== null) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/** Round numbers that divide a range, and at most `most`. @param {Axis} axis @param {number} most */
function ticks(axis, most) {
  const { min, max } = axis;
  if (axis.log) {
    const found = [],
      decades = Math.log10(max / min),
      every = Math.max(1, Math.ceil(decades / most));
    for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power += every) {
      for (const m of decades < 2.5 ? [1, 2, 5] : [1]) found.push(m * 10 ** power);
    }
    const inside = found.filter((tick) => tick >= min && tick <= max);
    if (inside.length > 1) return inside;
  }
  const rough = (max - min) / most,
    scale = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((m) => m * scale >= rough - 1e-12) || 10) * scale;
  const found = [];
  for (let k = Math.ceil(min / step - 1e-9); k * step <= max + step * 1e-9; k++)
    found.push(k * step);
  return found;
}

/** A short number beside an axis. @param {number} x */
const brief = (x) =>
  (Math.abs(x) >= 10_000
    ? x.toLocaleString("en", { notation: "compact" })
    : String(Number(x.toPrecision(4)))
  ).replace("-", "−");

/** Less than this share of their size apart, numbers differ by rounding alone. */
const ROUNDING = 1e-9;

/** An axis that has a length. @param {number} min @param {number} max @param {string} label @returns {Axis} */
function axisOf(min, max, label) {
  if (!(max - min > ROUNDING * Math.max(Math.abs(min), Math.abs(max)))) {
    const room = Math.abs(min) * 0.05 || 0.5;
    return { min: min - room, max: max + room, label };
  }
  return { min, max, label };
}

/**
 * A place on an axis as a place in the picture.
 * @param {Axis} axis @param {number} from @param {number} to
 */
function scale(axis, from, to) {
  const of = axis.log ? Math.log10 : (/** @type {number} */ x) => x;
  const low = of(axis.min),
    width = of(axis.max) - low;
  return (/** @type {number} */ x) => from + ((of(x) - low) / width) * (to - from);
}

/**
 * Draw a chart into a figure: title, axes, what `draw` adds, and what saves it.
 * @param {HTMLElement} figure @param {Chart} chart
 * @param {(layer: any, x: (v: number) => number, y: (v: number) => number) => void} draw
 */
function drawChart(figure, chart, draw) {
  const width = chart.width || 300,
    height = chart.height || 230;
  const x = scale(chart.x, PAD.left, width - PAD.right),
    y = scale(chart.y, height - PAD.bottom, PAD.top);
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": chart.summary,
  });
  picture.append(...axes(chart, x, y, width, height));
  const layer = svg("g");
  draw(layer, x, y);
  picture.append(layer);
  figure.replaceChildren(caption(chart, picture), picture);
  if (chart.points) readOut(picture, chart.points, x, y, width);
  return { picture, x, y, width, height };
}

/** @param {Chart} chart @param {any} picture */
const caption = (chart, picture) =>
  make(
    "figcaption",
    {},
    chart.about
      ? explained(chart.title, chart.about)
      : make("span", { class: "name", dir: "auto", title: chart.title }, chart.title),
    saving(chart, picture),
  );

/** @param {Chart} chart @param {(v: number) => number} x @param {(v: number) => number} y @param {number} width @param {number} height */
function axes(chart, x, y, width, height) {
  const bottom = height - PAD.bottom,
    parts = [];
  for (const tick of ticks(chart.y, 5)) {
    const text = (chart.y.format || brief)(tick);
    if (!text) continue;
    parts.push(
      svg("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: y(tick), y2: y(tick) }),
    );
    parts.push(
      svg("text", { class: "tick", x: PAD.left - 5, y: y(tick) + 3.5, "text-anchor": "end" }, text),
    );
  }
  for (const tick of ticks(chart.x, Math.max(3, Math.floor(width / 75)))) {
    parts.push(
      svg(
        "text",
        { class: "tick", x: x(tick), y: bottom + 13, "text-anchor": "middle" },
        (chart.x.format || brief)(tick),
      ),
    );
  }
  parts.push(
    svg("line", { class: "axis", x1: PAD.left, x2: width - PAD.right, y1: bottom, y2: bottom }),
  );
  parts.push(
    svg(
      "text",
      {
        class: "label",
        x: (PAD.left + width - PAD.right) / 2,
        y: height - 5,
        "text-anchor": "middle",
      },
      chart.x.label,
    ),
  );
  const middle = (PAD.top + bottom) / 2;
  parts.push(
    svg(
      "text",
      {
        class: "label",
        x: 9,
        y: middle,
        "text-anchor": "middle",
        transform: `rotate(-90 9 ${middle})`,
      },
      chart.y.label,
    ),
  );
  return parts;
}

/** As fine as a picture needs it. @param {number} x */
const tenths = (x) => Math.round(10 * x) / 10;

/** A line through points, with a gap where one is undefined. @param {any[][]} points @param {(v: number) => number} x @param {(v: number) => number} y */
function path(points, x, y) {
  let pen = "M";
  return points
    .map(([a, b]) => {
      if (!Number.isFinite(a) || !Number.isFinite(b)) {
        pen = "M";
        return "";
      }
      const step = `${pen}${tenths(x(a))} ${tenths(y(b))}`;
      pen = "L";
      return step;
    })
    .join("");
}

/** Dots as one element, however many. @param {number[][]} points @param {(v: number) => number} x @param {(v: number) => number} y */
const dots = (points, x, y) =>
  points.map(([a, b]) => `M${tenths(x(a))} ${tenths(y(b))}h0`).join("");

/** The place of a pointer in a picture. @param {any} picture @param {PointerEvent} event @param {number} width */
function placeOf(picture, event, width) {
  const box = picture.getBoundingClientRect(),
    zoom = width / box.width;
  return { left: (event.clientX - box.left) * zoom, top: (event.clientY - box.top) * zoom };
}

/**
 * Say what the nearest point is; `chosen` hears a click on it.
 * @param {any} picture @param {Point[]} points @param {(v: number) => number} x @param {(v: number) => number} y
 * @param {number} width @param {(i: number) => void} [chosen]
 */
function readOut(picture, points, x, y, width, chosen) {
  const near = (/** @type {PointerEvent} */ event) => {
    const { left, top } = placeOf(picture, event, width);
    let best = -1,
      least = 900;
    points.forEach((point, i) => {
      const far = (x(point.x) - left) ** 2 + (y(point.y) - top) ** 2;
      if (far < least) [best, least] = [i, far];
    });
    return best;
  };
  picture.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    const i = near(event);
    tell(i < 0 ? "" : points[i].tip(), event.clientX, event.clientY);
  });
  picture.addEventListener("pointerleave", () => tell("", 0, 0));
  if (chosen)
    picture.addEventListener("click", (/** @type {PointerEvent} */ event) => {
      const i = near(event);
      if (i >= 0) chosen(i);
    });
}

/** Buttons that save a chart. @param {Chart} chart @param {any} picture */
function saving(chart, picture) {
  const name = chart.summary.split(":")[0];
  /** @param {string} kind @param {() => void} click */
  const button = (kind, click) =>
    make(
      "button",
      { type: "button", "aria-label": `Save ${name} as ${kind}`, on: { click } },
      kind,
    );
  return make(
    "span",
    { class: "save" },
    button("SVG", () =>
      save(`${name}.svg`, new Blob([standalone(picture)], { type: "image/svg+xml" })),
    ),
    button("PNG", () => savePng(`${name}.png`, picture)),
    button("CSV", () => save(`${name}.csv`, csv(chart.rows()))),
  );
}

const PAINT = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linecap",
  "font-size",
  "font-family",
  "font-weight",
  "opacity",
  "paint-order",
];

/** The picture as a file that needs no style sheet. @param {any} picture */
function standalone(picture) {
  const copy = picture.cloneNode(true),
    [, , width, height] = picture.getAttribute("viewBox").split(" ");
  const ours = picture.querySelectorAll("*"),
    theirs = copy.querySelectorAll("*");
  theirs.forEach((/** @type {any} */ node, /** @type {number} */ i) => {
    const style = getComputedStyle(ours[i]);
    for (const name of PAINT) node.setAttribute(name, style.getPropertyValue(name));
    node.removeAttribute("class");
  });
  const paper = getComputedStyle(document.body).backgroundColor;
  copy.prepend(svg("rect", { width, height, fill: paper }));
  for (const [name, value] of [
    ["width", width],
    ["height", height],
    ["xmlns", "http://www.w3.org/2000/svg"],
  ])
    copy.setAttribute(name, value);
  return new XMLSerializer().serializeToString(copy);
}

/** @param {string} name @param {any} picture */
function savePng(name, picture) {
  const image = new Image(),
    [, , width, height] = picture.getAttribute("viewBox").split(" ").map(Number);
  image.addEventListener("load", () => {
    const canvas = make("canvas", { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
    canvas.toBlob((/** @type {Blob} */ blob) => save(name, blob));
  });
  image.src = `data:image/svg+xml,${encodeURIComponent(standalone(picture))}`;
}
