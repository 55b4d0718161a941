# SPDX-License-Identifier: Apache-2.0
"""Labels as class numbers: positions among the classes that a model knows."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pyarrow as pa

from benison.data.batch import Extracts, Ragged, Target, joined_name
from benison.errors import DataError
from benison.models.classes import Classes, are_counted, explained, positions

_LOGGER = logging.getLogger("benison")


class ClassNumbers:
    """What the classes of models are, as these say when they are called, and labels as their numbers."""

    def __init__(self) -> None:
        self._named: dict[Target, set[Classes | None]] = {}
        self._explained: set[Target] = set()

    def learn(self, target: Target, classes: Classes | None) -> None:
        """Keep the classes of which an output has the scores, if there are any.

        None means that rows name different ones. One row alone names some, whatever these are.
        """
        if classes != ():
            self._named.setdefault(target, set()).add(classes)

    def numbered(self, extracts: Extracts) -> Extracts:
        """With labels as positions where the classes of their model are not counted from 0.

        Raises:
            DataError: A label is none of the classes, or these were others in rows before.
        """
        labels = dict(extracts.get("labels", {}))
        used = dict(extracts.get("label_classes", {}))
        for target in [target for target in labels if target in self._named]:
            is_text, named = isinstance(labels[target], pa.Array), tuple(self._named[target])
            if isinstance(labels[target], Ragged):
                continue
            if len(named) > 1 or named[0] is None:
                raise _different(target)
            used[target] = named[0]
            if not are_counted(named[0]):
                self._explain(target, named[0], is_text)
                labels[target] = positions(labels[target], named[0])
        return {**extracts, "labels": labels, "label_classes": used} if labels else extracts

    def _explain(self, target: Target, classes: Classes, is_text: bool) -> None:
        """Say what class numbers mean, once for a model; loudly where a user may count otherwise."""
        if target in self._explained:
            return
        self._explained.add(target)
        loud = len(classes) > 2 or not is_text  # noqa: PLR2004 - only several have class_ids
        _LOGGER.log(
            logging.WARNING if loud else logging.INFO,
            "Class numbers, in the config and in results, are positions in the model's classes: %s.",
            explained(classes),
        )


def agreed(
    known: Mapping[Target, Classes], others: Mapping[Target, Classes]
) -> dict[Target, Classes]:
    """The classes in which labels are positions, of rows of two batches or workers.

    Raises:
        DataError: An output has others in the one than in the other, so that numbers do not mean the same.
    """
    for target, classes in others.items():
        if known.get(target, classes) != classes:
            raise _different(target)
    return {**known, **others}


def _different(target: Target) -> DataError:
    of = joined_name(*target)
    return DataError(
        f"The classes{f' of {of}' if of else ''} beside the scores are not the same in all rows, so that "
        f"they name no columns of scores, or are one other than 1 beside each score. Give the scores of all "
        f"classes, once each and texts in one order; leave the classes out where each score is of a positive "
        f"class; or ask for metrics that read both by name, such as SetMatchRecall."
    )
