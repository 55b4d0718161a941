# SPDX-License-Identifier: Apache-2.0
"""Searches cells for slices whose losses are above what is expected: orthogonal matching pursuit.

The slice with the largest score is taken; what all slices so far explain of every cell is then expected of
it, so that parts of a slice and slices that hold it are not chosen for its sake. Mallat and Zhang, "Matching
pursuits with time-frequency dictionaries", 1993; Pati, Rezaiifar and Krishnaprasad, "Orthogonal matching
pursuit", 1993. Cells of the first half of the rows are searched; the second half confirms.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benison.data.batch import Array, Index, Mask
from benison.evidence.tails import normal_quantile
from benison.weak_slices.cell_sums import HALVES, CellSums
from benison.weak_slices.layout import Combination, flat_codes
from benison.weak_slices.overlaps import RowsInBoth

Shares: TypeAlias = npt.NDArray[np.float32]

_PAIRS_EXTENDED = 50
_BY_CHANCE = 1.0
"""So many slices are taken by chance, on average; the other half of the rows does not confirm these."""
_PRIOR_SHAPE = 3.0
"""How sure what counts of fewer features say is: as so many rows of a sample would make it. Fewer leave too
skewed an error to be tested as normal, and more hide what such counts do not see."""
_ALMOST = 0.98
"""A slice of fewer features is taken where its score is this share of the score of its part: to the rows of a
part that is nearly all of it, noise alone may give a larger one."""


@dataclasses.dataclass(frozen=True)
class Search:
    """What is looked for; `min_effect` is in the unit of the loss."""

    depth: int
    top: int
    min_examples: int
    min_effect: float
    floor: float | None = None
    """What is expected of a loss at the least: 0 of a change, as a slice that improved less is not worse."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A slice by the codes of its features, and its position among all cells."""

    features: Combination
    codes: tuple[int, ...]
    cell: int

    @property
    def pairs(self) -> dict[int, int]:
        """The code of each feature."""
        return dict(zip(self.features, self.codes, strict=True))


WHOLE = Candidate((), (), -1)
"""All rows, as the slice of no feature, which is no cell."""


