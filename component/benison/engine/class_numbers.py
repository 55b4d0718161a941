# SPDX-License-Identifier: Apache-2.0
"""Labels as class numbers: positions among the classes that a model knows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from benison.data.batch import Target
from benison.models.classes import Classes, are_counted, explained, positions

_LOGGER = logging.getLogger("benison")


class ClassNumbers:
    """What the classes of models are, as these say when they are called, and labels as their numbers."""

    def __init__(self) -> None:
        self._classes: dict[Target, Classes] = {}
        self._explained: set[Target] = set()

    def learn(self, target: Target, classes: Classes) -> None:
        """Keep the classes of which an output has the scores, if they are not counted from 0."""
        if not are_counted(classes):
            self._classes.setdefault(target, classes)

    def numbered(self, labels: Mapping[Target, Any]) -> dict[Target, Any]:
        """The labels, as positions where the classes of their model are not counted from 0.

        Raises:
            DataError: A label is none of the classes.
        """
        numbered = dict(labels)
        for target, classes in self._classes.items():
            if target in labels:
                self._explain(target, classes, isinstance(labels[target], pa.Array))
                numbered[target] = positions(labels[target], classes)
        return numbered

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
