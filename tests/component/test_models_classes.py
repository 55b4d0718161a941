# SPDX-License-Identifier: Apache-2.0
"""Labels of a classifier are those that it was fitted on: any numbers, or text."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import benison
import benison.models
from benison.engine import local
from tests.component.test_models_files import FLOAT, INT64, node, onnx_model

ROWS = 120
X = np.random.default_rng(0).normal(size=ROWS)
CLASS = np.clip(np.round(X + np.random.default_rng(1).normal(size=ROWS)), -1, 1).astype(int) + 1


def fitted(labels: Any, path: Path, kind: str = "linear_model.LogisticRegression") -> Any:
    module, _, name = kind.rpartition(".")
    estimator = getattr(pytest.importorskip(f"sklearn.{module}"), name)()
    model = estimator.fit(pd.DataFrame({"x": X}), labels)
    path.write_bytes(pickle.dumps(model))
    return model


def evaluated(path: Path, labels: Any, metric: str, **spec: Any) -> float:
    asked = {
        "model_specs": [{"label_key": "y", **spec}],
        "metrics_specs": [{"metrics": [{"class_name": metric}]}],
    }
    table = pa.table({"x": X[: len(labels)], "y": labels})
    result = benison.evaluate(table, asked, model=path, trust_pickle=True)
    return float(result.value(result.metric_names()[0]))


@pytest.mark.parametrize("names", [[1, 2, 3], [-2, 7, 9], ["b", "m", "z"], ["0", "2", "9"]])
@pytest.mark.parametrize(
    "kind", ["linear_model.LogisticRegression", "linear_model.RidgeClassifier"]
)
def test_labels_are_those_of_several_classes(names: Any, kind: str, tmp_path: Path) -> None:
    labels = np.array(names)[CLASS]
    model = fitted(labels, tmp_path / "m.pkl", kind)
    few = labels[:60][CLASS[:60] < 2]
    frame = pd.DataFrame({"x": X[: len(few)]})
    value = evaluated(tmp_path / "m.pkl", few, "CategoricalAccuracy")
    assert value == pytest.approx(model.score(frame, few))


@pytest.mark.parametrize("names", [[-1, 1], [1, 2], ["bad", "good"], [False, True]])
def test_labels_are_those_of_two_classes(names: Any, tmp_path: Path) -> None:
    labels = np.array(names)[np.minimum(CLASS, 1)]
    model = fitted(labels, tmp_path / "m.pkl")
    expected = model.score(pd.DataFrame({"x": X}), labels)
    assert evaluated(tmp_path / "m.pkl", labels, "BinaryAccuracy") == pytest.approx(expected)
    entropy = pytest.importorskip("sklearn.metrics").log_loss
    expected = entropy(labels, model.predict_proba(pd.DataFrame({"x": X})))
    assert evaluated(tmp_path / "m.pkl", labels, "BinaryCrossEntropy") == pytest.approx(expected)


def test_numbers_of_text_classes_are_their_order_which_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = np.array(["b", "m", "z"])[CLASS]
    model = fitted(labels, tmp_path / "m.pkl")
    value = evaluated(tmp_path / "m.pkl", CLASS, "CategoricalAccuracy")
    assert value == pytest.approx(model.score(pd.DataFrame({"x": X}), labels))
    assert "0 is 'b', 1 is 'm', 2 is 'z'" in caplog.text


def test_a_label_of_no_class_is_refused(tmp_path: Path) -> None:
    fitted(CLASS + 1, tmp_path / "m.pkl")
    with pytest.raises(
        benison.DataError, match="A label is 4, which is none of .* classes: 1, 2, 3"
    ):
        evaluated(tmp_path / "m.pkl", CLASS + 2, "CategoricalAccuracy")
    with pytest.raises(
        benison.DataError, match="Labels are text, .* classes are the numbers 1, 2, 3"
    ):
        evaluated(tmp_path / "m.pkl", CLASS.astype(str), "CategoricalAccuracy")


@pytest.mark.parametrize("names", [[1, 2, 3], ["b", "m", "z"]])
def test_classes_that_are_predicted_without_scores(names: Any, tmp_path: Path) -> None:
    labels = np.array(names)[CLASS]
    model = fitted(labels, tmp_path / "m.pkl", "svm.LinearSVC")
    vote = pytest.importorskip("sklearn.ensemble").VotingClassifier([("m", model)])
    model = vote.fit(pd.DataFrame({"x": X}), labels)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    expected = model.score(pd.DataFrame({"x": X}), labels)
    assert evaluated(tmp_path / "m.pkl", labels, "ExactMatch") == pytest.approx(expected)


def test_a_missing_label_stays_missing(tmp_path: Path) -> None:
    labels = np.array(["b", "m", "z"])[CLASS]
    model = fitted(labels, tmp_path / "m.pkl")
    expected = model.score(pd.DataFrame({"x": X})[1:], labels[1:])
    some = [None, *labels[1:].tolist()]
    assert evaluated(tmp_path / "m.pkl", some, "CategoricalAccuracy") == pytest.approx(expected)


def test_scores_that_are_not_of_the_classes_are_refused(tmp_path: Path) -> None:
    svm = pytest.importorskip("sklearn.svm").SVC(decision_function_shape="ovo")
    labels = np.arange(ROWS) % 4
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(svm.fit(pd.DataFrame({"x": X}), labels)))
    with pytest.raises(benison.ModelError, match="gives 6 scores for 4 classes; make it"):
        evaluated(tmp_path / "m.pkl", labels, "CategoricalAccuracy")


@pytest.mark.parametrize("names", [[1, 2, 300], ["b", "m", "z"]])
def test_the_classes_of_an_onnx_graph(names: Any, tmp_path: Path) -> None:
    kind = "strings" if isinstance(names[0], str) else "ints"
    classifier = node(
        "LinearClassifier", ["x"], ["label", "probabilities"], domain="ai.onnx.ml",
        coefficients=[-2.0, 0.0, 2.0], intercepts=[0.0, 0.5, 0.0], **{f"classlabels_{kind}": names},
    )  # fmt: skip
    outputs = {
        "label": (8 if kind == "strings" else INT64, ["n"]),
        "probabilities": (FLOAT, ["n", 3]),
    }
    path = onnx_model(tmp_path / "m.onnx", [classifier], {"x": (FLOAT, ["n", 1])}, outputs)
    labels = np.array(names)[CLASS]
    predicted = np.argmax(X[:, None] * [-2, 0, 2] + [0, 0.5, 0], axis=1)
    assert evaluated(path, labels, "CategoricalAccuracy") == pytest.approx(
        np.mean(predicted == CLASS)
    )


@pytest.mark.parametrize("metric", ["ExactMatch", "BinaryAccuracy"])
def test_text_labels_beside_scores_are_refused_with_the_cure(metric: str) -> None:
    asked = {
        "model_specs": [{"label_key": "y", "prediction_key": "p"}],
        "metrics_specs": [{"metrics": [{"class_name": metric}]}],
    }
    with pytest.raises(
        benison.DataError, match="text, and the predictions are numbers: name as label_"
    ):
        benison.evaluate(pa.table({"y": ["a", "b"], "p": [0.1, 0.9]}), asked)


def test_a_model_of_texts_is_told_to_take_a_column(tmp_path: Path) -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    pipeline = pytest.importorskip("sklearn.pipeline")
    column = pytest.importorskip("sklearn.compose").ColumnTransformer
    linear = pytest.importorskip("sklearn.linear_model").LogisticRegression
    frame = pd.DataFrame({"x": ["a cat", "a dog", "the cat", "no dog"]})
    path, labels = tmp_path / "m.pkl", ["cat", "dog", "cat", "dog"]
    alone = pipeline.make_pipeline(text.TfidfVectorizer(), linear()).fit(frame.x, labels)
    path.write_bytes(pickle.dumps(alone))
    with pytest.raises(
        benison.ModelError, match=r"takes texts .* ColumnTransformer\(.* prediction_key"
    ):
        benison.models.load(path, trust_pickle=True)
    cured = column([("text", text.TfidfVectorizer(), "x")])
    path.write_bytes(pickle.dumps(pipeline.make_pipeline(cured, linear()).fit(frame, labels)))
    batch = pa.RecordBatch.from_pandas(frame)
    scores = benison.models.load(path, trust_pickle=True).predict(batch, None)["output"]
    assert scores.tolist() == pytest.approx(alone.predict_proba(frame.x)[:, 1].tolist())


BEST_FIRST = [
    {"scores": [0.9, 0.1], "classes": ["b", "a"]},
    {"scores": [0.8, 0.2], "classes": ["a", "b"]},
    {"scores": [0.7, 0.2, 0.1], "classes": ["a", "b", "c"]},
]


def accuracy(model: Any) -> dict[str, Any]:
    return {"model_specs": [model], "metrics_specs": [{"metrics": ["SparseCategoricalAccuracy"]}]}


def best_first(frame: Any) -> dict[str, Any]:
    rows = [BEST_FIRST[i] for i in frame["i"]]
    return {name: np.array([row[name] for row in rows], object) for name in BEST_FIRST[0]}


@pytest.mark.parametrize("is_called", [True, False], ids=["called", "column"])
@pytest.mark.parametrize("rows", [[0, 1], [0, 2], [0, 1, 1, 0], [1, 0]], ids=str)
def test_the_best_classes_of_a_row_name_no_columns(
    rows: list[int], is_called: bool, tmp_path: Path
) -> None:
    """A file of one row does not tell, and what it names is not taken for what the next one means."""
    columns = {"i": rows, "y": ["b"] * len(rows), "made": [BEST_FIRST[i] for i in rows]}
    table = pa.table({name: columns[name] for name in (["i", "y"] if is_called else ["y", "made"])})
    pq.write_table(table[:1], tmp_path / "0.parquet")
    pq.write_table(table[1:], tmp_path / "1.parquet")
    spec = {"label_key": "y"} if is_called else {"label_key": "y", "prediction_key": "made"}
    with pytest.raises(benison.DataError, match="not the same in all rows"):
        benison.evaluate(tmp_path, accuracy(spec), model=best_first if is_called else None)


def test_workers_that_know_other_classes_are_not_added_up() -> None:
    asked = benison.EvalConfig.load(
        accuracy({"label_key": "y", "prediction_key": "made"})
    ).with_defaults(False)
    (evaluator,) = benison.default_evaluators(asked)

    def added(*rows: int) -> Any:
        table = pa.table({"y": ["b"] * len(rows), "made": [BEST_FIRST[i] for i in rows]})
        (state,) = local.run(table.to_batches(), benison.default_extractors(asked), [evaluator])
        return state

    evaluator.merge(added(0, 0), added(0))
    with pytest.raises(benison.DataError, match="not the same in all rows"):
        evaluator.merge(added(0, 0), added(1))


def ranked_scores(rows: int, names: list[int], seed: int = 0) -> tuple[list[Any], Any, Any]:
    """Scores of classes from the best down with the classes, scores in the order of these, and labels."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(len(names)), rows)
    labels = np.where(rng.random(rows) < 0.6, scores.argmax(axis=1), rng.integers(0, 3, rows))
    order = np.argsort(-scores, axis=1)
    made = [
        {"scores": row[at].tolist(), "classes": np.array(names)[at].tolist()}
        for row, at in zip(scores, order, strict=True)
    ]
    return made, scores, labels


