// SPDX-License-Identifier: Apache-2.0
// The types that the pages' scripts have in common, for the type checker alone.

/** Slices of fewer examples are uncertain; table/words.py says how few that are. */
declare const FEW: number;

type Child = Node | string;
type Handlers = { [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
type Attributes = Record<string, string | number | boolean | null | undefined | Handlers>;

type Numbers = ArrayLike<number>;
type Cell = string | number;

/** What a value becomes: a place in a picture. */
type Scale = (value: number) => number;

interface Axis {
  min: number;
  max: number;
  label: string;
  log?: boolean;
  format?: (x: number) => string;
}

interface Tip {
  x: number;
  y: number;
  tip: () => string;
}

interface Chart {
  title: string;
  /** What it shows, for whoever points at the title. */
  about?: string;
  /** What a screen reader says; what is before its colon names the files that it is saved to. */
  summary: string;
  x: Axis;
  y: Axis;
  width?: number;
  height?: number;
  /** The numbers behind it, under a row of names. */
  rows: () => Cell[][];
  points?: Tip[];
}

interface Picture {
  picture: SVGSVGElement;
  x: Scale;
  y: Scale;
  width: number;
  height: number;
}

type StateValue = string | number | boolean | null | string[];

/** A state that the fragment of the address keeps. */
interface Kept<S> {
  /** Change it, show that, and put it into the address. */
  set: (change: Partial<S>) => void;
  /** Take it from the address, now and whenever that changes. */
  begin: () => void;
  write: () => void;
}
