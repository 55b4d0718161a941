# SPDX-License-Identifier: Apache-2.0
"""The base of metrics of a decision, which of several classes are of one class or of the highest scores.

The parameters are TFMA's. What they mean is decided in one place, where a view of the data is made of them:
the one that `binarize` and `aggregate` of a metrics spec lead to.
"""

from __future__ import annotations

import dataclasses

from benison.metrics.base import Metric


@dataclasses.dataclass(frozen=True, kw_only=True)
class Binarized(Metric):
    """A metric of labels in [0, 1] and a score, with the parameters that make these of several classes.

    Attributes:
        class_id: The class of which it is, from 0 up.
        top_k: Every class counts, and only the `top_k` highest scores of a row can be positive, those of
            the other classes being -inf. With `class_id`, that class alone counts, and can be positive where
            it is among the `top_k` highest. So it is for each class of a macro average: with `top_k=1` a
            class is predicted where its score is the highest one, as scikit-learn's averages have it.
    """

    class_id: int | None = None  # type: ignore[misc]
    top_k: int | None = None
    accepts = frozenset({"binary"})

    @property
    def top_k_scores(self) -> int | None:  # type: ignore[override]
        """`top_k`, by the name that views are made of."""
        return self.top_k

    def __post_init__(self) -> None:
        if self.class_id is not None and not self.class_id >= 0:
            raise ValueError(f"class_id must be a class from 0 up, not {self.class_id!r}")
        if self.top_k is not None and not self.top_k >= 1:
            raise ValueError(f"top_k must be a number of classes from 1 up, not {self.top_k!r}")
