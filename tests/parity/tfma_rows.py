# SPDX-License-Identifier: Apache-2.0
"""The rows of TFMA's own tests of metrics, which are facts of github.com/tensorflow/model-analysis."""

from __future__ import annotations

import math
from typing import Any

NAN = math.nan
# The candidate's predictions are in `prediction`; where there is `old` it has the baseline's.
DATA: dict[str, dict[str, list[Any]]] = {
    "ten rows": {
        "label": [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0],
        "prediction": [0.6, 0.3, 0.2, 0.6, 0.7, 0.8, 0.1, 0.2, 0.3, 0.4],
    },
    "weighted": {
        "label": [0.0, 1.0, 0.0],
        "prediction": [1.0, 0.7, 0.5],
        "weight": [0.5, 0.7, 0.9],
    },
    "fractional": {"label": [0.0, 0.6, 0.8], "prediction": [0.0, 0.7, 1.0]},
    "four rows": {"label": [0.0, 0.0, 1.0, 1.0], "prediction": [0.0, 0.5, 0.3, 0.9]},
    "negative": {"label": [0.0], "prediction": [0.0]},
    "positive": {"label": [1.0], "prediction": [1.0]},
    "three rows": {"label": [0.0, 1.0, 1.0], "prediction": [0.0, 0.3, 0.9]},
    "entropy": {"label": [0.0, 1.0], "prediction": [0.6, 0.6], "weight": [1.0, 0.8]},
    "logits": {"label": [0.0, 1.0, 0.0, 0.0], "prediction": [-18.6, 0.51, 2.94, -12.8]},
    "one-hot": {
        "label": [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        "prediction": [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]],
    },
    "one-hot weighted": {
        "label": [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        "prediction": [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]],
        "weight": [0.3, 0.7],
    },
    "one-hot logits": {
        "label": [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        "prediction": [[-5.0, 0.95, -10.0], [5.0, -1.0, 0.5]],
    },
    # A row for each value; TFMA's has three, three and one in its examples.
    "errors": {
        "label": [0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 3.0],
        "prediction": [1.0, 0.0, 2.0, 0.5, 1.0, 5.0, 5.0],
        "weight": [0.1, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0],
    },
    "correlated": {"label": [2.0, 1.0, 2.0, 3.0], "prediction": [1.0, 2.0, 3.0, 4.0]},
    "correlated weighted": {
        "label": [1.0, 4.0, 3.0, 3.0],
        "prediction": [1.0, 2.0, 3.0, 4.0],
        "weight": [1.0, 2.0, 3.0, 4.0],
    },
    "one row": {"label": [0.0], "prediction": [1.0]},
    "tjur": {"label": [0.0, 1.0, 1.0], "prediction": [0.8, 0.3, 0.9]},
    "tjur weighted": {
        "label": [0.0, 1.0, 1.0, 0.0],
        "prediction": [0.8, 0.3, 0.9, 0.2],
        "weight": [1.0, 2.0, 3.0, 4.0],
    },
    "texts": {
        "label": ["Test 1 two 3", "Testing", "Test 1 two 3 "],
        "prediction": ["Test 1 two 3", "Dog", "Test 1 two 3"],
    },
    "texts as JSON": {
        "label": ['"Test 1 two 3"', '"Testing"', '"Test 1 two 3" '],
        "prediction": ['"Test 1 two 3"', '"Dog"', '"Test 1 two 3"'],
    },
    "texts weighted": {
        "label": ["Test 1 two 3", "Testing"],
        "prediction": ["Test 1 two 3", "Dog"],
        "weight": [3.0, 1.0],
    },
    "counted": {
        "label": [0.0] * 4,
        "prediction": [0.0] * 4,
        "weight": [0.0, 0.5, 1.0, 0.7],
    },
    "queries": {
        "label": [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0],
        "prediction": [0.2, 0.8, 0.5, 0.9, 0.1, 0.9, 0.9],
        "weight": [1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0],
        "query": ["1", "1", "2", "2", "2", "3", "4"],
        "gain": [1.0, 0.5, 0.5, 1.0, 0.1, 1.0, 0.0],
    },
    "three queries": {
        "label": [1.0, 0.0, 1.0, 0.0, 0.0, 1.0],
        "prediction": [0.2, 0.8, 0.9, 0.1, 0.5, 0.9],
        "custom_label": [0.0, 1.0, 0.0, 1.0, 0.0, 0.0],
        "weight": [1.0, 1.0, 2.0, 2.0, 2.0, 3.0],
        "query": ["1", "1", "2", "2", "2", "3"],
    },
    "a query without weight": {
        "label": [1.0],
        "prediction": [0.2],
        "weight": [0.0],
        "query": ["1"],
    },
    "flips": {
        "label": [0.0, 0.0, 1.0, 1.0],
        "prediction": [0.9, 0.1, 0.2, 0.8],
        "old": [0.1, 0.9, 0.1, 0.9],
        "weight": [1.0, 2.0, 3.0, 4.0],
    },
    "differences": {
        "label": [0.0, 0.0, 1.0],
        "prediction": [0.2, 0.3, 0.8],
        "old": [0.1, 0.2, 0.9],
        "weight": [1.0, 2.0, 3.0],
    },
    "no difference": {"label": [0.0], "prediction": [0.1], "old": [0.1]},
    "multi-label": {
        "label": [[0.0, 1.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0]],
        "prediction": [[0.0, 0.3, 0.7], [0.5, 0.3, 0.8], [0.3, 0.7, 0.9]],
    },
    "keras sparse": {"label": [1], "prediction": [[0.3, 0.6, 0.1]]},
    "keras class": {
        "label": [2, 0, 1, 1],
        "prediction": [[0.5, 0.0, 0.5], [0.2, 0.5, 0.3], [0.2, 0.3, 0.5], [0.0, 0.9, 0.1]],
    },
    "keras class weights": {
        "label": [[0.0, 0.0, 1.0, 0.0]],
        "prediction": [[0.0, 0.5, 0.3, 0.9]],
    },
    "no weight in a row": {
        "label": [0.0, 0.0, 1.0, 1.0, 1.0],
        "prediction": [0.0, 0.5, 0.3, 0.9, 0.5],
        "weight": [1.0, 1.0, 1.0, 1.0, 0.0],
    },
}
_OTHER, _LAST = [0.01, 0.2, 0.2, 0.09, 0.5], [0.1, 0.05, 0.3, 0.4, 0.05]
for _name, _classes, _scores in (
    (
        "classes",
        [2, 1, 3, 1],
        [
            [0.1, 0.2, 0.1, 0.25, 0.35],
            [0.2, 0.3, 0.05, 0.15, 0.3],
            [0.01, 0.2, 0.09, 0.5, 0.2],
            [0.3, 0.2, 0.05, 0.4, 0.05],
        ],
    ),
    (
        "one class",
        [1, 3, 3, 1],
        [[0.1, 0.2, 0.1, 0.25, 0.35], [0.2, 0.3, 0.05, 0.15, 0.3], _OTHER, _LAST],
    ),
    (
        "one class of the first two",
        [1, 3, 3, 1],
        [[0.1, 0.5, 0.1, 0.45, 0.35], [0.2, 0.3, 0.05, 0.31, 0.3], _OTHER, _LAST],
    ),
):
    DATA[_name] = {"label": _classes, "prediction": _scores, "weight": [0.5, 0.7, 0.9, 0.3]}
_A, _B, _C = [1.0, 0.5, 0.5, 1.0], [0.5, 1.0, 1.0, 0.5], [0.25, 0.1, 0.9, 0.75]
for _name, _old, _new in (
    ("no change", [_A, _B, _C], [_A, _B, _C]),
    ("small change", [_A, _B, _A], [_A, _A, _B]),
    ("large change", [_C, _A, _B], [_A, _B, _C]),
):
    DATA[_name] = {"label": [_A, _A, _A], "prediction": _new, "old": _old}
