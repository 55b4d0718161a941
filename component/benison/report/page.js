// @ts-check
"use strict";
(() => {
  /** @param {string} id */
  const at = (id) => /** @type {any} */ (document.getElementById(id));
  const data = JSON.parse(at("data").textContent);
  const PAGE = 200;

  /** @param {string} tag @param {string} text @param {string} [className] */
  const make = (tag, text, className) => {
    const node = document.createElement(tag);
    node.textContent = text;
    if (className) node.className = className;
    return node;
  };

  /** @param {number | null | undefined} x */
  const show = (x) => (x === null || x === undefined ? "–" : Number(x.toPrecision(5)).toLocaleString("en", { maximumFractionDigits: 6 }));

  const words = data.verdict.replace("_", " ").toUpperCase();
  at("badge").textContent = words;
  at("badge").className = data.verdict;
  at("summary").textContent = data.summary.slice(data.summary.indexOf(":") + 1).trim();
  document.title = `${words} – Benison report`;
  for (const check of data.failures) at("failures").append(make("li", check.reason));
  if (!data.failures.length) at("failures").replaceWith(make("p", data.verdict === "blessed" ? "Every check that could be evaluated passed." : "There was nothing to check."));
  if (data.failureCount > data.failures.length) at("failures").append(make("li", `… and ${data.failureCount - data.failures.length} more in verdict.json`));
  for (const check of data.open) at("open").append(make("li", check.reason));
  at("open-section").hidden = !data.open.length;
  for (const [term, fact] of data.facts) at("facts").append(make("dt", term), make("dd", fact));

  const groups = Object.keys(data.values);
  const candidates = groups.filter((g) => g !== data.baseline && !g.startsWith(`${data.baseline} `));
  for (const group of candidates) at("group").append(make("option", group));
  const failed = new Set(data.failures.map((/** @type {any} */ c) => `${c.slice}\n${c.metric}`));

  const state = { sort: "examples", down: true, shown: PAGE };

  const columns = () => Object.keys(data.values[at("group").value] || {}).filter((m) => !m.endsWith("_diff"));

  /** @param {string} metric @param {number} i */
  const value = (metric, i) => {
    if (metric === "slice") return data.slices[i];
    if (metric === "examples") return data.examples[i];
    return data.values[at("group").value][metric][i];
  };

  const rows = () => {
    const text = at("find").value.toLowerCase();
    const least = Number(at("least").value) || 0;
    const kept = data.slices.map((/** @type {string} */ _, /** @type {number} */ i) => i)
      .filter((/** @type {number} */ i) => data.examples[i] >= least && data.slices[i].toLowerCase().includes(text));
    const sign = state.down ? -1 : 1;
    return kept.sort((/** @type {number} */ a, /** @type {number} */ b) => {
      const [x, y] = [value(state.sort, a), value(state.sort, b)];
      if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1;
      return (x < y ? -1 : x > y ? 1 : a - b) * (x === y ? 1 : sign);
    });
  };

  const head = () => {
    at("head").replaceChildren(...["slice", "examples", ...columns()].map((name) => {
      const cell = make("th", "");
      const button = make("button", name);
      button.setAttribute("type", "button");
      cell.scope = "col";
      if (name === state.sort) cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      button.addEventListener("click", () => { state.down = state.sort === name ? !state.down : name === "examples"; state.sort = name; draw(); });
      cell.append(button);
      return cell;
    }));
  };

  /** @param {string} metric @param {number} i */
  const cell = (metric, i) => {
    const node = make("td", show(value(metric, i)));
    const change = (data.values[at("group").value][`${metric}_diff`] || [])[i];
    if (change !== undefined && change !== null) node.append(make("small", `${change > 0 ? "+" : ""}${show(change)}`));
    if (failed.has(`${data.slices[i]}\n${metric}`)) node.classList.add("failed", "worse");
    return node;
  };

  const draw = () => {
    head();
    const found = rows();
    at("body").replaceChildren(...found.slice(0, state.shown).map((/** @type {number} */ i) => {
      const row = document.createElement("tr");
      row.append(make("td", data.slices[i]), make("td", data.examples[i].toLocaleString("en")), ...columns().map((m) => cell(m, i)));
      return row;
    }));
    const left = data.sliceCount > data.slices.length ? `; the ${data.slices.length.toLocaleString("en")} largest of ${data.sliceCount.toLocaleString("en")} are in this page, all are in metrics.parquet` : "";
    at("count").textContent = `${found.length.toLocaleString("en")} slices${left}${data.baseline ? "; small print: change from the baseline" : ""}`;
    at("more").hidden = found.length <= state.shown;
  };

  for (const id of ["find", "least", "group"]) at(id).addEventListener("input", () => { state.shown = PAGE; draw(); });
  at("controls").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
  at("more").addEventListener("click", () => { state.shown += PAGE; draw(); });
  draw();
})();
