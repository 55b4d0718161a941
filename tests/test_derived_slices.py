# SPDX-License-Identifier: Apache-2.0
"""Slices that are no column's values: bins, quantiles and conditions, from the config to every output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import benison
from benison.config import EvalConfig
from benison.errors import ConfigError
from tests.conftest import config

CHEAP = "fare < 20 AND company = 'Blue'"
SLICES = (
    {},
    {"bins": {"fare": [10, 20]}},
    {"bins": {"fare": {"quantiles": 3}}, "feature_keys": ["company"]},
    {"where": {"cheap": CHEAP}},
    {"where": {"late": "hour >= 12"}, "feature_values": {"company": "Sun"}, "bins": {"fare": [15]}},
)


@pytest.fixture(scope="module")
def fares() -> pa.Table:
    rng = np.random.default_rng(3)
    rows = 600
    label = rng.integers(0, 2, rows)
    return pa.table(
        {
            "label": label,
            "prediction": np.clip(0.4 * label + 0.6 * rng.random(rows), 0, 1),
            "fare": pa.array(
                (rng.integers(0, 120, rows) / 4).tolist(), mask=rng.random(rows) < 0.1
            ),
            "company": pa.array(
                rng.choice(["Blue", "Flash", "Sun"], rows).tolist(), mask=rng.random(rows) < 0.1
            ),
            "hour": rng.integers(0, 24, rows),
        }
    )


def by_hand(table: pa.Table) -> dict[str, int]:
    """The rows of each slice of `SLICES`, as pandas counts them."""
    frame = table.to_pandas()
    fare = frame["fare"].dropna().sort_values().to_numpy()
    thirds = [fare[len(fare) * i // 3] for i in (1, 2)]
    counts = {
        "Overall": len(frame),
        "cheap=true": int(frame.query(CHEAP.replace("=", "==").replace("AND", "and")).shape[0]),
    }
    for edges, group, names in (
        ([10, 20], None, frame.index == frame.index),
        (thirds, "company", frame["company"].notna()),
        ([15], "company", (frame["hour"] >= 12) & (frame["company"] == "Sun")),
    ):
        chosen = frame[names & frame["fare"].notna()]
        labels = benison.config.Bins(edges=tuple(map(float, edges))).labels
        cut = pd.cut(chosen["fare"], [-np.inf, *edges, np.inf], right=False, labels=labels)
        parts = [cut.astype(str)] if group is None else [chosen[group], cut.astype(str)]
        for key, size in chosen.groupby(parts).size().items():
            values = [key] if group is None else key
            features = ["fare"] if group is None else ["company", "fare"]
            name = ", ".join(f"{f}={v}" for f, v in zip(features, values, strict=True))
            counts[name + (", late=true" if edges == [15] else "")] = int(size)
    return counts


def counts_of(result: benison.EvalResult) -> dict[str, int]:
    rows = result.metrics.filter(pc.equal(result.metrics["metric"], "example_count"))
    return dict(zip(rows["slice"].to_pylist(), rows["examples"].to_pylist(), strict=True))


def as_parquet(table: pa.Table, folder: Path) -> str:
    for i in range(3):
        pq.write_table(table.slice(i * 200, 200), folder / f"{i}.parquet", row_group_size=70)
    return str(folder)


def as_csv(table: pa.Table, folder: Path) -> str:
    for i, rows in enumerate((table.slice(0, 150), table.slice(150))):
        pyarrow.csv.write_csv(rows, folder / f"{i}.csv")
    return str(folder / "*.csv")


def as_json_lines(table: pa.Table, folder: Path) -> str:
    lines = (json.dumps(row) for row in table.to_pylist())
    (folder / "rows.jsonl").write_text("\n".join(lines))
    return str(folder / "rows.jsonl")


def in_memory(table: pa.Table, folder: Path) -> pa.Table:
    return table


@pytest.mark.parametrize("form", [in_memory, as_parquet, as_csv, as_json_lines])
def test_derived_slices_have_the_rows_that_pandas_counts(
    form: Callable[[pa.Table, Path], Any], fares: pa.Table, tmp_path: Path
) -> None:
    result = benison.evaluate(form(fares, tmp_path), config("ExampleCount", slices=SLICES))
    assert counts_of(result) == by_hand(fares)


@pytest.mark.parametrize("form", [as_parquet, as_csv])
def test_beam_has_the_same_slices_and_edges(
    form: Callable[[pa.Table, Path], Any], fares: pa.Table, tmp_path: Path
) -> None:
    pytest.importorskip("apache_beam", reason="needs Beam")
    slices = [*SLICES, {"bins": {"pickup": {"every": "hour"}}, "feature_keys": ["company"]}]
    seconds = pc.add(pc.multiply(fares["hour"].cast(pa.int64()), 1_800), 1_772_000_000)
    fares = fares.append_column("pickup", seconds)
    made, data = config("ExampleCount", "AUC", slices=slices), form(fares, tmp_path)
    local = benison.evaluate(data, made)
    beam = benison.evaluate(data, made, engine="beam", engine_options=["--runner=FnApiRunner"])
    assert beam.config == local.config
    pd.testing.assert_frame_equal(beam.to_pandas(), local.to_pandas())


def test_quantiles_are_written_to_the_config_and_used_again(
    fares: pa.Table, tmp_path: Path
) -> None:
    made = config("ExampleCount", slices=[{"bins": {"fare": {"quantiles": 4}}}])
    benison.evaluate(fares, made, output=tmp_path / "first")
    written = EvalConfig.load(tmp_path / "first" / "config.json")
    (spec,) = written.slicing_specs
    fare = np.sort(fares["fare"].drop_null().to_numpy())
    wanted = [fare[len(fare) * i // 4] for i in (1, 2, 3)]
    assert spec.bins["fare"].edges == tuple(wanted)
    other = fares.set_column(2, "fare", pc.multiply(fares["fare"], 3))
    again = benison.evaluate(other, tmp_path / "first" / "config.json", output=tmp_path / "second")
    assert again.config.slicing_specs == written.slicing_specs
    assert "quantiles" not in again.manifest["seconds"]


def bound(*slices: Any, lower: float = 0.0) -> dict[str, Any]:
    threshold = {"value_threshold": {"lower_bound": lower}}
    return {
        "class_name": "ExampleCount",
        "per_slice_thresholds": [{"slicing_specs": [*slices], "threshold": threshold}],
    }


@pytest.mark.parametrize(
    ("named", "judged"),
    [
        ({"bins": {"fare": [10, 20]}}, ["fare=[-inf, 10)", "fare=[10, 20)", "fare=[20, inf]"]),
        ({"bins": {"fare": {"edges": [10.0, 20.0]}}}, ["fare=[-inf, 10)", "fare=[10, 20)", "fare=[20, inf]"]),
        ({"feature_values": {"fare": "[10, 20)"}}, ["fare=[10, 20)"]),
        ({"where": {"cheap": CHEAP}}, ["cheap=true"]),
        ({"feature_values": {"cheap": True}}, ["cheap=true"]),
        ({"feature_values": {"hour": 5}}, ["hour=5"]),
        ({"bins": {"hour": [12]}}, ["hour=[-inf, 12)", "hour=[12, inf]"]),
        ({"feature_keys": ["hour"]}, [f"hour={hour}" for hour in range(24)]),
    ],
)  # fmt: skip
def test_a_threshold_names_bins_and_conditions_by_spec_or_by_value(
    named: Any, judged: list[str], fares: pa.Table
) -> None:
    slices = [*SLICES[:2], SLICES[3], {"feature_keys": ["hour"]}, {"bins": {"hour": [12]}}]
    verdict = benison.evaluate(fares, config(bound(named), slices=slices)).verdict
    assert verdict.table["slice"].to_pylist() == judged
    assert set(verdict.table["outcome"].to_pylist()) == {"pass"}


def test_all_bins_of_quantiles_are_judged_by_the_spec_that_makes_them(fares: pa.Table) -> None:
    thirds = {"bins": {"fare": {"quantiles": 3}}}
    verdict = benison.evaluate(fares, config(bound(thirds), slices=[thirds])).verdict
    assert verdict.table.num_rows == 3
    assert verdict.status == "blessed"


def test_a_threshold_on_a_bin_that_the_quantiles_do_not_make_is_refused(fares: pa.Table) -> None:
    made = config(
        bound({"feature_values": {"fare": "[0, 1)"}}), slices=[{"bins": {"fare": {"quantiles": 3}}}]
    )
    with pytest.raises(ConfigError, match=r"the slices fare=\[0, 1\) are not computed"):
        benison.evaluate(fares, made)


@pytest.mark.parametrize("engine", ["local", "beam"])
@pytest.mark.parametrize(
    "spec",
    [
        {"where": {"never": "fare > 1000"}},
        {"where": {"never": "fare > 1000"}, "feature_keys": ["company"]},
        {"feature_values": {"kind": "unused"}},
        {"feature_values": {"kinds": "unused"}},
        {"feature_values": {"kind": "unused"}, "feature_keys": ["company"]},
        {"bins": {"fare": {"edges": [1000, 2000]}}, "where": {"never": "fare > 1000"}},
    ],
)
def test_a_threshold_on_a_slice_without_a_row_fails(
    spec: Any, engine: str, fares: pa.Table, tmp_path: Path
) -> None:
    if engine == "beam":
        pytest.importorskip("apache_beam", reason="needs Beam")
    categories = pa.DictionaryArray.from_arrays(
        pa.array([1, 0] * 300, pa.int8()), pa.array(["a", "b", "unused"])
    )
    lists = pa.ListArray.from_arrays(pa.array(range(601), pa.int32()), categories)
    data = fares.append_column("kind", categories).append_column("kinds", lists)
    pq.write_table(data, tmp_path / "fares.parquet")
    made = config(
        bound(spec), slices=[{}, {"feature_keys": ["kind"]}, {"feature_keys": ["kinds"]}, spec]
    )
    result = benison.evaluate(str(tmp_path / "fares.parquet"), made, engine=engine)
    assert [*counts_of(result)] == ["Overall", "kind=a", "kind=b", "kinds=a", "kinds=b"]
    assert result.verdict.status == "not_blessed"
    (check,) = result.verdict.checks
    assert (check.kind, check.outcome) == ("missing", "fail")
    assert "No row of the data is in" in result.verdict.reasons[0]


def test_small_bins_are_hidden_and_plain_values_of_the_column_are_not_taken_for_them(
    fares: pa.Table,
) -> None:
    slices = [{"bins": {"hour": [1, 12]}}, {"feature_keys": ["hour"]}]
    made = config(
        bound({"feature_keys": ["hour"]}, {"bins": {"hour": [1, 12]}}),
        slices=slices,
        options={"min_slice_size": 100},
    )
    result = benison.evaluate(fares, made)
    assert [*counts_of(result)] == ["hour=[1, 12)", "hour=[12, inf]"]
    reasons = " ".join(result.verdict.table["note"].drop_null().to_pylist())
    assert "24 slices of hour have too few examples" in reasons
    assert "1 slice of bins of hour has too few examples" in reasons


def test_conditions_and_bins_are_compared_with_each_other(fares: pa.Table) -> None:
    crossed = {
        "baseline_spec": {"where": {"cheap": CHEAP}},
        "slicing_specs": [{"bins": {"fare": [20]}}],
    }
    named = {
        "baseline_spec": {"feature_values": {"cheap": True}},
        "slicing_specs": [{"feature_values": {"fare": "[20, inf]"}}],
    }
    threshold = {
        "cross_slicing_specs": [named],
        "threshold": {"value_threshold": {"upper_bound": 9}},
    }
    metric = {"class_name": "BinaryAccuracy", "cross_slice_thresholds": [threshold]}
    result = benison.evaluate(fares, config(metric, slices=[{}], cross_slicing_specs=[crossed]))
    assert result.verdict.table["slice"].to_pylist() == ["cheap=true vs fare=[20, inf]"]
    rows = result.metrics.filter(pc.is_valid(result.metrics["other_slice_key"]))
    (first, *_) = rows.select(["slice_key", "other_slice_key"]).to_pylist()
    assert first["slice_key"] == [{"feature": "cheap", "value": "true", "type": "bool"}]
    assert first["other_slice_key"] == [{"feature": "fare", "value": "[-inf, 20)", "type": "bin"}]


def test_bins_stand_in_the_order_of_their_edges(fares: pa.Table) -> None:
    edges = [-2.5, 2, 10, 20]
    result = benison.evaluate(fares, config("ExampleCount", slices=[{"bins": {"fare": edges}}]))
    assert result.slices() == ["fare=[-2.5, 2)", "fare=[2, 10)", "fare=[10, 20)", "fare=[20, inf]"]


@pytest.mark.parametrize(
    ("spec", "path", "sentence"),
    [
        ({"bins": {"company": [1]}}, "bins.company", "Column 'company' holds string, and bins are of numbers."),
        ({"bins": {"company": {"quantiles": 2}}}, "bins.company", "and bins are of numbers."),
        ({"bins": {"far": [1]}}, "", "slice feature 'far' is not a column of the data. Did you mean 'fare'?"),
        ({"where": {"a": "far < 1"}}, "where.a", "the data have no column 'far'. Did you mean 'fare'?"),
        ({"where": {"a": "company < 1"}}, "where.a", "company is text and 1 is a number"),
        ({"where": {"a": "fare <"}}, "where.a", "'fare <' is not a condition of SQL"),
        ({"where": {"hour": "fare < 1"}}, "where.hour", "'hour' is a column of the data; give the condition another"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_data_is_refused_with_its_place_before_they_are_read(
    spec: Any, path: str, sentence: str, fares: pa.Table
) -> None:
    crossed = [{"baseline_spec": {}, "slicing_specs": [spec]}]
    for location, more in (
        ("slicing_specs[0]", {"slices": [spec]}),
        ("cross_slicing_specs[0].slicing_specs[0]", {"cross_slicing_specs": crossed}),
    ):
        with pytest.raises(ConfigError) as raised:
            benison.evaluate(fares, config("ExampleCount", **more))
        (fault,) = raised.value.faults
        assert fault[0] == (f"{location}.{path}" if path else location)
        assert sentence in fault[1]


@pytest.mark.parametrize(
    ("statement", "fields"),
    [
        ("SELECT STRUCT(company) FROM example.company, example.hour WHERE hour = 1",
         {"feature_keys": ["company"], "where": {"hour = 1": "hour = 1"}}),
        ("SELECT STRUCT(company, hour) FROM example.company, UNNEST(example.hour) AS hour WHERE hour = 1",
         {"feature_keys": ["company"], "feature_values": {"hour": "1"}}),
        ("SELECT STRUCT(c AS company) FROM example.company AS c WHERE c IN (\"Blue\", 'Sun') AND example.fare > 3",
         {"feature_keys": ["company"], "where": {"company IN ('Blue', 'Sun') AND fare > 3":
                                                "company IN ('Blue', 'Sun') AND fare > 3"}}),
        ("SELECT STRUCT(company)", {"feature_keys": ["company"]}),
    ],
)  # fmt: skip
def test_a_statement_of_tfma_is_read_as_our_fields(
    statement: str, fields: Any, fares: pa.Table
) -> None:
    made = config("ExampleCount", slices=[{"slice_keys_sql": statement}])
    loaded = EvalConfig.load(made)
    assert loaded.to_dict()["slicing_specs"] == [fields]
    again = benison.evaluate(fares, config("ExampleCount", slices=[fields]))
    assert counts_of(benison.evaluate(fares, made)) == counts_of(again)


def test_tfma_files_hold_bins_and_conditions_as_values(fares: pa.Table, tmp_path: Path) -> None:
    pytest.importorskip("google.protobuf", reason="needs protobuf")
    made = config(bound({"where": {"cheap": CHEAP}}), slices=SLICES)
    ours = benison.evaluate(fares, made, output=tmp_path / "out", tfma=True)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for file in (tmp_path / "out").iterdir():
        if file.name == "eval_config.json" or file.suffix == ".tfrecord":
            (theirs / file.name).write_bytes(file.read_bytes())
    read = benison.load_result(theirs)
    assert counts_of(read) == counts_of(ours)
    specs = json.loads((theirs / "eval_config.json").read_text())["evalConfig"]["slicingSpecs"]
    assert specs[1:4] == [
        {"featureKeys": ["fare"]},
        {"featureKeys": ["company", "fare"]},
        {"featureValues": {"cheap": "true"}},
    ]
