# SPDX-License-Identifier: Apache-2.0
"""Drift: distances against SciPy, no alarms where nothing drifted, and the cells in which values are counted."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy import spatial, special, stats
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.config import SlicingSpec
from benison.drift import compare, profile
from benison.drift.distances import DISTANCES
from benison.drift.profile_evaluator import ProfileEvaluator
from benison.drift.profiles import batch_profiles, merged
from benison.drift.stored_profiles import restored, stored
from tests.statistics.drift_alarms import SIZES, comparisons

RNG = np.random.default_rng(11)


def test_distances_are_those_of_scipy() -> None:
    p, q = RNG.dirichlet(np.ones(7), 2)
    assert DISTANCES["jensen_shannon"].of(p, q) == pytest.approx(
        spatial.distance.jensenshannon(p, q)
    )
    entropies = special.rel_entr(p, q).sum() + special.rel_entr(q, p).sum()
    assert DISTANCES["psi"].of(p, q) == pytest.approx(entropies)
    expected = np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2)
    assert DISTANCES["hellinger"].of(p, q) == pytest.approx(expected)


def test_kolmogorovs_statistic_is_that_of_scipy() -> None:
    before, now = RNG.normal(size=500).round(1), RNG.normal(0.2, size=300).round(1)
    (check,) = compare(pa.table({"x": before}), pa.table({"x": now})).checks
    assert check.ks == pytest.approx(stats.ks_2samp(before, now).statistic)


@pytest.mark.parametrize("measure", sorted(DISTANCES))
@pytest.mark.parametrize("rows", [200, 2000])
def test_nothing_is_called_drift_where_nothing_drifted(measure: str, rows: int) -> None:
    """Ten features, half of them text; 20 runs with one alarm in 100 allowed have two once in 60 suites."""
    alarms = 0
    for _ in range(20):
        tables = [columns_of(size) for size in (2000, rows)]
        alarms += bool(compare(*tables, measure=measure).drifted)
    assert alarms <= 1


def test_the_largest_differences_are_held_against_their_thresholds() -> None:
    """A difference of .15 in one cell is above .1 with 20,000 rows, and with 200 it is not shown."""
    for measure in ("l_infinity", "ks"):
        for rows, outcome in ((20_000, "drift"), (200, "no_drift")):
            before = pa.table({"x": np.repeat([0, 1], rows // 2)})
            now = pa.table({"x": np.repeat([0, 1], [rows * 65 // 100, rows * 35 // 100])})
            (check,) = compare(before, now, measure=measure).checks
            assert (check.distance, check.outcome) == (pytest.approx(0.15), outcome)
            assert 0 < check.debiased < 0.15
            assert not compare(before, now, measure=measure, threshold={"x": 0.2}).drifted


@pytest.mark.parametrize("rows", SIZES)
def test_thirty_columns_have_no_alarm_where_nothing_drifted(rows: int) -> None:
    """The worst that is no drift has one alarm in 100 comparisons; tests/statistics/drift_alarms.py has many."""
    assert not any(comparisons("jensen_shannon", rows, 10, at_threshold=False))
    assert sum(comparisons("jensen_shannon", rows, 10, at_threshold=True)) <= 1


def columns_of(rows: int) -> pa.Table:
    names = RNG.choice([f"v{i}" for i in range(30)], (5, rows))
    numbers = {f"number{i}": RNG.normal(size=rows) for i in range(5)}
    return pa.table({**{f"text{i}": of for i, of in enumerate(names)}, **numbers})


@pytest.mark.parametrize("measure", sorted(DISTANCES))
def test_what_drifted_is_named_and_nothing_else(measure: str) -> None:
    """A true Jensen-Shannon distance of .16, above the threshold, in one column; and its mirror, missing values."""
    before, now = columns_of(20_000), columns_of(20_000)
    shifted = now.set_column(0, "text0", pa.array(RNG.choice(["v0", "v1"], 20_000)))
    gone = pa.array(np.where(RNG.random(20_000) < 0.3, np.nan, 0.5))
    shifted = shifted.set_column(9, "number4", gone)
    drifted = {"number4"} if measure == "ks" else {"text0", "number4"}
    assert {*compare(before, shifted, measure=measure).drifted} == drifted
    (check,) = compare(before, shifted, columns=["number4"]).checks
    assert check.missing == (0.0, pytest.approx(0.3, abs=0.02))


def test_what_is_above_the_reference_is_apart_from_its_infinity() -> None:
    inf = float("inf")
    before = pa.table({"x": [*range(800), *[inf] * 200]})
    (check,) = compare(before, pa.table({"x": [*range(800), *[1000.0] * 200]})).checks
    assert check.outcome == "drift"
    (check,) = compare(before, pa.table({"x": [*range(800)]})).checks
    assert (check.outcome, check.cell) == ("drift", "inf")


def test_a_trifle_is_no_drift_however_many_rows_there_are() -> None:
    tables = [pa.table({"x": RNG.normal(shift, size=300_000)}) for shift in (0.0, 0.05)]
    assert stats.ks_2samp(*(of["x"].to_numpy() for of in tables)).pvalue < 1e-20
    assert compare(*tables).drifted == []
    assert compare(*tables, threshold=0.0).drifted == ["x"]


def test_integers_booleans_dictionaries_and_empty_columns() -> None:
    table = pa.table(
        {
            "whole": pa.array([1, 2, 3, None] * 50),
            "flag": pa.array([True, False, None, True] * 50),
            "code": pa.array(["a", "b", "a", None] * 50).dictionary_encode(),
            "empty": pa.nulls(200),
            "day": pa.array([1, 2, 3, 4] * 50, pa.date32()),
            "list": pa.array([[1], [2], [], None] * 50),
        }
    )
    report = compare(table, table)
    assert {check.feature for check in report.checks} == {"whole", "flag", "code", "empty"}
    assert report.left_out == ("day",)
    assert all(check.distance == 0 for check in report.checks)
    assert {check.feature: check.missing[0] for check in report.checks}["flag"] == 0.25


@pytest.mark.parametrize(
    ("changed", "given", "sentence"),
    [
        ({"x": ["a"]}, {"columns": ["x"]}, "is of numbers in the reference and of text"),
        ({"x": [True]}, {}, "numbers in the reference and of booleans in.*all but it with -c"),
        ({"y": [1.0]}, {}, "no column in common"),
        ({"x": [1.0]}, {"columns": ["z"]}, "has no column 'z'"),
        ({"x": [1.0]}, {"measure": "psy"}, "Did you mean 'psi'"),
        (
            {"x": [1.0]},
            {"measure": "x"},
            "measure 'x'. There are: hellinger, jensen_shannon, ks, l_infinity, psi.$",
        ),
        ({"x": [1.0]}, {"threshold": {"y": 0.1}}, "of the column 'y', which is not compared"),
        ({"x": [1.0]}, {"threshold": {"x": -0.1}}, "a number from 0 up"),
        ({"x": [1.0]}, {"threshold": -1.0}, "a number from 0 up"),
        ({"x": [1.0]}, {"threshold": 2}, "No distance is above 2: jensen_shannon is 0.833 at most"),
        ({"x": [1.0]}, {"threshold": {"x": 1.0}, "measure": "ks"}, "No distance is above 1"),
        ({"x": [1.0]}, {"level": 1.0}, "between 0.5 and 1"),
        ({"x": pa.array([], pa.float64())}, {}, "no rows"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    changed: dict[str, Any], given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(benison.BenisonError, match=sentence):
        compare(pa.table({"x": [1.0, 2.0]}), pa.table(changed), **given)


def test_the_command_says_it_and_ends_with_1_as_a_gate(tmp_path: Path) -> None:
    fares = [i / 4 for i in range(1500)]
    table = pa.table({"fare": fares[:1000], "cash": ["yes", "no"] * 500})
    pq.write_table(table, tmp_path / "before.parquet")
    moved = table.set_column(0, "fare", pa.array(fares[500:]))
    pyarrow.csv.write_csv(moved, tmp_path / "now.csv")
    files = [str(tmp_path / name) for name in ("before.parquet", "now.csv")]
    done = CliRunner().invoke(app, ["drift", *files, "--gate"])
    assert done.exit_code == 1
    assert "1 of 2 columns drifted (1,000 rows of the reference, 1,000 now)." in done.output
    done = CliRunner().invoke(app, ["drift", *files, "--json", "-c", "cash"])
    assert done.exit_code == 0
    assert json.loads(done.output)["checks"][0]["ks"] is None
    assert "So few rows" not in CliRunner().invoke(app, ["drift", *files]).output
    pq.write_table(table.slice(0, 1), tmp_path / "one.parquet")
    done = CliRunner().invoke(app, ["drift", files[0], str(tmp_path / "one.parquet")])
    assert "So few rows as 1 show hardly any drift" in done.output
    kept = str(tmp_path / "before.profile.parquet")
    assert CliRunner().invoke(app, ["profile", files[0], kept, "--slice", "cash"]).exit_code == 0
    asked = ["drift", kept, files[1], "--slice", "cash", "--threshold", "fare=0.8"]
    done = CliRunner().invoke(app, asked, env={"COLUMNS": "120"})
    assert "0 of 6 columns drifted (1,000 rows of the reference, 1,000 now)." in done.output
    for wrong in (["--threshold", "fare=high"], ["--threshold", "0.2"], ["--slice", "fare"]):
        assert CliRunner().invoke(app, [*asked, *wrong]).exit_code == 2


@pytest.mark.parametrize(
    ("before", "now"),
    [([0] * 2000, [1] * 2000), ([0, 1] * 1000, [0, 2] * 1000), ([1.0, 2.0] * 1000, [None] * 2000)],
)
def test_what_no_row_of_the_reference_had_is_drift(before: list[Any], now: list[Any]) -> None:
    """Above all numbers of the reference, and where no row has a number any more."""
    assert compare(pa.table({"x": before}), pa.table({"x": now})).drifted == ["x"]
    assert compare(pa.table({"x": now}), pa.table({"x": before})).drifted == ["x"]


def test_a_text_column_without_a_value_is_compared() -> None:
    before, now = pa.table({"x": ["a", ""] * 500}), pa.table({"x": pa.nulls(1000)})
    (check,) = compare(before, now).checks
    assert (check.outcome, check.missing) == ("drift", (0.0, 1.0))
    assert "rows with " in check.reason


def test_columns_of_bytes_are_left_out() -> None:
    raw = pa.array([b"\xff", b"\xfe"], pa.large_binary())
    table = pa.table({"x": [1.0, 2.0], "raw": raw})
    assert [check.feature for check in compare(table, table).checks] == ["x"]


def test_a_column_drifts_in_one_slice_alone() -> None:
    """What is hidden in all rows, as it goes up in one company and down in the other."""
    before = pa.table({"x": RNG.normal(size=8000), "company": ["Blue", "Sun"] * 4000})
    moved = RNG.normal(size=8000) + np.tile([0.0, 1.0], 4000)
    report = compare(before, before.set_column(0, "x", pa.array(moved)), slices=["company"])
    assert {*report.drifted} == {"x", "x of company=Sun"}
    (check,) = (c for c in report.checks if c.name == "x of company=Blue")
    assert check.outcome == "no_drift"
    assert "x of company=Sun drifted" in " ".join(c.reason for c in report.checks)


@pytest.mark.parametrize("measure", sorted(DISTANCES))
def test_a_stored_profile_stands_for_its_data(measure: str, tmp_path: Path) -> None:
    """Cells of numbers and texts are the same ones; a distribution function is known at 4,000 points."""
    rows = 20_000
    before = columns_of(rows).append_column("many", pa.array([f"t{i % 1000}" for i in range(rows)]))
    before = before.append_column("huge", pa.array([*range(rows - 1), float("inf")]))
    now = columns_of(3000).append_column("many", pa.array(["t5"] * 3000))
    now = now.append_column("huge", pa.array(RNG.integers(0, rows, 3000).astype(float)))
    file = tmp_path / "before.profile.parquet"
    profile(before, file)
    assert pq.read_metadata(file).num_rows < 8 * 4200
    read, stored = (
        {c.feature: c for c in compare(of, now, measure=measure).checks} for of in (before, file)
    )
    assert read.keys() == stored.keys()
    for name, check in read.items():
        apart = 1e-12 if measure != "ks" else 1 / 2000
        assert stored[name].distance == pytest.approx(check.distance, abs=apart)
        assert stored[name].shares == pytest.approx(check.shares)


def many_texts(rows: int, kinds: int, first: int = 0) -> pa.Table:
    return pa.table({"x": [f"t{i}" for i in RNG.integers(first, first + kinds, rows)]})


def test_texts_that_a_profile_does_not_count_do_not_drift_by_that(tmp_path: Path) -> None:
    """Never farther apart than the data, and still apart where all texts are other ones."""
    before, same, new = (many_texts(30_000, *of) for of in ((1500,), (1500,), (1100, 9000)))
    files = [tmp_path / f"{name}.profile.parquet" for name in ("before", "same", "new")]
    for table, file in zip((before, same, new), files, strict=True):
        profile(table, file)
    for reference in (before, files[0]):
        (known,) = compare(before, same).checks
        (check,) = compare(reference, files[1]).checks
        assert (check.outcome, known.outcome) == ("no_drift", "no_drift")
        assert check.distance <= known.distance
        assert compare(reference, files[2]).drifted == ["x"]


def test_few_rows_of_many_texts_do_not_drift_by_the_choice_of_the_frequent_ones() -> None:
    """Those that are frequent by chance are not so again; with other texts than before there is drift."""
    tables = [many_texts(3000, 1500, first) for first in (0, 0, 750)]
    for measure in ("jensen_shannon", "hellinger", "l_infinity"):
        assert not compare(*tables[:2], measure=measure).drifted
    assert compare(tables[0], tables[2]).drifted == ["x"]


def test_slices_by_a_feature_are_no_crosses_with_it(tmp_path: Path) -> None:
    """Nor those of a feature whose value is written as a cross is, nor other values than are asked for."""
    data = {"x": [1.0] * 40, "co": ["A", "A, h=1"] * 20, "h": [1, 1, 2, 2] * 10}
    file = tmp_path / "a.profile.parquet"
    specs = [SlicingSpec(feature_keys=keys) for keys in (("co",), ("co", "h"))]
    profile(pa.table(data), file, columns=["x"], slices=specs)
    fixed = SlicingSpec(feature_values={"co": "A"})
    for other in (pa.table(data), file):
        for asked, slices in (
            ("co", ["Overall", "co=A", "co=A, h=1"]),
            (fixed, ["Overall", "co=A"]),
        ):
            report = compare(file, other, columns=["x"], slices=[asked])
            assert [check.slice for check in report.checks] == slices
            report = compare(other, file, columns=["x"], slices=[asked])
            assert [check.slice for check in report.checks] == slices
    with pytest.raises(benison.ConfigError, match="no slices by h"):
        compare(file, file, columns=["x"], slices=["h"])


def test_a_column_without_a_value_has_no_slices() -> None:
    table = pa.table({"x": [1.0] * 40, "s": pa.nulls(40, pa.string()), "t": pa.nulls(40)})
    for name in ("s", "t"):
        checks = compare(table, table, columns=["x"], slices=[name]).checks
        assert [check.slice for check in checks] == ["Overall"]


def test_a_profile_is_written_whole_and_over_nothing_but_a_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, table = tmp_path / "a.profile.parquet", pa.table({"x": [1.0, 2.0]})
    pq.write_table(table, file)
    with pytest.raises(benison.OutputError, match="is no profile"):
        profile(table, file)
    assert pq.read_table(file) == table
    file.unlink()
    profile(table, file)
    before = file.read_bytes()

    def full(partial: Path, content: bytes) -> None:
        with partial.open("wb") as written:
            written.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(benison.OutputError, match="cannot be written: No space left"):
        profile(pa.table({"x": [3.0]}), file)
    monkeypatch.undo()
    assert {each.name: each.read_bytes() == before for each in tmp_path.iterdir()} == {
        file.name: True
    }
    profile(pa.table({"x": [3.0]}), file)


@pytest.mark.parametrize("column", ["labels", "predictions", "predictions/new"])
def test_no_column_has_the_name_of_a_role_in_a_profile(column: str) -> None:
    with pytest.raises(benison.ConfigError, match="rename the column"):
        ProfileEvaluator((column,))
    made = {"options": {"profile_columns": [column]}, "metrics_specs": [{"metrics": ["AUC"]}]}
    data = pa.table({column: [1.0, 2.0], "y": [0, 1], "p": [0.1, 0.9]})
    made["model_specs"] = [{"label_key": "y", "prediction_key": "p"}]  # type: ignore[assignment]
    with pytest.raises(benison.ConfigError, match=r"profile_columns\[0\].*rename the column"):
        benison.evaluate(data, made)


def test_profiles_of_parts_merge_to_that_of_all() -> None:
    """In any order, and through a table: a profile is a state."""
    whole = columns_of(3000).combine_chunks()
    (batch,) = whole.to_batches()
    parts = [batch_profiles(part, whole.column_names) for part in whole.to_batches(700)]
    order = [(name, "ascending") for name in ("column", "kind", "text", "number")]
    tables = [
        stored(restored(stored(of))).sort_by(order)
        for of in (functools.reduce(merged, parts[::-1]), batch_profiles(batch, whole.column_names))
    ]
    assert tables[0].to_pylist() == tables[1].to_pylist()


@pytest.mark.parametrize("engine", ["local", "beam"])
def test_an_evaluation_keeps_the_profile_of_its_data(engine: str, tmp_path: Path) -> None:
    """Against which new data, and the predictions of another evaluation, are held."""
    before = pa.table(
        {"fare": RNG.normal(size=400), "score": RNG.random(400), "label": [0, 1] * 200}
    )
    pq.write_table(before, tmp_path / "before.parquet", row_group_size=100)
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "score"}],
        "metrics_specs": [{"metrics": ["AUC"]}],
        "options": {"profile_columns": ["fare"]},
    }
    out = tmp_path / "out"
    benison.evaluate(tmp_path / "before.parquet", config, output=out, engine=engine)
    now = pa.table({"fare": RNG.normal(2.0, size=400)})
    assert compare(out, now).checks[0].distance == compare(before, now).checks[0].distance
    with pytest.raises(benison.ConfigError, match="than options.min_slice_size shows"):
        benison.evaluate(before, {**config, "options": {**config["options"], "min_slice_size": 5}})
    with pytest.raises(benison.ConfigError, match="no slices by label"):
        compare(out, now, slices=["label"])
    report = compare(out, out / "profile.parquet")
    assert {check.feature for check in report.checks} == {"fare", "labels", "predictions"}
    assert not report.drifted


def test_predictions_of_classes_drift_in_a_slice(tmp_path: Path) -> None:
    """A stage makes profiles of slices too; of several scores it is the class that they say."""
    scores = RNG.dirichlet(np.ones(3), 3000)
    data = {"scores": [*scores], "label": scores.argmax(1), "half": ["a", "b"] * 1500}
    moved = scores.copy()
    moved[1::2] = (0.8, 0.1, 0.1)
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "scores"}],
        "metrics_specs": [{"metrics": ["SparseCategoricalAccuracy"]}],
        "slicing_specs": [{}, {"feature_keys": ["half"]}],
    }
    outputs = [tmp_path / name for name in ("before", "now")]
    for output, made in zip(outputs, (scores, moved), strict=True):
        stage = ProfileEvaluator(("half",), by_slice=True)
        table = pa.table({**data, "scores": [*made]})
        benison.evaluate(table, config, evaluators=[stage], output=output)
    report = compare(*outputs, slices=["half"])
    assert {*report.drifted} == {"predictions", "predictions of half=b"}
    assert report.checks[0].cell == "0"