@pytest.mark.parametrize("is_called", [True, False], ids=["called", "column"])
@pytest.mark.parametrize("names", [[0, 1, 2], [7, 20, 300]])
def test_scores_belong_to_the_numbers_of_classes_beside_them(
    names: list[int], is_called: bool, tmp_path: Path
) -> None:
    """TFMA takes the places in each row for the classes."""
    made, scores, labels = ranked_scores(60, names)

    def model(frame: Any) -> dict[str, Any]:
        rows = [made[i] for i in frame["i"]]
        return {name: np.array([row[name] for row in rows]) for name in ("scores", "classes")}

    columns = {"i": np.arange(60), "y": np.array(names)[labels]}
    table = pa.table(columns if is_called else {"y": columns["y"], "made": made})
    pq.write_table(table, tmp_path / "d.parquet", row_group_size=1)
    spec = {"label_key": "y"} if is_called else {"label_key": "y", "prediction_key": "made"}
    asked: dict[str, Any] = accuracy(spec)
    asked["metrics_specs"].append({"metrics": ["AUC"], "binarize": {"class_ids": [1]}})
    result = benison.evaluate(tmp_path / "d.parquet", asked, model=model if is_called else None)
    sk = pytest.importorskip("sklearn.metrics")
    expected = sk.top_k_accuracy_score(labels, scores, k=1, labels=[0, 1, 2])
    assert result.value("sparse_categorical_accuracy") == pytest.approx(expected)
    expected = sk.roc_auc_score(labels == 1, scores[:, 1])
    assert result.value("auc", sub_key="classId:1") == pytest.approx(expected)


