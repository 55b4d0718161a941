# SPDX-License-Identifier: Apache-2.0
"""Slices and thresholds over a small table.

The oracle: which slices there are, the rows and the mean label of each, and whether bounds on these hold,
by loops over rows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any, TypeAlias

import pyarrow as pa

import benison
from benison.config import CrossSlicingSpec, MetricThreshold, SlicingSpec
from tests.fuzz import conditions, trees
from tests.fuzz.cases import Case, WrongError

SliceKey: TypeAlias = tuple[tuple[str, str], ...]
Rows: TypeAlias = list[dict[str, Any]]

_TEXTS = ("a", "b", "", "3.10", "3.1", "é", "a\x1fb", "a\u241fb", "x=1", "x, y", "true", None)
_VALUES: dict[str, tuple[pa.DataType, tuple[Any, ...]]] = {
    "g": (pa.string(), _TEXTS),
    "h": (pa.int64(), (0, 1, -5, 2**62, 2**62 + 1, None)),
    "f": (pa.float64(), (0.0, -0.0, 1.0, 0.1, 1e15, 2.5, math.nan, None)),
    "b": (pa.bool_(), (True, False, None)),
    "m": (pa.list_(pa.string()), (["a", "b"], ["b"], [], None, ["a", "a"])),
    "d": (pa.dictionary(pa.int8(), pa.string()), ("a", "b", None)),
    "n": (pa.list_(pa.int32()), ([1], [2, 1], [], None)),
}
_FIXED = (
    "a",
    "b",
    "3.10",
    "0",
    "1",
    "-5",
    "4611686018427387905",
    "0.1",
    "true",
    "zzz",
    "",
    "1.0",
    "1e15",
)
_BOUNDS = (0.0, 0.5, 1.0, 3.0, -1.0, 1e-9, 20.0, math.inf)


def attempt(form: str, case: Case) -> None:
    """Evaluate slices and bounds that are right, or ones of which some are odd."""
    rows = _rows(case.random)
    table = pa.table(
        {name: pa.array([row[name] for row in rows], kind) for name, kind in _TYPES.items()}
    )
    if case.chance(0.5):
        config = case.kept["config"] = _odd(case.random)
        benison.evaluate(table, config)
        return
    specs = [{}, *(_spec(case.random) for _ in range(case.random.randrange(3)))]
    bounds = {
        name: _bounds(case.random) for name in ("example_count", "mean_label") if case.chance(0.6)
    }
    config = case.kept["config"] = _config(
        specs, {name: {"value_threshold": b} for name, b in bounds.items()}
    )
    result = benison.evaluate(table, config)
    by_spec = [_slices(rows, spec) for spec in specs]
    slices = {key: members for of_spec in by_spec for key, members in of_spec.items()}
    _check_values(result, slices)
    named = [of for spec, of in zip(specs, by_spec, strict=True) if spec.get("feature_values")]
    _check_verdict(result, slices, bounds, all(named))


_TYPES = {
    "label": pa.float64(),
    "prediction": pa.float64(),
    **{k: v[0] for k, v in _VALUES.items()},
}


def _rows(random: Random) -> Rows:
    def row() -> dict[str, Any]:
        features = {name: random.choice(values) for name, (_, values) in _VALUES.items()}
        return {"label": float(random.randrange(2)), "prediction": random.random(), **features}

    return [row() for _ in range(random.choice((1, 2, 8, 25)))]


def _spec(random: Random) -> dict[str, Any]:
    names = random.sample(list(_VALUES), random.choice((1, 1, 2, 3)))
    fixed = [name for name in names if random.random() < 0.25]
    spec: dict[str, Any] = {"feature_keys": [name for name in names if name not in fixed]}
    return {**spec, "feature_values": {name: random.choice(_FIXED) for name in fixed}}


def _bounds(random: Random) -> dict[str, float]:
    low, high = sorted((random.choice(_BOUNDS), random.choice(_BOUNDS)))
    return {"lower_bound": low, "upper_bound": high}


def _config(specs: list[Any], thresholds: dict[str, Any], **more: Any) -> dict[str, Any]:
    metrics = [{"class_name": "ExampleCount"}, {"class_name": "MeanLabel"}]
    return {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": specs,
        "metrics_specs": [{"metrics": metrics, "thresholds": thresholds, **more.pop("spec", {})}],
        **more,
    }


def _text(value: Any) -> str | None:
    """The identity of a value, None where it is missing."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value == int(value) else str(value)


def _slices(rows: Rows, spec: dict[str, Any]) -> dict[SliceKey, Rows]:
    slices: dict[SliceKey, Rows] = defaultdict(list)
    for row in rows:
        for key in set(_keys_of(row, spec)):
            slices[key].append(row)
    return dict(slices)


