// SPDX-License-Identifier: Apache-2.0
// Charts: title, axes, marks, what the nearest mark says, and what saves a chart.

const PAD = { left: 54, right: 10, top: 8, bottom: 34 };

/**
 * Draw a chart into a figure: title, axes, what `draw` adds, and what saves it.
 * @param {HTMLElement} figure
 * @param {Chart} chart
 * @param {(layer: SVGGElement, x: Scale, y: Scale) => void} draw
 * @returns {Picture}
 */
function drawChart(figure, chart, draw) {
  const width = chart.width || 300;
  const height = chart.height || 230;
  const x = scale(chart.x, PAD.left, width - PAD.right);
  const y = scale(chart.y, height - PAD.bottom, PAD.top);
  const layer = svg("g");
  draw(layer, x, y);
  const picture = pictureOf(width, height, chart.summary);
  picture.append(...axes(chart, x, y, width, height), layer);
  figure.replaceChildren(caption(chart, picture), picture);
  if (chart.points) readOut({ picture, x, y, width, height }, chart.points);
  return { picture, x, y, width, height };
}

/**
 * An empty picture.
 * @param {number} width
 * @param {number} height
 * @param {string} summary
 */
function pictureOf(width, height, summary) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": summary });
}

/**
 * Title and what saves it.
 * @param {Pick<Chart, "title" | "about" | "summary" | "rows">} chart
 * @param {SVGSVGElement} picture
 */
function caption(chart, picture) {
  const { title, about } = chart;
  const plain = { class: "name", dir: "auto", title };
  const name = about ? explained(title, about) : make("span", plain, title);
  return make("figcaption", {}, name, saving(chart, picture));
}

/**
 * @param {Chart} chart
 * @param {Scale} x
 * @param {Scale} y
 * @param {number} width
 * @param {number} height
 */
function axes(chart, x, y, width, height) {
  const bottom = height - PAD.bottom;
  const right = width - PAD.right;
  const format = chart.x.format || brief;
  const across = ticks(chart.x, Math.max(3, Math.floor(width / 75)));
  return [
    ...grid(chart.y, y, PAD.left, right),
    ...across.map((tick) => centred("tick", format(tick), x(tick), bottom + 13)),
    svg("line", { class: "axis", x1: PAD.left, x2: right, y1: bottom, y2: bottom }),
    centred("label", chart.x.label, (PAD.left + right) / 2, height - 5),
    centred("label", chart.y.label, 9, (PAD.top + bottom) / 2, -90),
  ];
}

/**
 * Where in a picture a pointer is.
 * @param {SVGSVGElement} picture
 * @param {MouseEvent} event
 * @param {number} width
 */
function pointerIn(picture, event, width) {
  const box = picture.getBoundingClientRect();
  const zoom = width / box.width;
  return { left: (event.clientX - box.left) * zoom, top: (event.clientY - box.top) * zoom };
}

/**
 * Say what the nearest point is; `chosen` hears a click on it.
 * @param {Picture} drawn
 * @param {Tip[]} points
 * @param {(i: number) => void} [chosen]
 */
function readOut({ picture, x, y, width }, points, chosen) {
  /** @param {MouseEvent} event */
  const near = (event) => {
    const { left, top } = pointerIn(picture, event, width);
    let nearest = -1;
    let least = 900;
    points.forEach((point, i) => {
      const far = (x(point.x) - left) ** 2 + (y(point.y) - top) ** 2;
      if (far < least) [nearest, least] = [i, far];
    });
    return nearest;
  };
  picture.addEventListener("pointermove", (event) => {
    tell(points[near(event)]?.tip() ?? "", event.clientX, event.clientY);
  });
  picture.addEventListener("pointerleave", () => tell("", 0, 0));
  picture.addEventListener("click", (event) => {
    const i = near(event);
    if (chosen && i >= 0) chosen(i);
  });
}

/**
 * Buttons that save a chart.
 * @param {Pick<Chart, "summary" | "rows">} chart
 * @param {SVGSVGElement} picture
 */
function saving(chart, picture) {
  const name = chart.summary.split(":")[0];
  /**
   * @param {string} kind
   * @param {() => void} click
   */
  const button = (kind, click) => {
    const label = `Save ${name} as ${kind}`;
    return make("button", { type: "button", "aria-label": label, on: { click } }, kind);
  };
  const drawing = () => new Blob([standalone(picture)], { type: "image/svg+xml" });
  return make(
    "span",
    { class: "save" },
    button("SVG", () => save(`${name}.svg`, drawing())),
    button("PNG", () => savePng(`${name}.png`, picture)),
    button("CSV", () => save(`${name}.csv`, csv(chart.rows()))),
  );
}

const PAINT = [
  ...["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap"],
  ...["font-size", "font-family", "font-weight", "opacity", "paint-order"],
];

/** @param {SVGSVGElement} picture */
const sizeOf = (picture) => [picture.viewBox.baseVal.width, picture.viewBox.baseVal.height];

/**
 * The picture as a file that needs no style sheet.
 * @param {SVGSVGElement} picture
 */
function standalone(picture) {
  const copy = /** @type {SVGSVGElement} */ (picture.cloneNode(true));
  const originals = picture.querySelectorAll("*");
  copy.querySelectorAll("*").forEach((node, i) => {
    const style = getComputedStyle(originals[i]);
    for (const name of PAINT) node.setAttribute(name, style.getPropertyValue(name));
    node.removeAttribute("class");
  });
  const [width, height] = sizeOf(picture);
  const fill = getComputedStyle(document.body).backgroundColor;
  copy.prepend(svg("rect", { width, height, fill }));
  setAll(copy, { width, height, xmlns: "http://www.w3.org/2000/svg" });
  return new XMLSerializer().serializeToString(copy);
}

/**
 * @param {string} name
 * @param {SVGSVGElement} picture
 */
function savePng(name, picture) {
  const image = new Image();
  const [width, height] = sizeOf(picture).map((length) => 2 * length);
  image.addEventListener("load", () => {
    const canvas = make("canvas", { width, height });
    canvas.getContext("2d")?.drawImage(image, 0, 0, width, height);
    canvas.toBlob((png) => png && save(name, png));
  });
  image.src = `data:image/svg+xml,${encodeURIComponent(standalone(picture))}`;
}
