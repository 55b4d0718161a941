# SPDX-License-Identifier: Apache-2.0
"""Classes, ranks, averages, queries, variants and functions, through whole evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics as sk
from sklearn.metrics import balanced_accuracy_score

import benison
from benison import from_function
from tests.conftest import config, taxi_like

RNG = np.random.default_rng(4)
LABELS = RNG.integers(0, 3, 600)
SCORES = RNG.dirichlet([1, 1, 1], 600) * 0.5 + 0.5 * np.eye(3)[LABELS] * RNG.random((600, 1))
CLASSES = pa.table({"label": LABELS, "prediction": SCORES.tolist(), "k": RNG.integers(0, 2, 600)})
WEIGHTS = ({0: 1.0, 1: 2.0}, {0: 2.0, 2: 1.0})


def averaged(metric: str, **spec: Any) -> benison.EvalResult:
    return benison.evaluate(
        CLASSES, config(metric, spec=spec, slices=({}, {"feature_keys": ["k"]}))
    )


def one_class(metric: Any, class_id: int, rows: Any = slice(None)) -> float:
    return float(metric((class_id == LABELS)[rows], SCORES[rows, class_id]))


def recall(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(sk.recall_score(labels, scores > 0.5))


def test_micro_average_is_over_all_pairs() -> None:
    result = averaged("AUC", aggregate={"micro_average": True})
    one_hot = np.eye(3)[LABELS]
    expected = sk.roc_auc_score(one_hot, SCORES, average="micro")
    assert result.value("auc", aggregation="micro_average") == pytest.approx(expected, abs=1e-4)
    assert set(result.metrics["evaluated"].to_pylist()) <= {600, *np.bincount(CLASSES["k"])}


def test_macro_averages() -> None:
    weights = {"class_weights": {0: 1.0, 1: 2.0, 2: 1.0}}
    result = averaged("Recall", aggregate={"macro_average": True, **weights})
    values = np.array([one_class(recall, i) for i in range(3)])
    assert result.value("recall") == pytest.approx(np.average(values, weights=[1, 2, 1]))
    weighted = averaged("Recall", aggregate={"weighted_macro_average": True, **weights})
    shares = np.bincount(LABELS) * [1, 2, 1]
    assert weighted.value("recall") == pytest.approx(np.average(values, weights=shares))
    assert set(weighted.metrics["metric"].to_pylist()) == {"recall"}
    assert set(weighted.metrics["aggregation"].to_pylist()) == {"weighted_macro_average"}


@pytest.mark.parametrize(
    ("name", "specs"),
    [
        ("NDCG", [{"query_key": "query"}, {"query_key": "market"}]),
        *(
            ("Recall", [{"aggregate": {average: True, "class_weights": w}} for w in WEIGHTS])
            for average in ("micro_average", "macro_average", "weighted_macro_average")
        ),
    ],
    ids=["queries", "micro", "macro", "weighted"],
)
def test_two_values_of_one_key_are_refused(name: str, specs: list[Any]) -> None:
    """Or the thresholds of the first would judge the second."""
    made = config(name)
    (metrics,) = made["metrics_specs"]
    made["metrics_specs"] = [{**metrics, **spec} for spec in specs]
    with pytest.raises(benison.ConfigError, match=rf"two metrics are called '{name.lower()}'"):
        benison.evaluate(CLASSES, made)


def test_macro_average_of_a_slice_and_beside_its_classes() -> None:
    weights = {"class_weights": {0: 1.0, 2: 1.0}}
    spec = {"binarize": {"class_ids": [0, 1]}, "aggregate": {"macro_average": True, **weights}}
    result = averaged("Recall", **spec)
    rows = np.flatnonzero(np.asarray(CLASSES["k"]) == 1)
    expected = np.mean([one_class(recall, i, rows) for i in (0, 2)])
    where = {"k": 1}
    assert result.value("recall", where, aggregation="macro_average") == pytest.approx(expected)
    assert result.value("recall", sub_key="classId:1") == one_class(recall, 1)
    with pytest.raises(benison.DataError, match="no sub_key 'classId:2'"):
        result.value("recall", sub_key="classId:2")


def test_the_k_th_prediction_against_its_label() -> None:
    result = averaged("MeanLabel", binarize={"k_list": [1, 2]})
    order = np.argsort(-SCORES, axis=1)
    for k in (1, 2):
        expected = np.mean(order[:, k - 1] == LABELS)
        assert result.value("mean_label", sub_key=f"k:{k}") == pytest.approx(expected)


@pytest.mark.parametrize(
    "query",
    [
        pa.array(["a", "a", None, None]),
        pa.array([1.0, 1.0, np.nan, None]),
        pa.array([["a"], ["a"], [], None]),
        pa.array([1, 1, None, None]),
    ],
    ids=["text", "nan", "lists", "numbers"],
)
def test_a_row_without_a_query_is_in_no_query(query: pa.Array) -> None:
    columns = {"label": [1.0, 0.0, 1.0, 0.0], "prediction": [0.9, 0.1, 0.2, 0.8]}
    made = config("MRR", spec={"query_key": "query"})
    whole = benison.evaluate(pa.table({**columns, "query": query}), made)
    assert whole.value("mrr") == 1
    assert whole.rows("mrr")["evaluated"].to_pylist() == [2]


TAKEN: list[dict[str, Any]] = [
    {"aggregate": {"micro_average": True}},
    {"aggregate": {"micro_average": True, "class_weights": {0: 1.0, 2: 0.5}}},
    {"aggregate": {"micro_average": True, "top_k_list": [2]}},
    {"binarize": {"class_ids": [0, 2]}},
    {"binarize": {"k_list": [1, 3]}},
    {"binarize": {"top_k_list": [2]}},
]


@pytest.mark.parametrize("taken", TAKEN, ids=str)
def test_classes_may_have_weights_of_their_own(taken: dict[str, Any]) -> None:
    """A pair of weight n counts as if it were there n times; rows of a weight for each class beside rows
    that weigh the same in all classes, in slices of their own, are that."""
    times = RNG.integers(0, 3, SCORES.shape)
    often = np.repeat(np.arange(600), 2)
    single = np.stack([times > 0, times > 1], axis=1).reshape(1200, 3).astype(float)
    others = () if "top_k_list" in taken.get("binarize", {}) else ("MeanPrediction",)
    made = config(
        "AUC", "Recall", *others, spec=taken,
        slices=({}, {"feature_keys": ["k"]}), model={"example_weight_key": "weight"},
    )  # fmt: skip
    whole = benison.evaluate(CLASSES.append_column("weight", [times.astype(float).tolist()]), made)
    one_by_one = CLASSES.take(often).append_column("weight", [single.tolist()])
    split = benison.evaluate(one_by_one, made)
    names = ["metric", "slice", "sub_key", "aggregation", "value"]
    ours, theirs = (each.metrics.select(names).to_pylist() for each in (whole, split))
    assert len(ours) == len(theirs) > 0
    for row, other in zip(ours, theirs, strict=True):
        assert row == {**other, "value": pytest.approx(other["value"], rel=1e-12)}


def test_weights_of_classes_are_those_of_scikit_learn() -> None:
    weights = RNG.random(SCORES.shape)
    spec = {"aggregate": {"micro_average": True}}
    made = config("Precision", spec=spec, model={"example_weight_key": "weight"})
    result = benison.evaluate(CLASSES.append_column("weight", [weights.tolist()]), made)
    one_hot, decided = np.eye(3)[LABELS].ravel(), SCORES.ravel() > 0.5
    expected = sk.precision_score(one_hot, decided, sample_weight=weights.ravel())
    assert result.value("precision", aggregation="micro_average") == pytest.approx(expected)


@pytest.mark.parametrize(
    "average",
    [
        {"micro_average": True},
        {"micro_average": True, "top_k_list": [2]},
        {"macro_average": True, "class_weights": WEIGHTS[0]},
        {"weighted_macro_average": True, "class_weights": WEIGHTS[0]},
    ],
    ids=str,
)
@pytest.mark.parametrize("weight", [None, "weight"])
def test_what_looks_at_rows_alone_is_of_each_row_once(
    average: dict[str, Any], weight: str | None
) -> None:
    """A sum over an average's pairs of row and class would be as many times too large as there are classes."""
    shap, weights = RNG.normal(size=600), RNG.integers(1, 4, 600).astype(float)
    data = CLASSES.append_column("weight", [weights]).append_column("shap", [shap])
    own: list[Any] = [
        {"class_name": "TotalAttributions", "config": {"columns": ["shap"]}},
        {"class_name": "MeanAbsoluteAttributions", "config": {"columns": ["shap"]}},
        {"class_name": "Sum", "config": {"feature_key_path": ["shap"], "name": "sum"}},
        "ExampleCount",
    ]
    model = {} if weight is None else {"example_weight_key": weight}
    made = config(*own, "Recall", spec={"aggregate": average}, model=model)
    result = benison.evaluate(data, made)
    weights = np.ones(600) if weight is None else weights
    for name, expected in {
        "total_attributions/shap": weights @ shap,
        "mean_absolute_attributions/shap": np.average(np.abs(shap), weights=weights),
        "sum": weights @ shap,
        "example_count": weights.sum(),
    }.items():
        assert result.value(name, aggregation="") == pytest.approx(expected, rel=1e-12)
    assert {*result.metrics["aggregation"].to_pylist()} == {"", next(iter(average))}


