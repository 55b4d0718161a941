# SPDX-License-Identifier: Apache-2.0
"""The cases of TFX's own test of its Evaluator, with Benison's executor in its place.

Data and models are those that the tfx package carries: trips of the taxi sample, and two estimators of 2022,
whose serving graphs TensorFlow still loads. Their EvalSavedModels (Format-TFMA) it does not, so that the case of
`feature_slicing_spec` has nothing to evaluate; TFX expects it to fail too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("tfx")

import tensorflow_model_analysis as tfma
from tfx.types import artifact_utils, standard_artifacts

import benison
from benison.evaluator.executor import Executor
from tests.conftest import taxi_like

pytestmark = pytest.mark.slow

SLICES = [{"feature_keys": ["trip_start_hour"]}, {"feature_keys": ["trip_start_day", "trip_miles"]}]
MODULE = "tfx.components.testdata.module_file.evaluator_module"
OVER_0 = {"class_name": "ExampleCount", "threshold": {"value_threshold": {"lower_bound": 0}}}
UNDER_0 = {"class_name": "ExampleCount", "threshold": {"value_threshold": {"upper_bound": -1}}}
IN_DATA = {
    "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
    "metrics_specs": [{"metrics": [OVER_0]}],
}
LOWER = {"change_threshold": {"relative": 0, "direction": "LOWER_IS_BETTER"}}


def artifact(kind: Any, uri: Path, id_: int = 0) -> Any:
    made = kind()
    made.uri = str(uri)
    made.id = id_
    return made


def inputs(data: Path, model: bool = True, baseline: bool = False) -> dict[str, list[Any]]:
    examples = artifact(standard_artifacts.Examples, data / "csv_example_gen")
    examples.split_names = artifact_utils.encode_split_names(["train", "eval"])
    values = {
        "examples": [examples, examples],
        "schema": [artifact(standard_artifacts.Schema, data / "schema_gen")],
    }
    if model:
        values["model"] = [artifact(standard_artifacts.Model, data / "trainer/current", 3)]
    if baseline:
        values["baseline_model"] = [
            artifact(standard_artifacts.Model, data / "trainer/previous", 2)
        ]
    return values


def run(
    given: dict[str, list[Any]], folder: Path, config: dict[str, Any], **properties: Any
) -> tuple[Any, Any]:
    evaluation = artifact(standard_artifacts.ModelEvaluation, folder / "evaluation")
    blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing")
    outputs = {"evaluation": [evaluation], "blessing": [blessing]}
    executor = Executor()
    executor._beam_pipeline_args = properties.pop("beam_pipeline_args", [])
    executor.Do(
        given, outputs, {"eval_config": json.dumps(config), "example_splits": "null", **properties}
    )
    return evaluation, blessing


@pytest.mark.parametrize(
    ("properties", "model"),
    [
        ({}, True),
        ({"module_file": "FILE"}, True),
        ({"module_path": MODULE}, True),
        ({}, False),
    ],
    ids=["eval_config", "module_file", "module_path", "model_agnostic"],
)
def test_evaluation(data: Path, tmp_path: Path, properties: dict[str, str], model: bool) -> None:
    specs = [] if model else [{"label_key": "tips", "prediction_key": "tips"}]
    config = {"model_specs": specs, "slicing_specs": SLICES}
    if "module_file" in properties:
        properties = {"module_file": str(data / "module_file" / "evaluator_module.py")}
    given = inputs(data, model)
    evaluation, blessing = run(
        given, tmp_path, config, example_splits='["train", "eval"]', **properties
    )
    result = benison.load_result(evaluation.uri)
    assert result.verdict.status == "not_evaluated"
    assert result.manifest["rows"] > 0
    assert not Path(blessing.uri, "BLESSED").exists()
    assert not blessing.has_custom_property("blessed")
    check_files_of_tfma(Path(evaluation.uri))


@pytest.mark.parametrize(
    ("specs", "metrics", "blessed", "baseline"),
    [
        ([{"label_key": "tips"}], [OVER_0], True, True),
        (
            [
                {"name": "baseline1", "label_key": "tips", "is_baseline": True},
                {"name": "candidate1", "label_key": "tips"},
            ],
            [UNDER_0],
            False,
            True,
        ),
        (
            [
                {"name": "baseline", "label_key": "tips", "is_baseline": True},
                {"name": "candidate", "label_key": "tips"},
            ],
            [OVER_0, {"class_name": "Accuracy", "threshold": LOWER}],
            True,
            False,
        ),
        (
            [{"label_key": "tips"}],
            [{"class_name": "ExampleCount"}, {"class_name": "Accuracy", "threshold": LOWER}],
            True,
            False,
        ),
    ],
    ids=[
        "validation",
        "validation_fail",
        "no_baseline_ignores_change_threshold",
        "the_first_model_has_nothing_to_be_compared_with",
    ],
)
def test_validation(
    data: Path, tmp_path: Path, specs: Any, metrics: Any, blessed: bool, baseline: bool
) -> None:
    config = {"model_specs": specs, "metrics_specs": [{"metrics": metrics}], "slicing_specs": [{}]}
    given = inputs(data, baseline=baseline)
    evaluation, blessing = run(given, tmp_path, config)
    assert Path(blessing.uri, "BLESSED" if blessed else "NOT_BLESSED").exists()
    assert blessing.get_int_custom_property("blessed") == int(blessed)
    check_files_of_tfma(Path(evaluation.uri))
    assert tfma.load_validation_result(evaluation.uri).validation_ok == blessed
    assert blessing.get_int_custom_property("current_model_id") == 3
    assert blessing.get_string_custom_property("current_model") == str(data / "trainer/current")
    assert blessing.has_custom_property("baseline_model_id") == baseline
    result = benison.load_result(evaluation.uri)
    assert result.verdict.rubber_stamped == (not baseline)
    assert blessing.get_string_custom_property("benison_summary") == result.verdict.summary()


def check_files_of_tfma(folder: Path) -> None:
    assert (folder / "eval_config.json").exists()
    assert (folder / "validations.tfrecord").exists()
    assert list(folder.glob("metrics-*.tfrecord"))
    assert list(folder.glob("plots-*.tfrecord"))
    metrics = [actual for _, actual in tfma.load_eval_result(str(folder)).slicing_metrics]
    assert all("example_count" in str(actual) for actual in metrics)


def test_a_split_that_is_not_there_names_those_that_are(data: Path, tmp_path: Path) -> None:
    config = {"model_specs": [{"label_key": "tips"}], "metrics_specs": [{"metrics": [OVER_0]}]}
    with pytest.raises(benison.DataError, match="there are eval, train"):
        run(inputs(data), tmp_path, config, example_splits='["test"]')


def test_fairness_indicators_are_computed(data: Path, tmp_path: Path) -> None:
    config = {
        "model_specs": [{"label_key": "trip_start_day", "prediction_key": "trip_start_hour"}],
        "metrics_specs": [{"metrics": [OVER_0]}],
    }
    with pytest.raises(benison.ConfigError, match="numbers from 0 to 1, not 2"):
        run(inputs(data, model=False), tmp_path, config, fairness_indicator_thresholds="[0.1, 2]")


@pytest.mark.parametrize(
    ("thresholds", "rates"),
    [("[0.5, 0.5]", 7), ("[0, 1, 1.0]", 14), ("[0.12345678, 0.123456789]", 14)],
)
def test_fairness_indicators_at_equal_and_at_near_thresholds(
    tmp_path: Path, thresholds: str, rates: int
) -> None:
    given = {"examples": [parquet(tmp_path / "examples")]}
    actual, _ = run(given, tmp_path, IN_DATA, fairness_indicator_thresholds=thresholds)
    names = set(benison.load_result(actual.uri).metrics["metric"].to_pylist())
    assert len([name for name in names if name.startswith("fairness_indicators_metrics/")]) == rates


@pytest.mark.parametrize(
    ("artifacts", "more", "message"),
    [
        ({"examples": []}, {}, "no Examples artifact"),
        ({}, {"eval_config": "{"}, "The parameter eval_config is neither JSON nor YAML: .* line 1"),
        ({}, {"fairness_indicator_thresholds": "0.5"}, "a list of numbers from 0 to 1, not 0.5"),
        (
            {"baseline_model": [artifact(standard_artifacts.Model, Path("m"))]},
            {},
            "no model, so that",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    tmp_path: Path, artifacts: dict[str, list[Any]], more: dict[str, str], message: str
) -> None:
    given = {"examples": [parquet(tmp_path / "examples")], **artifacts}
    with pytest.raises(benison.BenisonError, match=message):
        run(given, tmp_path, IN_DATA, **more)
    assert not (tmp_path / "blessing").exists()


def test_intervals_are_the_same_on_beam(tmp_path: Path) -> None:
    """Of several artifacts, whose files have the same names."""
    metrics = [{"class_name": "AUC"}, {"class_name": "MeanPrediction"}]
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "slicing_specs": [{}, {"feature_keys": ["hour"]}],
        "metrics_specs": [{"metrics": metrics}],
        "options": {"compute_confidence_intervals": True},
    }
    artifacts = [parquet(tmp_path / name, seed) for seed, name in enumerate("ab")]
    results = []
    for arguments in ([], ["--direct_running_mode=in_memory"]):
        folder = tmp_path / f"evaluated-{len(results)}"
        actual, _ = run({"examples": artifacts}, folder, config, beam_pipeline_args=arguments)
        results.append(benison.load_result(actual.uri).metrics)
    for column in ("value", "lower", "upper"):
        local, beam = (actual[column].to_numpy() for actual in results)
        assert np.isfinite(local).sum() > 30
        np.testing.assert_allclose(beam, local, rtol=1e-10)


def test_a_baseline_whose_predictions_are_in_the_data_is_compared_with(tmp_path: Path) -> None:
    change = {"change_threshold": {"absolute": 0.0, "direction": "HIGHER_IS_BETTER"}}
    config = {
        "model_specs": [
            {"name": "new", "label_key": "label", "prediction_key": "hour"},
            {
                "name": "old",
                "label_key": "label",
                "prediction_key": "prediction",
                "is_baseline": True,
            },
        ],
        "metrics_specs": [{"metrics": [{"class_name": "AUC", "threshold": change}]}],
    }
    given = {"examples": [parquet(tmp_path / "examples")]}
    evaluation, blessing = run(given, tmp_path, config)
    assert not benison.load_result(evaluation.uri).verdict.rubber_stamped
    assert blessing.get_int_custom_property("blessed") == 0


@pytest.mark.parametrize(("evidence", "blessed"), [("worse", 1), ("not_worse", 0)])
def test_a_threshold_asks_for_evidence_as_everywhere(
    tmp_path: Path, evidence: str, blessed: int
) -> None:
    """200 rows cannot tell an AUC of 0.8 from one of 0.85."""
    bound = {"value_threshold": {"lower_bound": 0.85}, "evidence": evidence}
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "metrics_specs": [{"metrics": [{"class_name": "AUC", "threshold": bound}]}],
        "options": {"confidence": {"level": 0.95, "correction": "holm"}},
    }
    given = {"examples": [parquet(tmp_path / "examples")]}
    for made in run(given, tmp_path, config):
        assert made.get_int_custom_property("benison_undecided") == blessed
    assert made.get_int_custom_property("blessed") == blessed


def parquet(folder: Path, seed: int = 0) -> Any:
    """An Examples artifact with the split `eval`."""
    made = artifact(standard_artifacts.Examples, folder)
    made.split_names = artifact_utils.encode_split_names(["eval"])
    made.set_string_custom_property("payload_format", "FORMAT_PARQUET")
    (folder / "Split-eval").mkdir(parents=True)
    table = taxi_like(200, seed=seed)
    pq.write_table(table, folder / "Split-eval" / "data_parquet-00000-of-00001.parquet")
    return made


def test_examples_of_another_payload_are_refused(data: Path, tmp_path: Path) -> None:
    given = inputs(data)
    given["examples"][0].set_string_custom_property("payload_format", "FORMAT_PROTO")
    config = {"model_specs": [{"label_key": "tips"}], "metrics_specs": [{"metrics": [OVER_0]}]}
    with pytest.raises(benison.DataError, match="not FORMAT_PROTO"):
        run(given, tmp_path, config)


def test_parquet_of_several_artifacts_and_splits(tmp_path: Path) -> None:
    artifacts = []
    for number in range(2):
        made = artifact(standard_artifacts.Examples, tmp_path / f"examples-{number}")
        made.split_names = artifact_utils.encode_split_names(["train", "eval"])
        made.set_string_custom_property("payload_format", "FORMAT_PARQUET")
        for split, rows in (("train", 100), ("eval", 30)):
            (tmp_path / f"examples-{number}" / f"Split-{split}").mkdir(parents=True)
            file = Path(made.uri, f"Split-{split}", "data_parquet-00000-of-00001.parquet")
            pq.write_table(taxi_like(rows, seed=number), file)
        artifacts.append(made)
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "prediction"}],
        "metrics_specs": [{"metrics": [{"class_name": "ExampleCount"}]}],
    }
    given = {"examples": artifacts}
    actual, _ = run(given, tmp_path / "eval", config)
    result = benison.load_result(actual.uri)
    assert result.value("example_count") == 60
    folders = [str(Path(made.uri, "Split-eval")) for made in artifacts]
    expected = benison.evaluate(folders, config, format="parquet").metrics
    no_bounds = [
        "lower",
        "upper",
        "std_error",
        "df",
    ]  # which are NaN, and so are not equal to themselves
    assert result.metrics.drop_columns(no_bounds).equals(expected.drop_columns(no_bounds))
    actual, _ = run(given, tmp_path / "both", config, example_splits='["train", "eval"]')
    assert benison.load_result(actual.uri).value("example_count") == 260
    thresholds = "[0.25, 0.5]"
    actual, _ = run(given, tmp_path / "fair", config, fairness_indicator_thresholds=thresholds)
    result = benison.load_result(actual.uri)
    table = pa.concat_tables(taxi_like(30, seed=number) for number in range(2))
    share = (table["prediction"].to_numpy() > 0.25).mean()
    name = "fairness_indicators_metrics/positive_rate@0.25"
    assert result.value(name) == pytest.approx(share)


def test_a_metric_of_a_module_beside_the_users_own(data: Path, tmp_path: Path) -> None:
    """The module lies beside module_file, whose folder is looked in for metrics too."""
    (tmp_path / "mine_of_tfx.py").write_text(MINE)
    (tmp_path / "module.py").write_text("")
    metric = {"class_name": "Miles", "module": "mine_of_tfx"}
    config = {
        "model_specs": [{"label_key": "tips", "prediction_key": "tips"}],
        "metrics_specs": [{"metrics": [metric]}],
    }
    given = inputs(data, model=False)
    evaluation, _ = run(given, tmp_path, config, module_file=str(tmp_path / "module.py"))
    result = benison.load_result(evaluation.uri)
    assert result.value("miles") > 0
    (message,) = result.manifest["user_metrics"]
    assert message["module"] == "mine_of_tfx"


MINE = """
import dataclasses
from benison.metrics.base import Metric, ratio
from benison.metrics.statistics import Mean

@dataclasses.dataclass(frozen=True)
class OfMiles(Mean):
    def columns(self):
        return ("trip_miles",)

def miles(inputs):
    return inputs.features["trip_miles"].flatten().to_numpy(zero_copy_only=False).astype(float)

@dataclasses.dataclass(frozen=True)
class Miles(Metric):
    name: str = "miles"
    def statistics(self):
        return (OfMiles(miles),)
    def result(self, mean):
        return ratio(*mean)
"""
