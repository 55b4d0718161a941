# SPDX-License-Identifier: Apache-2.0
"""BoxMatches detected boxes with labelled ones, as COCO's evaluation does, for many images at once.

In each image and class the detections come in the order of their scores, and each takes the labelled box
that is still free and overlaps it most, if their intersection over union reaches a threshold. That order
is the only loop: the first detections of all images and classes are matched at once, then the second ones.

In shapes D is the detections, G the labelled boxes, P the pairs of both that overlap, T the thresholds.

Source: Lin et al., "Microsoft COCO: common objects in context", ECCV 2014, and its evaluation pycocotools.
"""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benison.data.batch import Array, Index, Mask
from benison.slicing.spans import spans

_ALL_BUT_EQUAL = 1 - 1e-10  # a box that is predicted exactly reaches the threshold 1, as in COCO


class GroupedBoxes(NamedTuple):
    """M boxes of one class in one image each.

    Attributes:
        corners: Left, top, right and bottom of each, float64[M, 4].
        groups: Whole numbers that stand for image and class, int64[M].
    """

    corners: Array
    groups: Index

    @property
    def areas(self) -> Array:
        """Width times height: float64[M]."""
        left, top, right, bottom = self.corners.T
        return np.asarray((right - left) * (bottom - top), np.float64)

    def at(self, rows: Index) -> GroupedBoxes:
        """The boxes `rows`."""
        return GroupedBoxes(self.corners[rows], self.groups[rows])


@dataclasses.dataclass(frozen=True)
class BoxMatches:
    """What became of detections and labelled boxes at T thresholds.

    Attributes:
        right: Whether a detection has a labelled box, bool[T, D].
        counted: Whether a detection counts, bool[T, D]; those of another size do not.
        missed: Whether a labelled box of the size has no detection, bool[T, G].
    """

    right: Mask
    counted: Mask
    missed: Mask


def ranked(groups: Index, scores: Array, most: int | None) -> Index:
    """The detections of each group from the highest score down, at most so many: int64[D].

    >>> ranked(np.array([0, 1, 0, 0]), np.array([0.1, 0.5, 0.9, 0.5]), 2)
    array([2, 3, 1])
    """
    order = np.lexsort((-scores, groups))
    return order if most is None else order[_ranks(groups[order]) < most]


def _ranks(groups: Index) -> Index:
    """The place of each in its group, from 0, for groups in ascending order."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups, side="left")


def matched(
    truth: GroupedBoxes, detected: GroupedBoxes, ious: Array, sizes: tuple[float, float]
) -> BoxMatches:
    """Match the boxes of each group.

    A labelled box whose area is outside of `sizes` may be taken, if no other can, and then its detection
    does not count; nor does a detection of such an area that takes none.

    Args:
        truth: G labelled boxes in any order.
        detected: D detections, as `ranked` puts them.
        ious: The thresholds of the intersection over union, float64[T].
        sizes: The least and the largest area, both included.

    >>> truth = GroupedBoxes(np.array([[0, 0, 2, 2.0], [0, 0, 2, 3]]), np.array([0, 0]))
    >>> detected = GroupedBoxes(np.array([[0, 0, 2, 2.0], [0, 0, 2, 2]]), np.array([0, 0]))
    >>> matched(truth, detected, np.array([0.5, 0.9]), (0, np.inf)).right.tolist()
    [[True, True], [True, False]]
    """
    limits = np.minimum(ious, _ALL_BUT_EQUAL)
    inside, outside = _within(truth.areas, sizes), ~_within(detected.areas, sizes)
    pairs = _overlapping(truth, detected, float(limits.min()), inside)
    taken, partner = _greedy(pairs, limits, (len(truth.groups), len(detected.groups)))
    has_partner = partner >= 0
    wanted = np.append(inside, False)[partner]
    return BoxMatches(wanted, np.where(has_partner, wanted, ~outside), ~taken & inside)


def _within(areas: Array, sizes: tuple[float, float]) -> Mask:
    return np.asarray((areas >= sizes[0]) & (areas <= sizes[1]), np.bool_)


class _Pairs(NamedTuple):
    """Pairs of boxes that may match: those of the first detections of all groups, then of the second.

    The pairs of a detection follow each other, and the last that is free is the one that it takes.
    """

    truth: Index
    detected: Index
    iou: Array
    rounds: Index


def _overlapping(truth: GroupedBoxes, detected: GroupedBoxes, least: float, inside: Mask) -> _Pairs:
    order = np.argsort(truth.groups, kind="stable")
    groups = truth.groups[order]
    first = np.searchsorted(groups, detected.groups, side="left")
    last = np.searchsorted(groups, detected.groups, side="right")
    counts = last - first
    detections = np.repeat(np.arange(len(counts)), counts)
    labelled = order[spans(first, last)]
    iou = _iou(truth.at(labelled), detected.at(detections))
    kept = np.flatnonzero(iou >= least)
    labelled, detections, iou = labelled[kept], detections[kept], iou[kept]
    candidates, numbers = np.unique(detections, return_inverse=True)
    rounds = _ranks(detected.groups[candidates])[numbers]
    best_last = np.lexsort((labelled, iou, inside[labelled], detections, rounds))
    labelled, detections = labelled[best_last], detections[best_last]
    return _Pairs(labelled, detections, iou[best_last], rounds[best_last])


def _iou(a: GroupedBoxes, b: GroupedBoxes) -> Array:
    """Intersection over union of each pair: float64[P]; 0 where both have no area."""
    least, most = np.maximum(a.corners, b.corners), np.minimum(a.corners, b.corners)
    sides = np.maximum(most[:, 2:] - least[:, :2], 0)
    both = sides[:, 0] * sides[:, 1]
    union = a.areas + b.areas - both
    iou: Array = np.divide(both, union, out=np.zeros(len(both)), where=union != 0)
    return iou


def _greedy(pairs: _Pairs, limits: Array, sizes: tuple[int, int]) -> tuple[Mask, Index]:
    """Which labelled boxes are taken, bool[T, G], and by which detections, int64[T, D], -1 for none."""
    thresholds = np.arange(len(limits))[:, None]
    taken = np.zeros((len(limits), sizes[0]), np.bool_)
    partner = np.full((len(limits), sizes[1]), -1)
    ends = np.flatnonzero(np.diff(pairs.rounds, append=-1)) + 1
    for start, end in pairwise([0, *ends.tolist()]):
        truth, detected = pairs.truth[start:end], pairs.detected[start:end]
        free = (pairs.iou[start:end] >= limits[:, None]) & ~taken[:, truth]
        first = np.flatnonzero(np.diff(detected, prepend=-1))
        last_free = np.maximum.reduceat(np.where(free, np.arange(end - start), -1), first, axis=1)
        chosen = np.where(last_free < 0, -1, truth[last_free])
        partner[:, detected[first]] = chosen
        at = np.nonzero(chosen >= 0)
        taken[np.broadcast_to(thresholds, chosen.shape)[at], chosen[at]] = True
    return taken, partner
