// SPDX-License-Identifier: Apache-2.0
// The types of the script of results over time, for the type checker alone. build.py writes what `Data`
// says.

/** A row a slice, a column a point; null where it is unknown. */
type Grid = (number | null)[][];

type Verdict = "blessed" | "not_blessed" | "not_evaluated";
type Field = "value" | "lower" | "upper" | "baseline";

type Metric = { label: string; about: string; badWhenHigh: boolean | null } & {
  [F in Field]?: Grid;
};

/** What tells one from another, and what it is called. */
type Named = [key: string, name: string];

/** One candidate of one result. */
interface Point {
  run: string;
  created: string;
  verdict: Verdict;
  summary: string;
  reasons: string[];
  failures: number;
  rows: number | null;
  model: Named;
  data: Named;
}

/** What monitoring said: -1 for a metric, slice or point that the page does not have. */
interface Alert {
  metric: number;
  slice: number;
  /** The point in which the change began. */
  since: number;
  /** The point in which it was seen. */
  raised: number;
  sentence: string;
}

interface Watched {
  summary: string;
  errorRate: string;
  /** What a point is: an evaluation, or a period of one. */
  noun: string;
  /** The strongest first. */
  alerts: Alert[];
}

interface Data {
  points: Point[];
  /** The metric that is shown first. */
  first: number;
  slices: string[];
  sliceCount: number;
  examples: Grid;
  metrics: Metric[];
  failed: [metric: number, slice: number, point: number][];
  /** The bounds of the checks of values. */
  bounds: [metric: number, slice: number, point: number, bound: number][];
  /** Nothing where nobody watched. */
  watched: Watched | null;
}

type Over = "runs" | "model" | "data";

interface State {
  metric: string;
  slice: string;
  over: string;
  from: number;
  to: number;
  least: number;
  theme: string;
}

/** A line of the chart: its name, and the point at each place of the x axis, -1 where there is none. */
interface Line {
  name: string;
  points: number[];
}

/** Where the chart is drawn. */
interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  bottom: number;
  x: Scale;
  y: Scale;
}
