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
