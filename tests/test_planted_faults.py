# SPDX-License-Identifier: Apache-2.0
"""Probes, drift and monitoring over the same five days: what names a planted fault is the right one, and it alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestClassifier

import benison
from benison.config.debugging_options import DEFAULT_PROBES
from benison.drift import compare
from benison.monitoring import monitor
from tests.test_probes import NUMBERS, bent, failing, hanging, sound

DAYS, A_DAY, CHANGED = 5, 1_000, 2
FEATURES = (*NUMBERS, "company")
LEARNED = ["miles", "stops"]
MEASURES = ("BinaryAccuracy", "MeanLabel")
TRUE_DISTANCE = 0.139


class Fault(NamedTuple):
    """What is planted in the days, or which model is wrong."""

    model: Callable[[Any], Any] = sound
    shift: float = 0.0
    positives: float = 0.0
    flipped: str = ""
    follows: float = 0.0


def shift_of(distance: float) -> float:
    """How far a normal distribution must move for a Jensen-Shannon distance, by integration."""
    x = np.linspace(-12, 12, 4_001)

    def apart(shift: float) -> float:
        p, q = stats.norm.pdf(x), stats.norm.pdf(x - shift)
        middle = (p + q) / 2
        logs = [np.where(each > 0, each * np.log(each / middle), 0.0).sum() for each in (p, q)]
        return float(np.sqrt(sum(logs) / 2 * (x[1] - x[0])))

    shifts = np.linspace(0, 2, 401)
    return float(np.interp(distance, [apart(s) for s in shifts], shifts))


def noise(rng: np.random.Generator, rows: int, follows: float) -> Any:
    """Logistic, each value after the last one by so much."""
    steps, normal = rng.normal(size=rows), np.empty(rows)
    normal[0] = steps[0]
    for i in range(1, rows):
        normal[i] = follows * normal[i - 1] + np.sqrt(1 - follows**2) * steps[i]
    return stats.logistic.ppf(stats.norm.cdf(normal))


def month(seed: int, fault: Fault = Fault(), rows: int = DAYS * A_DAY) -> pa.Table:  # noqa: B008
    """Days of trips in their order, with what is planted in them."""
    rng = np.random.default_rng(seed)
    numbers = {name: rng.normal(size=rows) for name in NUMBERS}
    numbers["fare"] += fault.shift
    company = rng.choice(["Blue", "Red", "Green"], rows)
    tip = (sum(numbers.values()) - fault.shift + noise(rng, rows, fault.follows) > 0).astype(int)
    is_later = np.arange(rows) >= CHANGED * A_DAY
    others = rng.choice(np.flatnonzero(tip == 1), rows)
    is_other = is_later & (tip == 0) & (rng.random(rows) < fault.positives)
    kept = np.where(is_other, others, np.arange(rows))
    tip, company = tip[kept], company[kept]
    numbers = {name: column[kept] for name, column in numbers.items()}
    is_flipped = is_later & (company == fault.flipped) & (rng.random(rows) < 0.5)
    seconds = 1_772_323_200 + np.arange(rows) * (86_400 // A_DAY)
    tip = np.where(is_flipped, 1 - tip, tip)
    return pa.table({**numbers, "company": company, "tip": tip, "at": seconds})


@functools.cache
def forest() -> RandomForestClassifier:
    """Has learned 400 rows by heart; no fare changes its score, so that it is monotone."""
    table = month(5, rows=400)
    made = RandomForestClassifier(20, random_state=0)
    return made.fit(table.select(LEARNED).to_pandas().to_numpy(), table["tip"].to_numpy())


def overfitted(frame: Any) -> Any:
    known = frame[LEARNED].astype(float).clip(-1e3, 1e3).fillna(0.0)
    return forest().predict_proba(known.to_numpy())[:, 1]


def names_of(fault: Fault, training: Path) -> set[str]:
    """All that anything says of the days."""
    table = month(6, fault)
    probes = [*DEFAULT_PROBES, "membership", {"name": "monotone", "features": ["fare"]}]
    probes.append({"name": "residual_autocorrelation", "features": ["at"]})
    by_day = {"at": {"every": "day"}}
    config = {
        "model_specs": [{"label_key": "tip"}],
        "metrics_specs": [{"metrics": [*MEASURES]}],
        "slicing_specs": [{"bins": by_day}, {"bins": by_day, "feature_keys": ["company"]}],
        "options": {"confidence": {}},
        "debugging": {"probes": probes, "rows": 400, "training_examples": str(training)},
    }
    result = benison.evaluate(table, config, model=fault.model)
    notable = [row for row in result.probes.to_pylist() if row["notable"]]
    if fault.model is overfitted:
        assert [row["value"] >= 0.7 for row in notable] == [True]
    probed = {f"{row['probe']} {row['feature']}".strip() for row in notable}
    alerts = monitor([result], metrics=["binary_accuracy", "mean_label"]).alerts
    watched = {f"{', '.join(a.metrics)} of {a.slice} {a.side}" for a in alerts}
    drifted = compare(month(7), table, columns=FEATURES).drifted
    return probed | watched | {f"drift of {name}" for name in drifted}


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        pytest.param(Fault(), set(), id="none"),
        pytest.param(Fault(failing), {"hostile_values miles"}, id="crash"),
        pytest.param(Fault(hanging), {"permutation_flips fare"}, id="hangs on one feature"),
        pytest.param(Fault(bent), {"monotone fare"}, id="not monotone"),
        pytest.param(Fault(overfitted), {"membership"}, id="overfitted"),
        pytest.param(Fault(follows=0.8), {"residual_autocorrelation at"}, id="residuals in runs"),
        pytest.param(Fault(shift=shift_of(TRUE_DISTANCE)), {"drift of fare"}, id="shifted feature"),
        pytest.param(
            Fault(positives=0.3), {"mean_label of Overall rose"}, id="more positive labels"
        ),
        pytest.param(
            Fault(flipped="Red"), {"binary_accuracy of company=Red fell"}, id="changed in a slice"
        ),
    ],
)
def test_a_planted_fault_is_named_by_what_it_is_and_by_nothing_else(
    fault: Fault, named: set[str], tmp_path: Path
) -> None:
    training = tmp_path / "train.parquet"
    pq.write_table(month(5, rows=400).drop_columns("at"), training)
    assert names_of(fault, training) == named