def test_averages_without_classes_are_refused() -> None:
    with pytest.raises(benison.ConfigError, match="name them in class_weights"):
        averaged("Recall", aggregate={"macro_average": True})


def test_queries_are_ranked_however_they_are_split(tmp_path: Path) -> None:
    rows = 400
    table = pa.table(
        {
            "label": RNG.integers(0, 3, rows).astype(float),
            "prediction": np.round(RNG.random(rows), 1),
            "query": [f"q{i}" for i in RNG.integers(0, 40, rows)],
            "market": RNG.integers(0, 2, rows),
        }
    )
    frame = table.to_pandas()
    expected = np.mean(
        [
            sk.ndcg_score([group.label], [group.prediction])
            for _, group in frame.groupby("query")
            if len(group) > 1 and group.label.max() > 0
        ]
    )
    assert frame.groupby("query").size().min() > 1
    made = config("NDCG", slices=({}, {"feature_keys": ["market"]}), spec={"query_key": "query"})
    whole = benison.evaluate(table, made)
    assert whole.value("ndcg") == pytest.approx(expected, rel=1e-9)
    (tmp_path / "parts").mkdir()
    for i in range(3):
        frame.iloc[i::3].to_parquet(tmp_path / "parts" / f"{i}.parquet")
    split = benison.evaluate(str(tmp_path / "parts"), made)
    np.testing.assert_allclose(split.metrics["value"], whole.metrics["value"], rtol=1e-12)
    with pytest.raises(benison.ConfigError, match="name their column as query_key"):
        benison.evaluate(table, config("NDCG"))


