# SPDX-License-Identifier: Apache-2.0
"""A newcomer with an empty folder and a file: `init`, `check-config`, `evaluate`, `show`, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import benison
from benison.cli import app

RNG = np.random.default_rng(5)
ROWS = 400


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def features(rows: int = ROWS) -> dict[str, Any]:
    return {
        "shop": RNG.choice(["a", "b", "c"], rows),
        "fare": RNG.random(rows) * 30,
        "trip_id": np.arange(rows),
        "day": RNG.integers(0, 7, rows),
    }


def binary() -> pa.Table:
    clicked = RNG.integers(0, 2, ROWS)
    score = np.clip(clicked * 0.4 + RNG.random(ROWS) * 0.6, 0, 1)
    return pa.table({**features(), "clicked": clicked, "score": score, "weight": RNG.random(ROWS)})


def several_classes() -> pa.Table:
    label, scores = RNG.integers(0, 3, ROWS), RNG.random((ROWS, 3))
    scores[np.arange(ROWS), label] += 1
    scores /= scores.sum(axis=1, keepdims=True)
    return pa.table({**features(), "label": label, "probabilities": scores.tolist()})


def regression() -> pa.Table:
    paid = RNG.normal(20, 5, ROWS)
    return pa.table({**features(), "target": paid, "prediction": paid + RNG.normal(0, 1, ROWS)})


def ranking() -> pa.Table:
    grade = RNG.integers(0, 3, ROWS)
    query = [f"q{number // 8}" for number in range(ROWS)]
    return pa.table(
        {"query_id": query, **features(), "relevance": grade, "score": grade + RNG.random(ROWS)}
    )


def texts() -> pa.Table:
    words = [f"the answer to question {number}" for number in range(60)]
    return pa.table({"language": ["en", "de", "fr"] * 20, "expected": words, "output": words[::-1]})


def wide() -> pa.Table:
    columns = {f"x{number}": RNG.integers(0, 2 + number % 30, ROWS) for number in range(300)}
    return (
        binary()
        .append_column("no, really\n", pa.array(["yes"] * ROWS))
        .join(pa.table({**columns, "trip_id": np.arange(ROWS)}), "trip_id")
    )


def tiny() -> pa.Table:
    return pa.table({"y": [0, 1, 1], "p": [0.2, 0.9, 0.7], "shop": ["a", "b", "b"]})


def with_a_baseline() -> pa.Table:
    table = binary()
    old = np.clip(table["clicked"].to_numpy() * 0.3 + RNG.random(ROWS) * 0.7, 0, 1)
    return table.append_column("score_old", pa.array(old))


KINDS: dict[Callable[[], pa.Table], tuple[str, str, str]] = {
    binary: ("binary classification", "auc", "blessed"),
    several_classes: ("classification into several classes", "categorical_accuracy", "blessed"),
    regression: ("regression", "r2_score", "blessed"),
    ranking: ("ranking", "ndcg", "not_evaluated"),
    texts: ("generated texts", "token_f1", "not_evaluated"),
    wide: ("binary classification", "auc", "blessed"),
    tiny: ("binary classification", "auc", "blessed"),
    with_a_baseline: ("binary classification", "auc", "blessed"),
}


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_the_first_config_runs_as_it_is(make: Callable[[], pa.Table], in_folder: Path) -> None:
    task, metric, status = KINDS[make]
    pq.write_table(make(), "eval.parquet")
    named = ("--label", "clicked") if make is wide else ()
    first = run("init", "eval.parquet", *named)
    assert first.exit_code == 0, first.output
    assert f"task       {task}: " in first.output
    commands = [
        line.split()[1:] for line in first.output.splitlines() if line.startswith("  benison")
    ]
    assert [command[0] for command in commands] == ["check-config", "evaluate", "show"]
    for command in commands:
        done = run(*command)
        assert done.exit_code == 0, done.output
    result = benison.load_result("out")
    assert result.verdict.status == status, result.verdict
    assert np.isfinite(result.value(metric))
    assert not {"trip_id", "clicked", "weight"} & {
        name
        for key in result.metrics["slice_key"].to_pylist()
        for name in (p["feature"] for p in key)
    }


def test_the_slices_are_features_of_few_values_and_bins(in_folder: Path) -> None:
    pq.write_table(binary(), "eval.parquet")
    run("init", "eval.parquet")
    config = benison.EvalConfig.load("eval.yaml")
    assert [str(spec) for spec in config.slicing_specs] == [
        "Overall",
        "shop",
        "bins of fare",
        "day",
    ]
    assert config.model_specs[0].example_weight_key == "weight"


def test_every_hour_is_a_slice_and_minutes_are_binned(in_folder: Path) -> None:
    minute = np.arange(4_800) % 1_440
    score = np.random.default_rng(0).random(len(minute))
    table = pa.table({"hour": minute // 60, "minute": minute, "tip": minute % 2, "score": score})
    pq.write_table(table, "eval.parquet")
    run("init", "eval.parquet")
    config = benison.EvalConfig.load("eval.yaml")
    assert [str(spec) for spec in config.slicing_specs] == ["Overall", "hour", "bins of minute"]


def test_a_log_of_inspect_has_its_references_and_averages_of_its_scores(in_folder: Path) -> None:
    log = Path(__file__).parent / "data/scores/sums.eval"
    first = run("init", str(log))
    assert first.exit_code == 0, first.output
    assert "generated texts with several references" in first.output
    assert run("evaluate", "-e", str(log), "-c", "eval.yaml", "-o", "out").exit_code == 0
    result = benison.load_result("out")
    assert np.isfinite(result.value("token_f1"))
    assert result.value("mean_score_match") == 0.5


def test_the_config_of_the_readme_is_what_init_writes_of_such_trips(in_folder: Path) -> None:
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    Path("readme.yaml").write_text(readme.partition("```yaml\n")[2].partition("```")[0])
    fares = np.concatenate([np.linspace(3.25, 7.25, 100), np.linspace(7.26, 80, 299)]).round(3)
    scored = binary().slice(0, fares.size)
    columns = (scored["clicked"], scored["score"], scored["shop"], pa.array(fares))
    pq.write_table(pa.table(columns, ["tipped", "score", "company", "fare"]), "eval.parquet")
    assert run("init", "eval.parquet").exit_code == 0
    written, shown = map(benison.EvalConfig.load, ("eval.yaml", "readme.yaml"))
    assert shown.model_specs == written.model_specs
    assert [[*map(str, c.slicing_specs)] for c in (shown, written)] == [
        ["Overall", "company", "bins of fare"]
    ] * 2
    names = [{m.class_name for s in c.metrics_specs for m in s.metrics} for c in (shown, written)]
    assert names[0] < names[1]
    done = run("evaluate", "-e", "eval.parquet", "-c", "readme.yaml", "-o", "out")
    assert (done.exit_code, done.output.startswith("BLESSED")) == (0, True), done.output


def test_an_earlier_result_gives_the_thresholds(in_folder: Path) -> None:
    pq.write_table(binary(), "eval.parquet")
    run("init", "eval.parquet")
    run("evaluate", "-e", "eval.parquet", "-c", "eval.yaml", "-o", "out")
    again = run("init", "eval.parquet", "--baseline", "out", "--output", "next.yaml")
    assert again.exit_code == 0, again.output
    assert "init eval.parquet --baseline out --output next.yaml" in Path("next.yaml").read_text()
    lower = benison.load_result("out").rows("auc")["lower"][0].as_py()
    assert f"lower_bound: {lower:.4g}}}  # it was" in Path("next.yaml").read_text()
    assert (
        run("evaluate", "-e", "eval.parquet", "-c", "next.yaml", "-o", "b", "--gate").exit_code == 0
    )


def test_an_earlier_result_of_another_task_gives_none_and_that_is_printed(in_folder: Path) -> None:
    pq.write_table(binary(), "eval.parquet")
    pq.write_table(regression(), "amounts.parquet")
    run("init", "amounts.parquet")
    run("evaluate", "-e", "amounts.parquet", "-c", "eval.yaml", "-o", "out")
    again = run("init", "eval.parquet", "--baseline", "out", "--output", "next.yaml")
    assert again.exit_code == 0, again.output
    assert "thresholds none from out, which has no value" in again.output


def test_a_result_that_was_not_blessed_gives_no_thresholds(in_folder: Path) -> None:
    pq.write_table(binary(), "eval.parquet")
    run("init", "eval.parquet")
    made = Path("eval.yaml").read_text().replace("lower_bound: 0.5", "lower_bound: 0.999")
    Path("eval.yaml").write_text(made)
    run("evaluate", "-e", "eval.parquet", "-c", "eval.yaml", "-o", "out")
    again = run("init", "eval.parquet", "--baseline", "out", "--output", "next.yaml")
    assert again.exit_code == 2
    assert "The model of out was not blessed" in again.output
    assert not Path("next.yaml").exists()


def test_a_run_whose_checks_all_need_a_baseline_says_so(in_folder: Path) -> None:
    pq.write_table(binary(), "eval.parquet")
    Path("eval.yaml").write_text("""
