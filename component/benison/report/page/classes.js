// SPDX-License-Identifier: Apache-2.0
// @ts-check
// This file is the confusion of several classes as a heat map.

const MOST_CLASSES = 30,
  WRITTEN_CLASSES = 8;

/** The pairs at the highest of the thresholds that is not above the slider's. @param {Pair[]} pairs */
function pairsAt(pairs) {
  const all = [...new Set(pairs.map((pair) => pair.over))].sort((a, b) => a - b);
  const over = all.filter((t) => t <= state.threshold + 1e-9).at(-1) ?? all[0];
  return { over, pairs: pairs.filter((pair) => pair.over === over) };
}

/** A class by its number; TFMA says -1 where no class scores above the threshold. @param {number} id */
const className = (id) => (id < 0 ? "none" : String(id));

/** @param {HTMLElement} figure @param {string} slice @param {Series[]} series */
function drawClasses(figure, slice, series) {
  const ours = series.find((one) => one.css === "ours")?.pairs || [],
    { over, pairs } = pairsAt(ours);
  const ids = [...new Set(pairs.flatMap((pair) => [pair.actual, pair.predicted]))]
    .sort((a, b) => a - b)
    .slice(0, MOST_CLASSES);
  const totals = new Map(),
    side = 190 / Math.max(1, ids.length);
  for (const pair of pairs) totals.set(pair.actual, (totals.get(pair.actual) || 0) + pair.weight);
  const right = pairs
    .filter((pair) => pair.actual === pair.predicted)
    .reduce((sum, pair) => sum + pair.weight, 0);
  const all = [...totals.values()].reduce((sum, n) => sum + n, 0);
  const summary = `Confusion of classes of ${slice}: ${percent(ratio(right, all))} of ${whole(all)} right at threshold ${brief(over)}`;
  const picture = svg("svg", { viewBox: "0 0 300 230", role: "img", "aria-label": summary });
  for (const pair of pairs) {
    const [down, across] = [ids.indexOf(pair.actual), ids.indexOf(pair.predicted)],
      share = ratio(pair.weight, totals.get(pair.actual));
    if (down < 0 || across < 0) continue;
    const x = 60 + across * side,
      y = 6 + down * side;
    const tip = `${whole(pair.weight)} of ${whole(totals.get(pair.actual))} examples of class ${className(pair.actual)} are predicted to be of class ${className(pair.predicted)}`;
    picture.append(
      svg("rect", {
        class: "cell class",
        x,
        y,
        width: side - 1,
        height: side - 1,
        "fill-opacity": 0.04 + 0.6 * share,
        "data-tip": tip,
      }),
    );
    if (ids.length <= WRITTEN_CLASSES)
      picture.append(
        svg(
          "text",
          { class: "tick on", x: x + side / 2, y: y + side / 2 + 3, "text-anchor": "middle" },
          percent(share),
        ),
      );
  }
  const every = Math.ceil(ids.length / 12);
  ids.forEach((id, i) => {
    if (i % every) return;
    picture.append(
      svg(
        "text",
        { class: "tick", x: 54, y: 6 + (i + 0.5) * side + 3, "text-anchor": "end" },
        className(id),
      ),
    );
    picture.append(
      svg(
        "text",
        { class: "tick", x: 60 + (i + 0.5) * side, y: 209, "text-anchor": "middle" },
        className(id),
      ),
    );
  });
  picture.append(
    svg("text", { class: "label", x: 155, y: 225, "text-anchor": "middle" }, "predicted class"),
  );
  picture.append(
    svg(
      "text",
      { class: "label", x: 12, y: 100, "text-anchor": "middle", transform: "rotate(-90 12 100)" },
      "actual class",
    ),
  );
  const rows = () => [
    ["model", "threshold", "actual class", "predicted class", "weight"],
    ...series.flatMap((one) =>
      (one.pairs || []).map((pair) => [
        one.name,
        pair.over,
        pair.actual,
        pair.predicted,
        pair.weight,
      ]),
    ),
  ];
  figure.replaceChildren(
    caption(/** @type {any} */ ({ title: slice, summary, rows }), picture),
    picture,
  );
}