@pytest.fixture
def balanced() -> None:
    from_function(balanced_accuracy_score, "OwnBalancedAccuracy", threshold=0.5)


def test_any_function_of_labels_and_predictions(balanced: None) -> None:
    table = taxi_like(3_000)
    made = config("OwnBalancedAccuracy", slices=({}, {"feature_keys": ["hour"]}))
    made["model_specs"][0]["example_weight_key"] = "weight"
    result = benison.evaluate(table, made)
    frame = table.to_pandas()
    hours = {f"hour={hour}": rows for hour, rows in frame.groupby("hour")}
    for name, rows in {"Overall": frame, **hours}.items():
        expected = balanced_accuracy_score(
            rows.label, rows.prediction > 0.5, sample_weight=rows.weight
        )
        assert result.value("OwnBalancedAccuracy", name) == pytest.approx(expected, rel=1e-12)


def test_a_slice_with_more_rows_than_the_limit_has_no_value(balanced: None) -> None:
    bound = {"value_threshold": {"lower_bound": 0.1}}
    metric = {"class_name": "OwnBalancedAccuracy", "config": {"limit": 500}, "threshold": bound}
    result = benison.evaluate(taxi_like(1_000), config(metric))
    assert np.isnan(result.value("OwnBalancedAccuracy"))
    assert result.verdict.reasons == (
        "OwnBalancedAccuracy of Overall has no value: the slice has 1,000 rows and its function is given at "
        "most 500 rows of a slice (limit).",
    )


def test_a_variant_is_what_the_model_says_of_changed_features(tmp_path: Path) -> None:
    import joblib
    from sklearn.linear_model import LinearRegression

    features = RNG.random((200, 2))
    table = pa.table({"a": features[:, 0], "b": features[:, 1], "label": features @ [1.0, 3.0]})
    model = LinearRegression().fit(table.select(["a", "b"]).to_pandas(), table["label"].to_numpy())
    joblib.dump(model, tmp_path / "model.joblib")
    made = config("MeanPrediction", "MeanSquaredError")
    made["model_specs"] = [{"label_key": "label"}]
    made["variants"] = [
        {"name": "a for b", "copy_from": {"b": "a"}},
        {"name": "no b", "set_to": {"b": "0"}},
    ]
    result = benison.evaluate(table, made, model=tmp_path / "model.joblib", trust_pickle=True)
    a, b = features.mean(axis=0)
    assert result.value("mean_prediction", variant="") == pytest.approx(a + 3 * b)
    assert result.value("mean_prediction", variant="a for b") == pytest.approx(4 * a)
    assert result.value("mean_prediction", variant="no b") == pytest.approx(a)


def test_flip_rates_of_a_variant_are_of_what_the_model_says_itself(tmp_path: Path) -> None:
    import joblib
    from sklearn.linear_model import LogisticRegression

    features = RNG.integers(0, 2, (300, 2)).astype(float)
    rows = {"a": features[:, 0], "b": features[:, 1], "other": 1 - features[:, 1]}
    table = pa.table({**rows, "label": features[:, 1]})
    model = LogisticRegression().fit(table.select(["a", "b"]).to_pandas(), features[:, 1])
    joblib.dump(model, tmp_path / "model.joblib")
    made = config("SymmetricFlipRate", "NegToPosFlipRate")
    made["model_specs"] = [{"label_key": "label"}]
    made["variants"] = [
        {"name": "turned", "copy_from": {"b": "other"}},
        {"name": "same", "copy_from": {"b": "b"}},
    ]
    result = benison.evaluate(table, made, model=tmp_path / "model.joblib", trust_pickle=True)
    assert result.value("symmetric_flip_rate", variant="turned") == 1
    assert result.value("symmetric_flip_rate", variant="same") == 0
    was_negative = 1 - features[:, 1].mean()
    assert result.value("neg_to_pos_flip_rate", variant="turned") == pytest.approx(was_negative)
    assert set(result.rows("symmetric_flip_rate")["variant"].to_pylist()) == {"turned", "same"}