class Tables:
    """Rows, sums and squares, float64[3, halves, cells], of the cells of all combinations in a row.

    Combinations that are not counted over all rows are counted over the sample; which ones is up to the
    pairs with the largest scores.
    """

    def __init__(self, state: CellSums, search: Search) -> None:
        self.layout, self.levels, self.floor = state.layout, state.levels, search.floor
        self.sample = state.sample.ordered()
        self._whole = self.layout.dense(state.moments())
        self._codes = np.ascontiguousarray(self.sample.codes.T.astype(np.int64))
        self._halves = self.sample.halves
        self._rows = {c: table[0].sum(axis=0) for c, table in self._whole.items()}
        total = self._whole[(0,)].sum(axis=-1)
        self.total: Array = total
        """Rows, sum and squares of all rows: float64[3, halves]."""
        self._rows[()] = total[0].sum()
        self.share = len(self.sample.hashes) / max(total[0].sum(), 1)
        self.combinations = [
            c
            for depth in range(1, self.layout.depth + 1)
            for c in itertools.combinations(range(len(self.layout.sizes)), depth)
        ]
        wider = self._wider(search) if self.layout.depth < search.depth else []
        sampled = [self._of_sample(combination) for combination in wider]
        parts = [self._whole[c].reshape(3, HALVES, -1) for c in self.combinations] + sampled
        self.combinations += wider
        self.starts = np.cumsum([0, *(part.shape[-1] for part in parts)])
        self.moments = np.concatenate(parts, axis=-1)
        self.eligible = self._eligible(search.min_examples)
        self.judges_whole = search.floor is not None and bool(
            _is_enough(total[0], search.min_examples)
        )
        """Whether all rows are judged as a slice too: what they have in common is expected of others."""

    def _eligible(self, min_examples: int) -> Mask:
        """Cells that are slices, of enough rows in both halves."""
        named = [_named(self.layout.shape(combination)) for combination in self.combinations]
        return np.asarray(np.concatenate(named) & _is_enough(self.moments[0], min_examples))

    def _wider(self, search: Search) -> list[Combination]:
        """Combinations of one more feature around the pairs of the largest scores."""
        if len(self.layout.sizes) <= self.layout.depth:
            return []
        mean, deviation = _mean_and_deviation(self.total[:, 0])
        best: list[tuple[float, Combination]] = []
        for pair in itertools.combinations(range(len(self.layout.sizes)), self.layout.depth):
            rows, sums, _ = self._whole[pair][:, 0].reshape(3, -1)
            named = _named(self.layout.shape(pair)) & (rows >= search.min_examples)
            score = (sums - rows * mean) / np.sqrt(np.maximum(rows, 1)) / deviation
            best.append((float(score[named].max(initial=-np.inf)), pair))
        chosen = [pair for _, pair in sorted(best, key=lambda b: (-b[0], b[1]))[:_PAIRS_EXTENDED]]
        others = range(len(self.layout.sizes))
        return sorted({tuple(sorted((*p, f))) for p in chosen for f in others if f not in p})

    def _of_sample(self, combination: Combination) -> Array:
        """The moments of cells by the rows of the sample: float64[3, halves, cells]."""
        losses = self.sample.losses
        weights = (None, losses, losses * losses)
        return np.stack([self._counted(combination, slice(None), weight) for weight in weights])

    def _counted(
        self, combination: Combination, rows: Index | slice, weights: Array | None = None
    ) -> Array:
        """Rows of the sample by half and cell: float64[halves, cells]."""
        size = self._size(combination)
        cells = flat_codes(self._codes[:, rows], combination, self.layout.sizes)
        counted = np.bincount(cells + self._halves[rows] * size, weights, HALVES * size)
        return np.asarray(counted.reshape(HALVES, size), np.float64)

    def _size(self, combination: Combination) -> int:
        return int(np.prod(self.layout.shape(combination), dtype=np.int64))

    def candidate(self, cell: int) -> Candidate:
        """The slice at a position among all cells."""
        number = int(np.searchsorted(self.starts, cell, side="right")) - 1
        features = self.combinations[number]
        codes = np.unravel_index(cell - self.starts[number], self.layout.shape(features))
        return Candidate(features, tuple(map(int, codes)), cell)

    def cell_of(self, pairs: dict[int, int]) -> int:
        """The position of a slice that is counted."""
        features = tuple(sorted(pairs))
        number = self.combinations.index(features)
        codes = tuple(pairs[feature] for feature in features)
        within = np.ravel_multi_index(codes, self.layout.shape(features))
        return int(self.starts[number] + within)

    def overlap(self, candidate: Candidate) -> tuple[Shares, Shares]:
        """The rows of each cell that are in a slice too, and their variance where the sample tells them.

        Both are float32[halves, cells].
        """
        rows = np.zeros((HALVES, self.moments.shape[-1]), np.float32)
        variance = np.zeros_like(rows)
        inside = np.flatnonzero(self._is_in(candidate))
        in_both = RowsInBoth(self._rows, candidate.pairs, self.layout.depth)
        for i, combination in enumerate(self.combinations):
            span = slice(self.starts[i], self.starts[i + 1])
            union = tuple(sorted({*combination, *candidate.features}))
            if combination not in self._whole or (union not in self._whole and self.share >= 1):
                rows[:, span] = self._counted(combination, inside)
            elif union in self._whole:
                rows[:, span] = self._exact(combination, candidate, union)
            elif len(inside):
                known = self.moments[0, :, span]
                estimate = self._estimated(combination, candidate, known, in_both)
                rows[:, span], variance[:, span] = estimate
        return rows, variance

    def _estimated(
        self, combination: Combination, candidate: Candidate, known: Array, in_both: RowsInBoth
    ) -> tuple[Array, Array]:
        """The rows in both and their variance, by the sample: float64[halves, cells].

        Rows of the sample are few in a small cell, and none do not mean that there are none: the estimate is
        that of a Poisson rate whose prior is Gamma, around what counts of fewer features let one expect. Each
        half has the rows of its own half of the sample: what the search has made of chance in one is none of
        the other's.

        Args:
            combination: The features of the cells.
            candidate: The slice.
            known: The rows of the cells, float64[halves, cells].
            in_both: What counts of fewer features say.
        """
        fits = tuple(candidate.pairs.get(feature, slice(None)) for feature in combination)
        prior = np.zeros(self.layout.shape(combination))
        prior[fits] = in_both.of(combination)
        prior = prior.ravel() * known / np.maximum(known.sum(axis=0), 1)
        inside = np.flatnonzero(self._is_in(candidate))
        seen = self._counted(combination, inside)
        exposed = np.bincount(self._halves[inside], minlength=HALVES)
        own = self.rows_of(candidate, self.moments[0, :, candidate.cell])
        shape = _PRIOR_SHAPE + seen
        rate = _PRIOR_SHAPE / np.maximum(prior, 1e-12) + (exposed / np.maximum(own, 1))[:, None]
        estimate = np.where(prior > 0, shape / rate, 0.0)
        return estimate, np.where(prior > 0, shape / rate**2, 0.0)

    def rows_of(self, candidate: Candidate, rows: Array) -> Array:
        """Rows of a slice, among all rows where only those of the sample were counted."""
        is_counted = candidate == WHOLE or candidate.features in self._whole
        return rows if is_counted else rows / max(self.share, 1e-12)

    def moments_of(self, candidate: Candidate) -> Array:
        """Rows, sum and squares of a slice: float64[3, halves]."""
        return self.total if candidate == WHOLE else self.moments[:, :, candidate.cell]

    def _is_in(self, candidate: Candidate) -> Mask:
        within = np.ones(len(self.sample.hashes), np.bool_)
        for feature, code in candidate.pairs.items():
            within &= self._codes[feature] == code
        return within

    def _exact(self, combination: Combination, candidate: Candidate, union: Combination) -> Array:
        """The rows in both by the cells of all features of both: float64[halves, cells]."""
        codes = candidate.pairs
        table = self._whole[union][0][(slice(None), *(codes.get(f, slice(None)) for f in union))]
        both = np.zeros((HALVES, *self.layout.shape(combination)))
        both[(slice(None), *(codes.get(f, slice(None)) for f in combination))] = table
        return both.reshape(HALVES, -1)


