# SPDX-License-Identifier: Apache-2.0
"""What tests share: rows in every way they can arrive, and small evaluations."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.data.batch import Inputs
from benison.metrics import Metric
from benison.testing import WAYS, states_of, value_of
from tests import google_store, object_store
from tests.orchestration.airflow_host import AirflowDatabases


def on_threads(metric: Metric, inputs: Inputs, codes: Any, size: int) -> Any:
    """A metric's value when four threads each add up some of the rows."""
    parts = np.array_split(np.arange(len(inputs)), 4)
    codes = np.asarray(codes, np.int64)

    def states(rows: np.ndarray) -> list[Any]:
        return states_of(metric, inputs.take(rows), codes[rows], size)

    with ThreadPoolExecutor(4) as pool:
        merged, *others = pool.map(states, parts)
    for other in others:
        pairs = zip(metric.statistics(), merged, other, strict=True)
        merged = [statistic.merge(a, b) for statistic, a, b in pairs]
    with np.errstate(all="ignore"):
        return metric.result(*merged)


# In a step of GitHub Actions the command says more, which the tests of that ask for.
os.environ.pop("GITHUB_ACTIONS", None)


@pytest.fixture(params=[*WAYS, on_threads], ids=lambda way: way.__name__)
def evaluate_metric(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """A metric's value over all rows, which arrive in each way in turn."""

    def evaluate(metric: Metric, inputs: Inputs) -> Any:
        if request.param is on_threads:
            value = on_threads(metric, inputs, np.zeros(len(inputs)), 1)
        else:
            value = value_of(metric, inputs, np.zeros(len(inputs)), 1, request.param)
        return {k: v[0] for k, v in value.items()} if isinstance(value, dict) else value[0]

    return evaluate


def taxi_like(rows: int, seed: int = 0) -> pa.Table:
    """Generated trips: label, two predictions, a weight, and columns to slice by."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows).astype(np.float64)
    company = rng.integers(0, 5, rows)
    return pa.table(
        {
            "label": label,
            "prediction": np.clip(0.3 * label + rng.random(rows) * 0.7, 0, 1),
            "old_prediction": np.clip(0.2 * label + rng.random(rows) * 0.8, 0, 1),
            "weight": rng.integers(0, 5, rows) / 2,
            "hour": rng.integers(0, 24, rows),
            "company": pa.array([None if c == 4 else f"company {c}" for c in company]),
            "tags": pa.array(
                [[f"t{t}" for t in rng.integers(0, 3, rng.integers(0, 3))] for _ in range(rows)]
            ),
        }
    )


def config(*metrics: Any, slices: Any = ({},), **more: Any) -> dict[str, Any]:
    """A config with predictions in the data; a metric is a class name or a MetricConfig."""
    named = [{"class_name": m} if isinstance(m, str) else m for m in metrics]
    spec = {"label_key": "label", "prediction_key": "prediction", **more.pop("model", {})}
    return {
        "model_specs": [spec],
        "slicing_specs": list(slices),
        "metrics_specs": [{"metrics": named, **more.pop("spec", {})}],
        **more,
    }


def write_days(folder: Path) -> None:
    """Two evaluations, of which the second has every label of a company wrong."""
    accuracy = {
        "class_name": "BinaryAccuracy",
        "threshold": {"value_threshold": {"lower_bound": 0}},
    }
    made = config(accuracy, slices=({}, {"feature_keys": ["company"]}))
    made["options"] = {"confidence": {"level": 0.95}}
    trips = taxi_like(2_000)
    company = trips["company"].to_numpy()
    wrong = np.where(
        company == company[0], 1 - trips["label"].to_numpy(), trips["label"].to_numpy()
    )
    worse = trips.set_column(trips.column_names.index("label"), "label", pa.array(wrong))
    for day, data in (("1", trips), ("2", worse)):
        benison.evaluate(data, made, output=folder / day)


@pytest.fixture
def trips() -> pa.Table:
    return taxi_like(2_000)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of a server of S3's protocol."""
    pytest.importorskip("moto.server", reason="needs moto[server]")
    with object_store.server() as url:
        yield url


@pytest.fixture(scope="session")
def gs() -> Iterator[str]:
    """Where a server of Google's protocol listens."""
    pytest.importorskip("google_crc32c")
    with google_store.server() as address:
        yield address


@pytest.fixture
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> object_store.Bucket:
    """A new bucket, which is reached as the environment says; of S3, or as a test's parameter says of Google."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    if getattr(request, "param", "s3") == "gs":
        server = request.getfixturevalue("gs")
        monkeypatch.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", f"http://{server}")
        return google_store.GoogleBucket(server, name)
    s3 = request.getfixturevalue("s3")
    for variable, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(variable, value)
    return object_store.Bucket(s3, name)


@pytest.fixture(scope="session")
def airflow_databases(tmp_path_factory: pytest.TempPathFactory) -> AirflowDatabases:
    folder = tmp_path_factory.getbasetemp()
    return AirflowDatabases(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture
def in_folder(tmp_path: Path) -> Iterator[Path]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)