@pytest.mark.parametrize(
    "rows",
    [
        [[3, 1], [1, 2]],
        [[2, 2], [2, 2]],
        [[1, 0], [0, 2]],
        [["3", "1"], ["1", "2"]],
    ],
    ids=str,
)
def test_scores_of_the_best_classes_alone_are_refused(rows: Any, tmp_path: Path) -> None:
    made = [{"scores": [0.9, 0.1], "classes": row} for row in rows]
    table = pa.table({"y": [1, 2], "made": made})
    pq.write_table(table, tmp_path / "d.parquet", row_group_size=1)
    asked = accuracy({"label_key": "y", "prediction_key": "made"})
    for data in (table, tmp_path / "d.parquet"):
        with pytest.raises(benison.DataError, match="once each .* such as SetMatchRecall"):
            benison.evaluate(data, asked)


ONE_EACH = [[0, 0, 1, 1], [0, 0, 0, 0], ["0", "0", "1", "1"], ["1", "1", "1", "0"]]


def evaluated_one_each(path: Path, classes: Any, how: str, rows: int) -> dict[str, float]:
    """Of rows with the score of one class each, so many of them in a row group."""
    as_it_is = how == "number"
    made = [
        {"scores": s if as_it_is else [s], "classes": c if as_it_is else [c]}
        for s, c in zip([0.9, 0.8, 0.9, 0.7], classes, strict=True)
    ]
    columns = {"i": [0, 1, 2, 3], "y": [0, 0, 1, 1], "made": made}
    is_called = how == "called"
    table = pa.table({name: columns[name] for name in (["i", "y"] if is_called else ["y", "made"])})

    def model(frame: Any) -> dict[str, Any]:
        return {n: np.array([made[i][n] for i in frame["i"]]) for n in ("scores", "classes")}

    spec = {"label_key": "y"} if is_called else {"label_key": "y", "prediction_key": "made"}
    asked = accuracy(spec)
    asked["metrics_specs"] = [{"metrics": ["BinaryAccuracy", "AUC"]}]
    pq.write_table(table, path, row_group_size=rows)
    result = benison.evaluate(path, asked, model=model if is_called else None)
    return {name: result.value(name) for name in ("binary_accuracy", "auc")}


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("how", ["list", "number", "called"])
@pytest.mark.parametrize("classes", ONE_EACH, ids=str)
def test_the_best_class_alone_is_no_binary_score(
    classes: Any, how: str, rows: int, tmp_path: Path
) -> None:
    with pytest.raises(benison.DataError, match="one other than 1 beside each score"):
        evaluated_one_each(tmp_path / "d.parquet", classes, how, rows)


