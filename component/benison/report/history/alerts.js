// SPDX-License-Identifier: Apache-2.0
// What monitoring said: the alerts, and marks where changes began.

const BEGAN = "▼";
const SEEN = "▲";

/** The alerts of the metric and slice that are looked at. */
function alertsHere() {
  const [m, slice] = [metricRank(), sliceRank()];
  const alerts = data.watched?.alerts ?? [];
  return alerts.filter((alert) => alert.metric === m && alert.slice === slice);
}

/** All alerts as a list, each of which leads to its chart. */
function listAlerts() {
  if (!data.watched) return;
  const { summary, errorRate, alerts } = data.watched;
  at("watched").hidden = false;
  at("watch-summary").textContent = summary;
  at("watch-errors").textContent = errorRate;
  at("alerts").replaceChildren(...alerts.map((alert) => make("li", {}, alertButton(alert))));
}

/** @param {Alert} alert */
function alertButton({ metric: m, slice, sentence: text }) {
  if (m < 0 || slice < 0) return text;
  const click = () => set({ metric: data.metrics[m].label, slice: data.slices[slice] });
  return make("button", { type: "button", class: "look", on: { click } }, text);
}

/**
 * Where the changes of the slice began: a line and a shade from there on.
 * @param {Line[]} lines
 * @param {Frame} frame
 */
function beginnings(lines, { x, right, bottom }) {
  return alertsHere().flatMap(({ since, sentence: text }) => {
    const k = lines.length === 1 ? lines[0].points.indexOf(since) : -1;
    if (k < 0) return [];
    const from = x(k);
    const label = { role: "img", "aria-label": text, "data-tip": text };
    const shade = { x: from, y: PAD.top, width: right - from, height: bottom - PAD.top };
    return [
      svg("rect", { class: "since", ...shade }),
      svg(
        "g",
        { class: "began", ...label },
        svg("line", { x1: from, x2: from, y1: PAD.top, y2: bottom }),
        svg("path", { d: `M${from - 7} 1H${from + 7}L${from} 12Z` }),
      ),
    ];
  });
}

/**
 * What there is to say of a point in the table of runs.
 * @param {number} i
 */
function alertAt(i) {
  const alerts = alertsHere();
  const words = [
    alerts.some(({ since }) => since === i) && `${BEGAN} it began`,
    alerts.some(({ raised }) => raised === i) && `${SEEN} seen`,
  ];
  return words.filter(Boolean).join(" ");
}