def signed_deviance(successes: Array, trials: Array, share: Array) -> Array:
    """The signed root of the deviance of shares, which is about standard normal in its tails too: float64[N].

    >>> signed_deviance(np.array([8.0]), np.array([10.0]), np.array([0.5])).round(4).tolist()
    [1.9634]
    """
    safe = np.maximum(trials, 1)
    observed = np.clip(successes / safe, 1e-12, 1 - 1e-12)
    distance = observed * np.log(observed / share)
    distance += (1 - observed) * np.log((1 - observed) / (1 - share))
    root = np.sqrt(2 * trials * np.maximum(distance, 0))
    return np.asarray(np.where(observed > share, root, -root))


def _is_enough(rows: Array, min_examples: int) -> Mask:
    """Where there are enough rows, float64[halves, cells], in both halves."""
    least = max(min_examples // 2, 2)
    return np.asarray((rows.sum(axis=0) >= min_examples) & (rows.min(axis=0) >= least))


def _named(shape: tuple[int, ...]) -> Mask:
    """Which cells of a combination are slices: those without code 0; bool[cells]."""
    named = np.ones(shape, np.bool_)
    for axis in range(len(shape)):
        named[(slice(None),) * axis + (0,)] = False
    return named.ravel()


def _mean_and_deviation(moments: Array) -> tuple[float, float]:
    """Of losses whose rows, sum and squares are given."""
    rows, total, squares = map(float, moments)
    mean = total / max(rows, 1)
    return mean, max(squares / max(rows, 1) - mean * mean, 1e-300) ** 0.5


class Pursuit:
    """The slices that were taken so far, and what they lead one to expect of every cell."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.taken: list[Candidate] = []
        self._overlaps: list[tuple[Shares, Shares]] = []
        self.effects = np.array([_mean_and_deviation(tables.total[:, 0])[0]])
        """The loss of a row in no slice that was taken, and what each slice adds to it."""

    def expected(self, half: int, without: int | None = None) -> tuple[Array, Array]:
        """The sum of losses of each cell, without what one slice adds, and its variance: float64[cells]."""
        sums = self.tables.moments[0, half] * self.effects[0]
        variance = np.zeros_like(sums)
        for i, (rows, uncertain) in enumerate(self._overlaps):
            if i != without:
                sums += self.effects[i + 1] * rows[half]
                variance += self.effects[i + 1] ** 2 * uncertain[half]
                variance += rows[half].astype(np.float64) ** 2 * self._error(i) ** 2
        if self.tables.floor is not None:
            sums = np.maximum(sums, self.tables.floor * self.tables.moments[0, half])
        return sums, variance

    def _error(self, i: int) -> float:
        """The standard error of what a slice adds."""
        moments = self.tables.moments[:, 0, self.taken[i].cell]
        deviation = max(_mean_and_deviation(moments)[1], self.deviation)
        return float(deviation / np.sqrt(moments[0]))

    @property
    def deviation(self) -> float:
        """The standard deviation of the losses of all rows of the first half."""
        return _mean_and_deviation(self.tables.total[:, 0])[1]

    def scores(self, min_effect: float) -> Array:
        """How many standard errors each slice is above what is expected: float64[cells], -inf for none."""
        rows, sums, _ = self.tables.moments[:, 0]
        expected, uncertain = self.expected(0)
        score, spread = self._score(expected)
        score /= np.sqrt(1 + uncertain / np.maximum(spread, 1e-300))
        excess = sums - expected
        strong = self.tables.eligible & (excess >= self._least(rows, min_effect)) & (excess > 0)
        return np.where(strong, score, -np.inf)

    def _least(self, rows: Array, min_effect: float) -> Array:
        """The least excess of each cell: of half of all rows half of the effect is expected of all."""
        hidden = self.hidden(min_effect)
        if hidden:
            return rows * (min_effect - hidden)
        return np.asarray(rows * min_effect * (1 - rows / max(self.tables.total[0, 0], 1)))

    def hidden(self, min_effect: float) -> float:
        """What a change of all rows has in common where that is too little to be reported of Overall.

        It is no excuse then: a slice that became worse by the least effect is reported, however much of the
        change of all rows is its own, or that of others like it.
        """
        floor, common = self.tables.floor, float(self.effects[0])
        is_hidden = floor is not None and floor < common < min_effect
        return common - (floor or 0.0) if is_hidden else 0.0

    def _score(self, expected: Array) -> tuple[Array, Array]:
        """The score of each cell by its expected sum, and the variance of the sum: float64[cells]."""
        rows, sums, squares = self.tables.moments[:, 0]
        safe = np.maximum(rows, 1)
        if self.tables.levels == (0, 1):
            share = np.clip(expected / safe, 1e-9, 1 - 1e-9)
            return signed_deviance(sums, rows, share), rows * share * (1 - share)
        if self.tables.levels == (-1, 1):  # of the rows that changed, a share became worse
            share = np.clip((1 + expected / np.maximum(squares, 1)) / 2, 1e-9, 1 - 1e-9)
            return signed_deviance((squares + sums) / 2, squares, share), squares
        own = squares / safe - (sums / safe) ** 2
        spread = rows * np.maximum(own, self.deviation**2)
        return (sums - expected) / np.sqrt(np.maximum(spread, 1e-300)), spread

    def take(self, candidate: Candidate) -> None:
        """Add a slice, and fit what all slices add to the losses anew."""
        self.taken.append(candidate)
        self._overlaps.append(self.tables.overlap(candidate))
        cells = [each.cell for each in self.taken]
        n, sums, _ = self.tables.moments[:, 0, cells]
        total = self.tables.total[:, 0]
        # A cell that is counted over the sample has an equation of rows of the sample.
        both = np.stack([rows[0, cells] for rows, _ in self._overlaps], axis=1)
        of_all = [float(self.tables.rows_of(each, n[i])) for i, each in enumerate(self.taken)]
        rows = np.block([[total[0], np.array(of_all)], [n[:, None], both.astype(np.float64)]])
        self.effects = np.linalg.lstsq(rows, np.concatenate([total[1:2], sums]), rcond=1e-9)[0]


def pursue(state: CellSums, search: Search) -> Pursuit:
    """Take slices, the strongest first, until there are `top`, or none is stronger than by chance."""
    pursuit = Pursuit(Tables(state, search))
    cells = int(pursuit.tables.eligible.sum())
    least = normal_quantile(min(_BY_CHANCE / cells, 0.5)) if cells else np.inf
    while len(pursuit.taken) < search.top:
        scores = pursuit.scores(search.min_effect)
        best = int(scores.argmax())
        if not scores[best] > least:
            break
        pursuit.take(_simplest(pursuit.tables, scores, best))
    return pursuit


def _simplest(tables: Tables, scores: Array, best: int) -> Candidate:
    """The best slice, or one with fewer features that is almost as strong."""
    candidate = tables.candidate(best)
    for depth in range(1, len(candidate.features)):
        parents = [
            tables.cell_of({f: candidate.pairs[f] for f in chosen})
            for chosen in itertools.combinations(candidate.features, depth)
        ]
        parent = max(parents, key=lambda cell: float(scores[cell]))
        if scores[parent] >= _ALMOST * scores[best]:
            return tables.candidate(parent)
    return candidate