@pytest.mark.parametrize("how", ["list", "number", "called"])
@pytest.mark.parametrize("one", [1, "1"])
def test_the_score_of_class_1_in_all_rows_is_a_binary_score(
    one: Any, how: str, tmp_path: Path
) -> None:
    expected = {"binary_accuracy": 0.5, "auc": pytest.approx(0.375)}
    assert evaluated_one_each(tmp_path / "d.parquet", [one] * 4, how, 2) == expected


def test_the_best_classes_alone_are_no_fault_where_they_are_read_by_name() -> None:
    made = [{"scores": [0.9, 0.7], "classes": row} for row in ([3, 1], [1, 2])]
    table = pa.table({"y": [[1], [3]], "made": made})
    asked = accuracy({"label_key": "y", "prediction_key": "made"})
    asked["metrics_specs"] = [{"metrics": ["SetMatchRecall", "ExampleCount"]}]
    assert benison.evaluate(table, asked).value("set_match_recall") == 0.5


def test_a_row_without_classes_lacks_its_scores() -> None:
    made = [{"scores": [0.9, 0.1], "classes": row} for row in ([1, 0], None, [0, 1])]
    table = pa.table({"y": [1, 1, 0], "made": made, "g": ["a", "b", "a"]})
    asked = accuracy({"label_key": "y", "prediction_key": "made"})
    asked["slicing_specs"] = [{"feature_keys": ["g"]}]
    result = benison.evaluate(table, asked)
    values = [result.value("sparse_categorical_accuracy", f"g={g}") for g in "ab"]
    assert values[0] == 1
    assert np.isnan(values[1])
    assert result.manifest["missing"]["predictions"] == 1
