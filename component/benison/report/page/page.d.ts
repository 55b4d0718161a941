// SPDX-License-Identifier: Apache-2.0
// The types of the report's script, for the type checker alone. payload.py, page_columns.py and points.py
// write what `Data` says.

/** First byte, length and kind of a column. */
type Column = [start: number, length: number, kind: "f8" | "i4" | "d6"];

type Field = "value" | "lower" | "upper" | "baseline" | "changeLower" | "changeUpper";

type Metric = {
  name: string;
  about: string;
  /** The metric that is compared between slices; null where it is of slices themselves. */
  of: string | null;
  /** Whether higher is better; null where neither end is good. */
  better: boolean | null;
  low: number | null;
  high: number | null;
} & { [F in Field]?: Column };

interface View {
  label: string;
  metrics: Metric[];
}

/** A plot of a view over some slices, one slice after the other in each column. */
interface Plot {
  view: number;
  name: string;
  slices: number[];
  axis: Column;
  candidate: Record<string, Column>;
  baseline?: Record<string, Column>;
}

interface Data {
  names: string[];
  kinds: string[];
  /** The kind of what compares two slices. */
  comparisons: string;
  kind: Column;
  examples: Column;
  views: View[];
  /** Features of the slices that are not in the page, how many, and their least and most examples. */
  left: [kind: string, count: number, least: number, most: number][];
  /** Whether numbers have all their digits, or six. */
  exact: boolean;
  sliceCount: number;
  failed: [slice: number, view: number, metric: string][];
  baseline: string | null;
  /** The confidence of intervals. */
  level: number;
  /** The standard errors from a value to the end of its interval. */
  reach: number;
  plots: Plot[];
  plotSlices: number;
  /** Whether the results have plots, be they undefined. */
  plotsAsked: boolean;
}

interface State {
  mark: string;
  outcome: string;
  view: number;
  metric: string;
  kind: string;
  find: string;
  least: number;
  failing: boolean;
  sort: string;
  down: boolean;
  from: number | null;
  to: number | null;
  weigh: boolean;
  change: boolean;
  columns: string[];
  slice: string[];
  plot: string[];
  threshold: number;
  theme: string;
  group: string;
  rate: string;
  reference: string;
  at: string;
}

/** A slice in the picture of a few: its value over its line, the ends of its interval, its baseline. */
interface WhiskerLine extends Tip {
  i: number;
  low: number;
  high: number;
  baseline: number;
}

/** How the cells of a metric are drawn. */
interface Extent {
  largest: number;
  bounds: Axis;
  change: number;
  letters: number;
}

/** Weight of positives and negatives above each threshold, and between them. */
interface Counts {
  thresholds: Numbers;
  tp: Float64Array;
  fp: Float64Array;
  positives: number;
  negatives: number;
  positivesBetween: Numbers;
  negativesBetween: Numbers;
  /** Where intervals were computed. */
  limits?: CurveLimits;
}

type Ends = [low: number, high: number];

/** The intervals of rates at each threshold. */
interface CurveLimits {
  recall: Ends[];
  falls: Ends[];
  precision: Ends[];
}

/** Sums of the examples whose predictions are between edges, and outside all at both ends. */
interface Sums {
  edges: Numbers;
  label: Numbers;
  prediction: Numbers;
  weight: Numbers;
  /** As many examples of equal weight as say as much, where intervals were computed. */
  effective?: Numbers;
}

interface Bucket {
  label: number;
  prediction: number;
  weight: number;
  /** As many examples of equal weight as say as much. */
  effective: number;
  x: number;
  y: number;
}

interface Pair {
  over: number;
  actual: number;
  predicted: number;
  weight: number;
}

interface Matrix {
  threshold: number;
  tp: number;
  fp: number;
  fn: number;
  tn: number;
}

type Needs = "counts" | "sums" | "pairs";

/** A model's side of a plot. */
interface Side {
  name: string;
  css: "ours" | "theirs";
}

type Counted = Side & { counts: Counts };
type Summed = Side & { sums: Sums };
type Paired = Side & { pairs: Pair[] };
type Bucketed = Side & { buckets: Bucket[] };

type CurvePoint = [x: number, y: number, say: () => string, ends?: Ends];

interface Curve {
  title: string;
  x: Axis;
  y: Axis;
  diagonal?: number[][];
  dotted?: boolean;
}

interface PlotKind {
  title: string;
  about: string;
  needs: Needs;
  /** Draw the plot of a slice, or nothing where the page has none. */
  draw: (figure: HTMLElement, slice: number) => boolean;
}

interface Rate {
  about: string;
  of: (m: Matrix) => number;
  among: (m: Matrix) => number;
}

interface RateCell {
  rate: number;
  among: number;
}

interface RateRow {
  slice: number;
  cells: RateCell[];
}