def _keys_of(row: dict[str, Any], spec: dict[str, Any]) -> Iterator[SliceKey]:
    """The slices of one spec in which a row is."""
    fixed = spec.get("feature_values", {})
    names = sorted([*spec.get("feature_keys", ()), *fixed])
    values = []
    for name in names:
        cells = row[name] if isinstance(row[name], list) else [row[name]]
        texts_ = {text for cell in cells if (text := _text(cell)) is not None}
        values.append({t for t in texts_ if name not in fixed or _fits(name, t, fixed[name])})
    for chosen in product(*values):
        yield tuple(zip(names, chosen, strict=True))


def _fits(name: str, text: str, wanted: str) -> bool:
    """Whether a value is the one of a spec: numbers are compared as numbers, text as text."""
    if name not in ("h", "f", "n"):
        return text == wanted
    try:
        return (float if name == "f" else _as_whole)(text) == (float if name == "f" else _as_whole)(
            wanted
        )
    except ValueError:
        return False


def _as_whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if number != int(number):
            raise ValueError(text) from None
        return int(number)


def _check_values(result: Any, slices: dict[SliceKey, Rows]) -> None:
    computed: dict[str, dict[SliceKey, float]] = defaultdict(dict)
    for row in result.metrics.to_pylist():
        key = tuple((part["feature"], part["value"]) for part in row["slice_key"])
        computed[row["metric"]][key] = row["value"]
    for name, value in (("example_count", _count), ("mean_label", _mean)):
        expected = {key: value(members) for key, members in slices.items()}
        wrong = expected.keys() ^ computed[name].keys()
        wrong |= {
            k
            for k in expected.keys() & computed[name].keys()
            if not _equal(expected[k], computed[name][k])
        }
        if wrong:
            pairs = [(key, expected.get(key), computed[name].get(key)) for key in wrong]
            raise WrongError(f"{name} by slice, expected and computed: {pairs}")


def _count(rows: Rows) -> float:
    return float(len(rows))


def _mean(rows: Rows) -> float:
    return math.fsum(row["label"] for row in rows) / len(rows)


def _equal(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-12)


def _check_verdict(
    result: Any,
    slices: dict[SliceKey, Rows],
    bounds: dict[str, dict[str, float]],
    has_named: bool,
) -> None:
    """Bounds hold on all slices, and those that the config names have rows."""
    values = {"example_count": _count, "mean_label": _mean}
    holds = has_named and all(
        limits["lower_bound"] <= values[name](members) <= limits["upper_bound"]
        for name, limits in bounds.items()
        for members in slices.values()
    )
    expected = ("blessed" if holds else "not_blessed") if bounds else "not_evaluated"
    if result.verdict.status != expected:
        raise WrongError(f"{result.verdict.status}, and not {expected}, by {bounds}")


# Odd ones.


def _odd(random: Random) -> dict[str, Any]:
    """A config with slices, comparisons and thresholds as the fields of a config allow them."""
    chance = trees.Chance(random, objects=True)
    chance.odd = random.choice((0.0, 0.0, 0.05))
    specs = [_odd_spec(random, chance) for _ in range(random.randrange(3))]
    crossed = [trees.part(CrossSlicingSpec)(chance) for _ in range(random.randrange(2))]
    thresholds = {
        name: trees.part(MetricThreshold)(chance)
        for name in random.sample(("example_count", "mean_label", "nope"), random.randrange(3))
    }
    narrow = [
        {"slicing_specs": [spec], "threshold": {"value_threshold": _bounds(random)}}
        for spec in specs[:1]
    ]
    spec = {"per_slice_thresholds": {"mean_label": {"thresholds": narrow}}} if narrow else {}
    options = {"min_slice_size": random.choice((1, 2, 10))}
    return _config(specs, thresholds, spec=spec, cross_slicing_specs=crossed, options=options)


def _odd_spec(random: Random, chance: trees.Chance) -> Any:
    fields = SlicingSpec.model_fields
    spec = trees.part(SlicingSpec)(chance) if random.random() < 0.3 else _spec(random)
    if "where" in fields and random.random() < 0.5:
        spec = {
            "where": {
                random.choice("xyg"): conditions.condition(random, [*_VALUES, "label", "nope"])
            }
        }
    if "bins" in fields and random.random() < 0.3:
        edges = [
            random.choice((*trees.NUMBERS, *trees.ODD_NUMBERS)) for _ in range(random.randrange(4))
        ]
        spec = {"bins": {random.choice(("f", "h", "g", "m")): edges}}
    return spec
