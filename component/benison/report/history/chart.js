// SPDX-License-Identifier: Apache-2.0
// The chart of a metric over runs, models or data.

const COLOURS = 6;
const HEIGHT = 340;
const WIDE_NAMES = { most: 24, bottom: 92 };
const NARROW_NAMES = { most: 13, bottom: 70 };

/**
 * The names along the x axis, and a line for each model on the data, or each data of the models.
 * @returns {{names: string[], lines: Line[]}}
 */
function linesOf() {
  const { points } = data;
  if (state.over === "runs") {
    return {
      names: points.map(({ run }) => run),
      lines: [{ name: "", points: [...points.keys()] }],
    };
  }
  /** @type {["model", "data"] | ["data", "model"]} */
  const [x, of] = state.over === "model" ? ["model", "data"] : ["data", "model"];
  const across = new Map(points.map((point) => point[x]));
  const lines = new Map(points.map((point) => point[of]));
  // Of several runs of one model on the same data the last one counts.
  const pointsOf = (/** @type {string} */ line) =>
    [...across.keys()].map((key) =>
      points.findLastIndex((point) => point[x][0] === key && point[of][0] === line),
    );
  return {
    names: [...across.values()],
    lines: [...lines].map(([key, name]) => ({ name, points: pointsOf(key) })),
  };
}

function drawOverTime() {
  const figure = at("chart");
  const { names, lines } = linesOf();
  const axis = axisOfValues();
  if (!axis) {
    const hint = "No run has a defined value of this metric on this slice. Choose another above.";
    figure.replaceChildren(make("p", { class: "note" }, hint));
    at("key").replaceChildren();
    return;
  }
  const width = Math.max(300, figure.clientWidth || 900);
  const room = width / names.length > 150 ? WIDE_NAMES : NARROW_NAMES;
  const frame = frameOf(width, room.bottom, names.length, axis);
  const label = `${state.metric} of ${state.slice}; the arrow keys go from point to point`;
  const picture = pictureOf(width, HEIGHT, label);
  picture.setAttribute("role", "group");
  picture.append(
    ...beginnings(lines, frame),
    ...grid(axis, frame.y, frame.left, frame.right),
    ...runLabels(names, frame, room.most),
    ...curves(lines, frame),
    ...boundLines(lines, frame),
    ...marks(lines, frame),
  );
  picture.addEventListener("keydown", stepAlong);
  figure.replaceChildren(picture);
  at("key").replaceChildren(...keyOf(lines));
}

/** An axis for all that is drawn, or nothing where nothing is known. */
function axisOfValues() {
  const slice = sliceRank();
  const fields = /** @type {const} */ (["value", "lower", "upper", "baseline"]);
  const all = [...data.points.keys()].flatMap((i) => [
    ...fields.map((kind) => number(kind, slice, i)),
    number("value", 0, i),
    ...boundsOf(slice, i),
  ]);
  return all.some(Number.isFinite) ? roomy(all) : null;
}

/**
 * @param {number} width
 * @param {number} below Room for names.
 * @param {number} count
 * @param {Axis} axis
 * @returns {Frame}
 */
function frameOf(width, below, count, axis) {
  const [left, right] = [PAD.left, width - PAD.right];
  const bottom = HEIGHT - below;
  const x = (/** @type {number} */ k) => left + ((k + 0.5) * (right - left)) / count;
  return { width, height: HEIGHT, left, right, bottom, x, y: scale(axis, bottom, PAD.top) };
}

/**
 * @param {string[]} names
 * @param {Frame} frame
 * @param {number} most Letters.
 */
function runLabels(names, { x, left, width, bottom }, most) {
  const every = Math.ceil(names.length / Math.max(1, Math.floor((width - left) / 34)));
  return names.flatMap((name, k) => {
    if (k % every) return [];
    const transform = `translate(${x(k) + 3} ${bottom + 14}) rotate(-32)`;
    const text = { class: "tick", transform, "text-anchor": "end" };
    return [svg("text", text, svg("title", {}, name), cut(name, most))];
  });
}

/**
 * Overall, the baseline, and the lines themselves.
 * @param {Line[]} lines
 * @param {Frame} frame
 */
function curves(lines, { x, y }) {
  const slice = sliceRank();
  /**
   * @param {Line} line
   * @param {string} css
   * @param {Field} kind
   * @param {number} of
   */
  const curve = ({ points }, css, kind, of) => {
    const there = [...points.entries()].filter(([, i]) => i >= 0);
    const places = there.map(([k, i]) => [k, number(kind, of, i)]);
    return svg("path", { class: `line ${css}`, d: path(places, x, y) });
  };
  return [
    ...(slice ? [curve(lines[lines.length - 1], "other", "value", 0)] : []),
    ...(lines.length === 1 ? [curve(lines[0], "theirs", "baseline", slice)] : []),
    ...lines.map((line, k) => curve(line, `c${k % COLOURS}`, "value", slice)),
  ];
}

