// SPDX-License-Identifier: Apache-2.0
// The confusion of several classes as a heat map.

const MOST_CLASSES = 30;
const WRITTEN_CLASSES = 6;
const ROOMY_CLASSES = 4; // whose shares have a decimal
const MOST_LABELS = 12;
const HEAT = { left: 60, top: 6, side: 190 };

/**
 * The pairs at the highest of the thresholds that is not above the slider's.
 * @param {Pair[]} pairs
 */
function pairsAt(pairs) {
  const all = [...new Set(pairs.map((pair) => pair.over))].sort((a, b) => a - b);
  const over = all.filter((threshold) => threshold <= state.threshold + 1e-9).at(-1) ?? all[0];
  return { over, pairs: pairs.filter((pair) => pair.over === over) };
}

/**
 * A class by its number; TFMA says -1 where no class scores above the threshold.
 * @param {number} id
 */
const className = (id) => (id < 0 ? "none" : String(id));

/** @param {Pair[]} pairs */
function classesOf(pairs) {
  const ids = [...new Set(pairs.flatMap(({ actual, predicted }) => [actual, predicted]))];
  const totals = new Map();
  for (const { actual, weight } of pairs) totals.set(actual, (totals.get(actual) || 0) + weight);
  const known = ids.filter((id) => id >= 0).sort((a, b) => a - b);
  const none = ids.filter((id) => id < 0); // a column behind those of the classes, and no row
  return { ids: [...known.slice(0, MOST_CLASSES), ...none], totals };
}

/**
 * @param {Pair[]} pairs
 * @param {Map<number, number>} totals
 */
function shareRight(pairs, totals) {
  const all = [...totals.values()].reduce((sum, n) => sum + n, 0);
  const right = pairs.filter(({ actual, predicted }) => actual === predicted);
  const share = ratio(
    right.reduce((sum, { weight }) => sum + weight, 0),
    all,
  );
  return `${percent(share)} of ${whole(all)} right`;
}

/** @type {PlotKind["draw"]} */
function drawClasses(figure, slice) {
  const sides = pairsOf(slice);
  const ours = candidateOf(sides);
  if (!ours) return false;
  const title = data.names[slice];
  const { over, pairs } = pairsAt(ours.pairs);
  const { ids, totals } = classesOf(pairs);
  const right = `${shareRight(pairs, totals)} at threshold ${brief(over)}`;
  const summary = `Confusion of classes of ${title}: ${right}`;
  const picture = pictureOf(300, 230, summary);
  for (const pair of pairs) picture.append(...heatCell(pair, ids, totals.get(pair.actual) || 0));
  picture.append(...heatLabels(ids));
  const rows = () => [
    ["model", "threshold", "actual class", "predicted class", "weight"],
    ...sides.flatMap(({ name, pairs: all }) =>
      all.map((pair) => [name, pair.over, pair.actual, pair.predicted, pair.weight]),
    ),
  ];
  figure.replaceChildren(caption({ title, summary, rows }, picture), picture);
  return true;
}

/**
 * @param {Pair} pair
 * @param {number[]} ids
 * @param {number} total Of its actual class.
 */
function heatCell({ actual, predicted, weight }, ids, total) {
  const [down, across] = [ids.indexOf(actual), ids.indexOf(predicted)];
  if (down < 0 || across < 0) return [];
  const side = HEAT.side / ids.length;
  const share = ratio(weight, total);
  const [x, y] = [HEAT.left + across * side, HEAT.top + down * side];
  const tip =
    `${whole(weight)} of ${whole(total)} examples of class ${className(actual)} ` +
    `are predicted to be of class ${className(predicted)}`;
  const size = { width: side - 1, height: side - 1, "fill-opacity": 0.04 + 0.6 * share };
  const cell = svg("rect", { class: "cell class", x, y, ...size, "data-tip": tip });
  if (ids.length > WRITTEN_CLASSES) return [cell];
  const text = ids.length > ROOMY_CLASSES ? `${decimal(100 * share, 0, 0)}%` : percent(share);
  return [cell, centred("tick on", text, x + side / 2, y + side / 2 + 3)];
}

/** @param {number[]} ids */
function heatLabels(ids) {
  const side = HEAT.side / ids.length;
  const every = Math.ceil(ids.length / MOST_LABELS);
  const bottom = HEAT.top + side * ids.filter((id) => id >= 0).length;
  const labels = ids.flatMap((id, i) => {
    if (i % every) return [];
    const middle = (i + 0.5) * side;
    const left = { x: HEAT.left - 6, y: HEAT.top + middle + 3, "text-anchor": "end" };
    const below = centred("tick", className(id), HEAT.left + middle, bottom + 13);
    return id < 0 ? [below] : [tickText(className(id), left), below];
  });
  return [
    ...labels,
    centred("label", "predicted class", HEAT.left + HEAT.side / 2, bottom + 29),
    centred("label", "actual class", 12, 100, -90),
  ];
}
