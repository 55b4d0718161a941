// SPDX-License-Identifier: Apache-2.0
// @ts-check
// This file is the page of results over time: what is chosen, the chart, and the tables below it.
"use strict";
(async () => {
  /**
   * @typedef {(number | null)[][]} Grid  A row a slice, a column a point.
   * @typedef {{label: string, about: string, badWhenHigh: boolean, value?: Grid, lower?: Grid, upper?: Grid,
   *   baseline?: Grid}} Metric
   * @typedef {{run: string, created: string, verdict: string, summary: string, reasons: string[],
   *   failures: number, rows: number, model: [string, string], data: [string, string]}} Point
   * @typedef {{points: Point[], first: number, slices: string[], sliceCount: number, examples: Grid, metrics: Metric[],
   *   failed: [number, number, number][]}} Data
   */

  /** @param {string} id @returns {any} */
  const at = (id) => document.getElementById(id);

  /** @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node | string)} children @returns {any} */
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };

  /** @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node | string)} children @returns {any} */
  const svg = (tag, attributes = {}, ...children) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
    node.append(...children);
    return node;
  };

  /** @returns {Promise<Data>} */
  const load = async () => {
    const packed = Uint8Array.from(atob(at("data").textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).json();
  };

  /** @type {Data} */
  let data;
  try {
    data = await load();
  } catch (error) {
    at("broken").hidden = false;
    at("broken").textContent =
      `The numbers of this page cannot be read (${error}). A browser of 2023 or later is needed.`;
    return;
  }
  const points = data.points;
  const WORDS = /** @type {Record<string, string>} */ ({
    blessed: "blessed",
    not_blessed: "not blessed",
    not_evaluated: "not evaluated",
  });
  const COLOURS = 6,
    SMALL = 100; // examples below which a slice is shown as uncertain
  const SIGNS = /** @type {Record<string, string>} */ ({
    blessed: "●",
    not_blessed: "✖",
    not_evaluated: "◆",
  });
  const SHAPES = /** @type {Record<string, string>} */ ({
    blessed: "M5.5 0A5.5 5.5 0 1 1 -5.5 0A5.5 5.5 0 1 1 5.5 0Z",
    not_blessed:
      "M-6 -3.5L-3.5 -6L0 -2.5L3.5 -6L6 -3.5L2.5 0L6 3.5L3.5 6L0 2.5L-3.5 6L-6 3.5L-2.5 0Z",
    not_evaluated: "M0 -6.5L6.5 0L0 6.5L-6.5 0Z",
  });

  // The state, which lives in the fragment of the address.
  const last = points.length - 1;
  const begin = {
    metric: data.metrics[data.first].label,
    slice: data.slices[0],
    over: "runs",
    from: Math.max(0, last - 1),
    to: last,
    least: 0,
    theme: "auto",
  };
  const state = { ...begin };

  const readAddress = () => {
    const said = new URLSearchParams(location.hash.slice(1));
    Object.assign(state, begin);
    for (const key of ["metric", "slice", "over", "theme"])
      if (said.has(key)) state[/** @type {"metric"} */ (key)] = said.get(key) || "";
    for (const key of ["from", "to", "least"]) {
      const number = Number(said.get(key) ?? NaN);
      if (Number.isInteger(number) && number >= 0) state[/** @type {"from"} */ (key)] = number;
    }
    if (!data.metrics.some((m) => m.label === state.metric)) state.metric = begin.metric;
    if (!data.slices.includes(state.slice)) state.slice = begin.slice;
    if (!["runs", "model", "data"].includes(state.over)) state.over = "runs";
    state.from = Math.min(state.from, last);
    state.to = Math.min(state.to, last);
  };

  const writeAddress = () => {
    const said = new URLSearchParams();
    for (const [key, value] of Object.entries(state)) {
      if (value !== begin[/** @type {"metric"} */ (key)]) said.set(key, String(value));
    }
    try {
      history.replaceState(null, "", `#${said}`);
    } catch {
      // A sandboxed frame has no address of its own; the page works without.
    }
  };

  /** @param {Partial<typeof begin>} change */
  const set = (change) => {
    Object.assign(state, change);
    writeAddress();
    draw();
  };

  const metricPlace = () => data.metrics.findIndex((m) => m.label === state.metric);
  const slicePlace = () => data.slices.indexOf(state.slice);
  const metric = () => data.metrics[metricPlace()];

  /** @param {"value" | "lower" | "upper" | "baseline"} field @param {number} slice @param {number} point */
  const number = (field, slice, point) => (metric()[field] || [])[slice]?.[point] ?? null;

  /** @param {number | null} x @param {boolean} [signed] */
  const show = (x, signed) => {
    if (x === null) return "–";
    const text = Number(x.toPrecision(5)).toLocaleString("en", { maximumFractionDigits: 8 });
    return signed && x > 0 ? `+${text}` : text;
  };

  /** A change, of which null is unknown. @param {number | null} now @param {number | null} before */
  const less = (now, before) =>
    now === null || before === null ? null : Number((now - before).toPrecision(9));

  const failed = new Set(data.failed.map((triple) => triple.join(" ")));

  /** Whether a value failed a check. @param {number} slice @param {number} point */
  const hasFailed = (slice, point) => failed.has(`${metricPlace()} ${slice} ${point}`);

  /** The lines to draw: names, and the point at each place of the x axis. */
  const lines = () => {
    if (state.over === "runs")
      return {
        places: points.map((p) => p.run),
        lines: [{ name: "", at: points.map((_, i) => i) }],
      };
    const [x, of] =
      state.over === "model"
        ? [/** @type {const} */ ("model"), /** @type {const} */ ("data")]
        : [/** @type {const} */ ("data"), /** @type {const} */ ("model")];
    const keys = [...new Set(points.map((p) => p[x][0]))];
    const names = [...new Set(points.map((p) => p[of][0]))];
    // Of several runs of one model on the same data the last one counts.
    const found = names.map((name) => ({
      name: points[points.findIndex((p) => p[of][0] === name)][of][1],
      at: keys.map((key) => points.findLastIndex((p) => p[x][0] === key && p[of][0] === name)),
    }));
    return {
      places: keys.map((key) => points[points.findIndex((p) => p[x][0] === key)][x][1]),
      lines: found,
    };
  };

  /** Round numbers within a range. @param {number} low @param {number} high */
  const ticks = (low, high) => {
    const rough = (high - low) / 5,
      scale = 10 ** Math.floor(Math.log10(rough));
    const step = ([1, 2, 5, 10].find((m) => m * scale >= rough) || 10) * scale;
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++)
      found.push(Number((k * step).toPrecision(12)));
    return found;
  };

  /** @param {string} text @param {number} most */
  const brief = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

  /** Examples, marked where they are few. @param {number | null} n */
  const size = (n) => (n === null ? "–" : `${n < SMALL ? "≈ " : ""}${n.toLocaleString("en")}`);

  /** @param {number} n @param {string} one */
  const counted = (n, one) => `${n.toLocaleString("en")} ${n === 1 ? one : `${one}s`}`;

  /** What is known of a point, as one sentence. A name from right to left turns nothing else around. @param {number} i @param {number} slice */
  const sentence = (i, slice) => {
    const [low, high, base] = ["lower", "upper", "baseline"].map((f) =>
      number(/** @type {"lower"} */ (f), slice, i),
    );
    const interval = low === null || high === null ? "" : ` (${show(low)} to ${show(high)})`;
    const against =
      base === null
        ? ""
        : `; baseline ${show(base)}, change ${show(less(number("value", slice, i), base), true)}`;
    const count = data.examples[slice][i];
    return `${points[i].run}: ${state.metric} of \u2068${state.slice}\u2069 is ${show(number("value", slice, i))}${interval}${against}; ${count === null ? "no examples" : counted(count, "example")}${count !== null && count < SMALL ? ", so uncertain" : ""}; ${WORDS[points[i].verdict]}${hasFailed(slice, i) ? "; this value failed a check" : ""}.`;
  };

  /** Say more of a point below the chart. @param {number} i */
  const say = (i) => {
    const point = points[i];
    const more = point.failures - point.reasons.length;
    const items = point.reasons.map((reason) => make("li", {}, reason));
    if (more > 0)
      items.push(make("li", {}, `and ${more.toLocaleString("en")} more, in verdict.json`));
    at("said").replaceChildren(
      make("p", {}, sentence(i, slicePlace())),
      make(
        "p",
        { class: "note" },
        `${point.created}; model ${point.model[1]}; data ${point.data[1]}, ${(point.rows ?? 0).toLocaleString("en")} rows. ${point.summary}`,
      ),
      make("ul", {}, ...items),
    );
  };

  const chart = () => {
    const figure = at("chart"),
      slice = slicePlace(),
      { places, lines: drawn } = lines();
    const width = Math.max(300, figure.clientWidth || 900),
      height = 340;
    const letters = width / places.length > 150 ? 24 : 13;
    const pad = { left: 56, right: 14, top: 12, bottom: letters > 13 ? 92 : 70 };
    const all = [];
    for (const field of /** @type {const} */ (["value", "lower", "upper", "baseline"])) {
      for (let i = 0; i <= last; i++)
        all.push(number(field, slice, i), field === "value" ? number(field, 0, i) : null);
    }
    const known = /** @type {number[]} */ (all.filter((x) => x !== null));
    if (!known.length) {
      figure.replaceChildren(
        make("p", { class: "note" }, "No run has a defined value of this metric on this slice."),
      );
      return;
    }
    let [low, high] = [Math.min(...known), Math.max(...known)];
    const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 0.5;
    [low, high] = [low - room, high + room];
    /** @param {number} k */
    const x = (k) => pad.left + ((k + 0.5) * (width - pad.left - pad.right)) / places.length;
    /** @param {number} v */
    const y = (v) =>
      height - pad.bottom - ((v - low) * (height - pad.top - pad.bottom)) / (high - low);
    const drawing = svg("svg", {
      viewBox: `0 0 ${width} ${height}`,
      role: "group",
      "aria-label": `${state.metric} of ${state.slice}; the arrow keys go from point to point`,
    });
    for (const tick of ticks(low, high)) {
      drawing.append(
        svg("line", {
          class: "grid",
          x1: pad.left,
          x2: width - pad.right,
          y1: y(tick),
          y2: y(tick),
        }),
        svg("text", { x: pad.left - 6, y: y(tick) + 4, "text-anchor": "end" }, show(tick)),
      );
    }
    const every = Math.ceil(places.length / Math.max(1, Math.floor((width - pad.left) / 34)));
    places.forEach((name, k) => {
      if (k % every) return;
      drawing.append(
        svg(
          "text",
          {
            transform: `translate(${x(k) + 3} ${height - pad.bottom + 14}) rotate(-32)`,
            "text-anchor": "end",
          },
          svg("title", {}, name),
          brief(name, letters),
        ),
      );
    });
    /** @param {number[]} order @param {(i: number) => number | null} of @param {string} name */
    const path = (order, of, name) => {
      let d = "",
        pen = "M";
      order.forEach((i, k) => {
        const v = i < 0 ? null : of(i);
        if (v === null) {
          if (i >= 0) pen = "M";
          return;
        }
        d += `${pen}${x(k).toFixed(1)} ${y(v).toFixed(1)}`;
        pen = "L";
      });
      if (d) drawing.append(svg("path", { class: name, d }));
    };
    if (slice) path(drawn[drawn.length - 1].at, (i) => number("value", 0, i), "line other");
    drawn.forEach((line, k) => {
      if (drawn.length === 1) path(line.at, (i) => number("baseline", slice, i), "old");
      path(line.at, (i) => number("value", slice, i), `line c${k % COLOURS}`);
    });
    const marks = drawn
      .flatMap((line) => line.at.map((i, k) => ({ i, k })))
      .filter(({ i }) => i >= 0 && number("value", slice, i) !== null)
      .sort((a, b) => a.k - b.k);
    marks.forEach(({ i, k }, order) => {
      const v = /** @type {number} */ (number("value", slice, i)),
        [bottom, top] = [number("lower", slice, i), number("upper", slice, i)];
      if (bottom !== null && top !== null)
        drawing.append(
          svg("line", { class: "whisker", x1: x(k), x2: x(k), y1: y(bottom), y2: y(top) }),
        );
      const mark = svg(
        "g",
        {
          class: `point ${points[i].verdict}`,
          transform: `translate(${x(k)} ${y(v)})`,
          tabindex: order ? -1 : 0,
          role: "img",
          "aria-label": sentence(i, slice),
          "data-point": i,
        },
        svg("path", { d: SHAPES[points[i].verdict] }),
        svg("title", {}, sentence(i, slice)),
      );
      for (const event of ["focus", "click", "mouseenter"])
        mark.addEventListener(event, () => say(i));
      drawing.append(mark);
    });
    drawing.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key],
        found = [...drawing.querySelectorAll(".point")];
      const next = found[found.indexOf(document.activeElement) + (step || 0)];
      if (!step || !next) return;
      for (const mark of found) mark.setAttribute("tabindex", mark === next ? "0" : "-1");
      next.focus();
      event.preventDefault();
    });
    figure.replaceChildren(drawing);
    const parts = ["blessed", "not_blessed", "not_evaluated"]
      .filter((v) => points.some((p) => p.verdict === v))
      .map((v) => `${SIGNS[v]} ${WORDS[v]}`);
    if (metric().baseline && drawn.length === 1) parts.push("dashes: the baseline of each run");
    if (slice) parts.push("thin line: Overall");
    if (metric().lower) parts.push("upright lines: confidence intervals");
    const said = parts.map((part) => make("span", {}, part));
    if (state.over !== "runs") {
      said.push(
        ...drawn
          .slice(0, COLOURS)
          .map((line, k) =>
            make("span", { class: `swatch c${k}`, title: line.name }, brief(line.name, 40)),
          ),
      );
      const more = drawn.length > COLOURS ? `colours repeat over ${drawn.length} lines; ` : "";
      said.push(make("span", {}, `${more}of runs of one model on the same data, the last`));
    }
    at("key").replaceChildren(...said);
  };

  /** @param {string[]} head @param {any[][]} rows @param {string[]} names The columns that are words. */
  const table = (head, rows, names) =>
    make(
      "table",
      {},
      make(
        "thead",
        {},
        make(
          "tr",
          {},
          ...head.map((name) =>
            make("th", { scope: "col", ...(names.includes(name) ? { class: "words" } : {}) }, name),
          ),
        ),
      ),
      make(
        "tbody",
        {},
        ...rows.map((row) =>
          make(
            "tr",
            {},
            ...row.map((cell, k) => {
              const node = k
                ? make("td", names.includes(head[k]) ? { class: "words" } : {}, cell)
                : make("th", { scope: "row", class: "words" }, cell);
              if (names.includes(head[k]) && typeof cell === "string") node.title = cell;
              return node;
            }),
          ),
        ),
      ),
    );

  /** A change, coloured by whether it is for the better. @param {number | null} x */
  const change = (x) => {
    const worse = x !== null && x !== 0 && x > 0 === metric().badWhenHigh;
    return make("span", x ? { class: worse ? "worse" : "better" } : {}, show(x, true));
  };

  const moved = () => {
    const { from, to, least } = state,
      sign = metric().badWhenHigh ? -1 : 1;
    const rows = data.slices
      .map((name, i) => ({ name, i, by: less(number("value", i, to), number("value", i, from)) }))
      .filter(
        ({ i, by }) =>
          by !== null &&
          by !== 0 &&
          Math.min(data.examples[i][from] ?? 0, data.examples[i][to] ?? 0) >= least,
      )
      .sort((a, b) => sign * /** @type {number} */ (a.by - /** @type {number} */ (b.by)));
    const shown = rows.slice(0, 15).map(({ name, i, by }) => {
      const button = make("button", { type: "button", title: name }, name);
      button.addEventListener("click", () => {
        set({ slice: name });
        at("chart").scrollIntoView({ block: "center" });
      });
      return [
        button,
        show(number("value", i, from)),
        show(number("value", i, to)),
        change(by),
        size(data.examples[i][to]),
      ];
    });
    at("moved").replaceChildren(
      table(["slice", "was", "is", "change", "examples"], shown, ["slice"]),
    );
    const left =
      data.sliceCount > data.slices.length
        ? ` The ${data.slices.length.toLocaleString("en")} largest of ${data.sliceCount.toLocaleString("en")} slices are in this page.`
        : "";
    const said = rows.length
      ? `${counted(rows.length, "slice")} moved; those that lost most come first. ≈: fewer than ${SMALL} examples, so uncertain.`
      : "No slice moved.";
    at("count").textContent = `${said}${left}`;
  };

  const HEAD = [
    "run",
    "verdict",
    "examples",
    "value",
    "lower",
    "upper",
    "baseline",
    "change",
    "evaluated",
    "model",
    "data",
  ];

  /** A row for each run, as text or numbers. @param {number} i @returns {(string | number | null)[]} */
  const row = (i) => {
    const slice = slicePlace(),
      value = number("value", slice, i),
      base = number("baseline", slice, i),
      p = points[i];
    return [
      p.run,
      WORDS[p.verdict],
      data.examples[slice][i],
      value,
      number("lower", slice, i),
      number("upper", slice, i),
      base,
      less(value, base),
      p.created,
      p.model[1],
      p.data[1],
    ];
  };

  const runs = () => {
    const empty = HEAD.filter(
      (name) => (name === "lower" || name === "upper" || name === "baseline") && !metric()[name],
    );
    if (empty.includes("baseline")) empty.push("change");
    const shown = HEAD.map((name, k) => ({ name, k })).filter(({ name }) => !empty.includes(name));
    const rows = points.map((p, i) => {
      const cells = row(i);
      return shown.map(({ name, k }) => {
        if (name === "verdict")
          return make("span", { class: p.verdict }, `${SIGNS[p.verdict]} ${cells[k]}`);
        if (name === "change") return change(/** @type {number} */ (cells[k]));
        if (name === "examples") return size(/** @type {number | null} */ (cells[k]));
        return typeof cells[k] === "string"
          ? cells[k]
          : show(/** @type {number | null} */ (cells[k]));
      });
    });
    at("runs").replaceChildren(
      table(
        shown.map(({ name }) => name),
        rows,
        ["run", "verdict", "evaluated", "model", "data"],
      ),
    );
  };

  // A spreadsheet takes what begins with = + - @ for a formula.
  /** @param {string | number | null} x */
  const field = (x) =>
    typeof x === "string"
      ? `"${(/^[=+\-@\t\r]/.test(x) ? `'${x}` : x).replaceAll('"', '""')}"`
      : (x ?? "");

  const csv = () => {
    const rows = [
      ["metric", "slice", ...HEAD],
      ...points.map((_, i) => [state.metric, state.slice, ...row(i)]),
    ];
    const text = rows.map((cells) => cells.map(field).join(",")).join("\r\n");
    const link = make("a", {
      href: URL.createObjectURL(new Blob([text], { type: "text/csv" })),
      download: "history.csv",
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  /** Fill a choice. @param {string} id @param {[string, string][]} options @param {string} chosen */
  const fill = (id, options, chosen) => {
    at(id).replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
    at(id).value = chosen;
  };

  const MOST = 2000; // options that a browser still opens at once
  const offer = () => {
    const text = at("find").value.toLowerCase();
    const found = data.slices.filter(
      (name) => name === state.slice || name.toLowerCase().includes(text),
    );
    fill(
      "slice",
      found.slice(0, MOST).map((name) => [name, brief(name, 80)]),
      state.slice,
    );
  };

  function draw() {
    document.documentElement.dataset.theme = state.theme;
    fill(
      "metric",
      data.metrics.map((m) => [m.label, brief(m.label, 60)]),
      state.metric,
    );
    offer();
    const runNames = points.map(
      (p, i) => /** @type {[string, string]} */ ([String(i), brief(p.run, 40)]),
    );
    fill("from", runNames, String(state.from));
    fill("to", runNames, String(state.to));
    for (const id of ["over", "theme", "least"])
      at(id).value = String(state[/** @type {"over"} */ (id)]);
    at("chart-title").replaceChildren(`${state.metric} of `, make("bdi", {}, state.slice));
    at("about").textContent = metric().about;
    chart();
    say(last);
    moved();
    runs();
  }

  for (const id of ["metric", "slice", "over", "theme"])
    at(id).addEventListener("change", () => set({ [id]: at(id).value }));
  for (const id of ["from", "to", "least"])
    at(id).addEventListener("change", () => set({ [id]: Number(at(id).value) || 0 }));
  for (const id of ["controls", "between"])
    at(id).addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
  at("find").addEventListener("input", () => {
    offer();
    const text = at("find").value.toLowerCase(),
      first = data.slices.find((name) => name.toLowerCase().includes(text));
    if (text && first !== undefined && !state.slice.toLowerCase().includes(text))
      set({ slice: first });
  });
  at("csv").addEventListener("click", csv);
  addEventListener("hashchange", () => {
    readAddress();
    draw();
  });
  addEventListener("resize", chart);
  const blessed = points.filter((p) => p.verdict === "blessed").length;
  const [from, to] = [points[0], points[last]].map((p) => p.created.slice(0, 10));
  at("summary").textContent =
    `${counted(points.length, "evaluation")} ${from === to ? `on ${from}` : `from ${from} to ${to}`}: ${blessed} blessed`;
  readAddress();
  at("rooms").hidden = false;
  draw();
})();