/**
 * Each bound of a point, as wide as the point has room.
 * @param {Line[]} lines
 * @param {Frame} frame
 */
function boundLines(lines, { x, y }) {
  const slice = sliceRank();
  const half = Math.min(60, (x(1) - x(0)) / 2);
  return lines.flatMap(({ points }) =>
    points.flatMap((i, k) =>
      boundsOf(slice, i).map((bound) => {
        const ends = { x1: x(k) - half, x2: x(k) + half, y1: y(bound), y2: y(bound) };
        return svg("line", { class: "bound", ...ends });
      }),
    ),
  );
}

/**
 * A mark for each value, from left to right, with its interval.
 * @param {Line[]} lines
 * @param {Frame} frame
 */
function marks(lines, { x, y }) {
  const slice = sliceRank();
  const there = lines.flatMap(({ points }) => points.map((i, k) => ({ i, k })));
  const known = there.filter(({ i }) => i >= 0 && Number.isFinite(number("value", slice, i)));
  return known
    .sort((a, b) => a.k - b.k)
    .flatMap(({ i, k }, rank) => {
      const [low, high] = [number("lower", slice, i), number("upper", slice, i)];
      const where = { x1: x(k), x2: x(k), y1: y(low), y2: y(high) };
      const mark = markOf(i, x(k), y(number("value", slice, i)), rank === 0);
      return Number.isNaN(low + high) ? [mark] : [svg("line", { class: "error", ...where }), mark];
    });
}

/**
 * @param {number} i
 * @param {number} x
 * @param {number} y
 * @param {boolean} isFirst
 */
function markOf(i, x, y, isFirst) {
  const { verdict } = data.points[i];
  const text = sentence(i, sliceRank());
  const label = { role: "img", "aria-label": text, "data-tip": text, "data-point": i };
  const on = { focus: () => say(i), click: () => say(i), mouseenter: () => say(i) };
  return svg(
    "g",
    {
      ...{ class: `point ${verdict}`, transform: `translate(${x} ${y})` },
      ...{ tabindex: isFirst ? 0 : -1, ...label, on },
    },
    svg("circle", { class: "target", r: 12 }),
    svg("path", { d: VERDICTS[verdict].shape }),
  );
}

/**
 * Go from point to point with the arrow keys.
 * @param {KeyboardEvent} event
 */
function stepAlong(event) {
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  /** @type {SVGGElement[]} */
  const points = [...at("chart").querySelectorAll(/** @type {"g"} */ (".point"))];
  const next = points[points.findIndex((point) => point === document.activeElement) + step];
  if (!step || !next) return;
  for (const point of points) point.setAttribute("tabindex", point === next ? "0" : "-1");
  next.focus();
  event.preventDefault();
}

/**
 * What signs and lines mean.
 * @param {Line[]} lines
 */
function keyOf(lines) {
  const verdicts = new Set(data.points.map(({ verdict }) => verdict));
  const signs = Object.entries(VERDICTS).filter(([verdict]) =>
    verdicts.has(/** @type {Verdict} */ (verdict)),
  );
  const texts = [
    ...signs.map(([, { sign, words }]) => `${sign} ${words}`),
    metric().baseline && lines.length === 1 && "dashes: the baseline of each run",
    sliceRank() && "thin line: Overall",
    metric().lower && "upright lines: confidence intervals",
    data.points.some((_, i) => boundsOf(sliceRank(), i).length) && "red lines: bounds of the value",
    alertsHere().length && `${BEGAN} where a change began`,
  ];
  const parts = texts.filter(Boolean).map((text) => make("span", {}, String(text)));
  if (state.over === "runs") return parts;
  const swatches = lines.slice(0, COLOURS).map(({ name }, k) => {
    return make("span", { class: `swatch c${k}`, title: name }, cut(name, 40));
  });
  const more = lines.length > COLOURS ? `colours repeat over ${lines.length} lines; ` : "";
  const last = make("span", {}, `${more}of runs of one model on the same data, the last`);
  return [...parts, ...swatches, last];
}

/**
 * Say more of a point below the chart.
 * @param {number} i
 */
function say(i) {
  const { created, model, data: source, rows, summary, reasons, failures } = data.points[i];
  const more = failures - reasons.length;
  const rest = more > 0 ? [`and ${whole(more)} more, in checks.parquet`] : [];
  const facts = `${created}; model ${model[1]}; data ${source[1]}, ${whole(rows ?? 0)} rows.`;
  at("details").replaceChildren(
    make("p", {}, sentence(i, sliceRank())),
    make("p", { class: "note" }, `${facts} ${summary}`),
    make("ul", {}, ...[...reasons, ...rest].map((text) => make("li", {}, text))),
  );
}