model_specs: [{label_key: clicked, prediction_key: score}]
slicing_specs: [{}, {feature_keys: [shop]}]
metrics_specs:
  - metrics:
      - class_name: AUC
        threshold: {change_threshold: {direction: HIGHER_IS_BETTER, absolute: -0.01}}
""")
    done = run("evaluate", "-e", "eval.parquet", "-c", "eval.yaml", "-o", "out")
    assert (
        "! No baseline was given, so none of 4 changes was judged. Give --baseline to judge them.\n"
        in done.stderr
    )
    assert done.stdout.startswith("BLESSED")


@pytest.mark.parametrize("rows", [100, 50_000])
def test_few_rows_have_intervals_though_no_file_says_how_many_they_are(
    rows: int, in_folder: Path
) -> None:
    table = binary().slice(0, 100).drop_columns(["fare"])
    pyarrow.csv.write_csv(pa.concat_tables([table] * (rows // 100)), "eval.csv")
    assert run("init", "eval.csv").exit_code == 0
    options = benison.EvalConfig.load("eval.yaml").options
    assert (options.confidence != "off") == (rows == 100)


def test_a_baseline_in_the_data_is_compared_with(in_folder: Path) -> None:
    pq.write_table(with_a_baseline(), "eval.parquet")
    assert "baseline   score_old: its name says so" in run("init", "eval.parquet").output
    config = benison.EvalConfig.load("eval.yaml")
    assert config.baseline_spec is not None
    assert any(spec.has_change_threshold for spec in config.metrics_specs)


DATES = pa.array(np.arange(ROWS, dtype=np.int32)).cast(pa.date32())


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("ms"), pa.string()], ids=str)
def test_a_time_is_no_label_and_the_config_says_by_which_command_it_was_written(
    kind: pa.DataType, in_folder: Path
) -> None:
    rows = binary().append_column("label_date", DATES.cast(kind))
    rows = rows.rename_columns({"clicked": "default"})
    pq.write_table(rows, "eval.parquet")
    done = run("init", "eval.parquet")
    assert "label      default: the only column whose values are 0 and 1" in done.output
    named = (
        "init",
        "--label=default",
        "--output",
        "b.yaml",
        "eval.parquet",
        "--prediction",
        "score",
    )
    assert run(*named).exit_code == 0
    command = " ".join(("benison", *named))
    assert f"# Written by: {command}. " in Path("b.yaml").read_text()
    for table in (rows, rows.drop_columns(["score"])):  # where a model is to be called too
        pq.write_table(table, "eval.parquet")
        refused = run("init", "eval.parquet", "-o", "c.yaml", "--label", "label_date")
        assert (refused.exit_code, "label_date holds times" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("columns", "options", "sentence"),
    [
        (
            {"a": [1.5], "b": [2.5]},
            (),
            "Nothing tells which column holds the labels. Say it: --label",
        ),
        (
            {"label": ["x"], "score": [0.5]},
            (),
            "The label label is text, and the prediction score is a number",
        ),
        ({"label": [1], "score": [0.5]}, ("--label", "lable"), "Did you mean 'label'?"),
        (
            {"label": [1], "score": [0.5]},
            ("--label", "label", "--prediction", "label"),
            "'label' is given as the label and as the prediction",
        ),
        (
            {"label": [1], "score": [float("nan")]},
            (),
            "Column score holds no value in the first 1 rows",
        ),
        ({}, ("-o", "none/eval.yaml"), "There is no folder none to write eval.yaml into"),
        ({}, ("-o", "eval.json"), "benison convert makes JSON of it"),
    ],
)
def test_what_cannot_be_guessed_is_asked_for(
    columns: dict[str, Any], options: tuple[str, ...], sentence: str, in_folder: Path
) -> None:
    pq.write_table(pa.table(columns), "eval.parquet")
    refused = run("init", "eval.parquet", *options)
    assert refused.exit_code == 2
    assert sentence in " ".join(refused.output.split())
    assert not Path("eval.yaml").exists()


def test_changes_are_judged_where_an_old_model_is_named_and_else_suggested(in_folder: Path) -> None:
    """The model is not opened: what it says of the data, `evaluate` asks."""
    (in_folder / "old.joblib").touch()
    days = pa.array(np.arange(ROWS), pa.timestamp("s"))
    table = binary().drop_columns(["score"]).append_column("begun", days)
    pq.write_table(table, "trips.parquet")
    pq.write_table(binary(), "scored.parquet")
    refused = run("init", "scored.parquet", "--baseline", "old.joblib")
    assert (refused.exit_code, "both models are called" in refused.stderr) == (2, True)
    done = run("init", "trips.parquet", "--baseline", "old.joblib", "--label", "clicked")
    assert done.exit_code == 0, done.output
    assert "baseline   old.joblib: a model" in done.output
    assert "--model MODEL --baseline old.joblib --config" in done.output
    assert "OLD_MODEL" not in done.output + Path("eval.yaml").read_text()
    assert "time       begun: not sliced" in done.output
    plain = run("init", "trips.parquet", "--label", "clicked", "--output", "plain.yaml")
    assert plain.exit_code == 0, plain.output
    text = Path("plain.yaml").read_text()
    assert "# - {bins: {begun: {every: month}}}  # a time: benison monitor" in text
    without = benison.EvalConfig.load("plain.yaml")
    assert not any(spec.has_change_threshold for spec in without.metrics_specs)
    for remark in ("change_threshold", "threshold: {change", "- {bins: {begun"):
        text = text.replace(f"# {remark}", remark)
    Path("plain.yaml").write_text(text)
    for name in ("eval.yaml", "plain.yaml"):
        (spec,) = benison.EvalConfig.load(name).metrics_specs
        changes = [t for t in spec.all_thresholds() if t.change_threshold is not None]
        asked = "worse" if name == "eval.yaml" else "point"
        assert [t.evidence for t in changes] == [asked] * 2, name
    assert "bins of begun" in [str(s) for s in benison.EvalConfig.load("plain.yaml").slicing_specs]


@pytest.mark.parametrize(
    ("baseline", "hint"),
    [("scroe", "Did you mean 'score'?"), ("old.joblib", "Nor is there a model")],
)
def test_a_baseline_that_is_no_column_no_result_and_no_model_is_refused(
    baseline: str, hint: str, in_folder: Path
) -> None:
    pq.write_table(binary(), "trips.parquet")
    done = run("init", "trips.parquet", "--baseline", baseline)
    assert (done.exit_code, Path("eval.yaml").exists()) == (2, False)
    assert f"{baseline} is no column, nor the output of an evaluation" in done.stderr
    assert hint in done.stderr


def test_a_weight_has_numbers_and_no_other_role(in_folder: Path) -> None:
    pq.write_table(
        pa.table({"weight": [0, 1], "weights": [None, np.nan], "score": [0.1, 0.9]}), "eval.parquet"
    )
    assert run("init", "eval.parquet", "--label", "weight").exit_code == 0
    (model,) = benison.EvalConfig.load("eval.yaml").model_specs
    assert (model.label_key, model.example_weight_key) == ("weight", "")


def test_the_slices_of_two_data_sets_are_the_same(in_folder: Path) -> None:
    pq.write_table(binary(), "eval.parquet")
    run("init", "eval.parquet")
    for folder in ("a", "b"):
        run("evaluate", "-e", "eval.parquet", "-c", "eval.yaml", "-o", folder)
        pq.write_table(binary(), "eval.parquet")
    keys = [{*benison.load_result(folder).metrics["slice"].to_pylist()} for folder in ("a", "b")]
    assert keys[0] == keys[1]


def test_a_config_that_is_there_is_kept(in_folder: Path) -> None:
    pq.write_table(binary(), "eval.parquet")
    Path("eval.yaml").write_text("mine")
    assert "Say --overwrite" in run("init", "eval.parquet").output
    assert Path("eval.yaml").read_text() == "mine"
    shown = run("init", "eval.parquet", "--output", "-")
    assert shown.stdout.startswith("# Binary classification")
    assert "Guessed from" in shown.stderr
    assert run("init", "eval.parquet", "--overwrite", "-h").exit_code == 0
