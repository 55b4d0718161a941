# SPDX-License-Identifier: Apache-2.0
"""What families of metrics cost: all of one label and score together, queries, classes, ranks, texts, boxes.

Prints one JSON line: for each family its rows, seconds, what stands beside it, and the seconds of that for as
many rows.

    python tests/benchmarks/families.py trips.parquet
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import benison
from benison.testing import example_config

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks import contestants, object_detection  # noqa: E402

TURNS = 7
QUERY_ROWS, CLASS_ROWS, CLASSES, TEXT_ROWS = 10, 200_000, 10, 5_000
IMAGES, REFERENCE_IMAGES = 100_000, 2_000
RANKERS = ("NDCG", "MeanAveragePrecision", "MeanReciprocalRank", "PrecisionAtK", "RecallAtK")
OF_CLASSES = ("Precision", "Recall", "F1Score", "AUC")
OF_EQUALITY = ("Accuracy", "ExactMatch")  # which refuse scores that no label equals
RANKS = ("SpearmanCorrelation", "KendallTau")


class Cost(NamedTuple):
    """A line of the table."""

    family: str
    rows: int
    seconds: float
    beside: str
    their_seconds: float


def timed(run: Any) -> float:
    """Seconds of a second run; the first one pays for imports."""
    run()
    started = time.monotonic()
    run()
    return time.monotonic() - started


def seconds(data: Any, names: tuple[str, ...], **more: Any) -> float:
    """Of an evaluation of metrics, each with its example's parameters."""
    return timed(evaluation(data, names, **more))


def evaluation(data: Any, names: tuple[str, ...], **more: Any) -> Callable[[], Any]:
    """What evaluates metrics, each with its example's parameters."""
    configs = {name: example_config(name) | more.get("config", {}) for name in names}
    metrics = [{"class_name": name, "config": config} for name, config in configs.items()]
    spec = {key: value for key, value in more.items() if key != "config"}
    config = contestants.eval_config() | {"metrics_specs": [{"metrics": metrics, **spec}]}
    return lambda: benison.evaluate(data, config)


def processor_seconds(*runs: Callable[[], Any]) -> list[float]:
    """Of each of some runs: the least of several, in turn, which what else the machine does moves least."""
    least = [math.inf] * len(runs)
    for _ in range(TURNS):
        for i, run in enumerate(runs):
            started = time.process_time()
            run()
            least[i] = min(least[i], time.process_time() - started)
    return least


def scalars() -> tuple[str, ...]:
    """Every metric of one label and one score a row whose value is a number, or one for each threshold."""
    known = set(benison.registered()) - set(OF_EQUALITY)
    return tuple(sorted(filter(takes_score, known)))


def takes_score(name: str) -> bool:
    """Whether a metric needs nothing but a label and a score."""
    factory = benison.registered()[name]
    metric = factory(**example_config(name))
    more = metric.needs_groups or metric.needs_baseline or metric.needs_row_numbers
    columns = [column for statistic in metric.statistics() for column in statistic.columns()]
    columns += [*metric.label_names(), *metric.prediction_names()]
    return bool(metric.accepts & {"binary", "real"}) and not (more or columns or metric.is_plot)


def tables(path: str) -> list[Cost]:
    """Those of the trips: 147 slices."""
    queries = queried(pq.read_table(path))
    rows = queries.num_rows
    names, beside = scalars(), "the seven of the bench"
    seven = seconds(path, contestants.METRICS)
    each = (evaluation(path, of) for of in (names, contestants.METRICS))
    of_all, of_seven = processor_seconds(*each)
    processor = f"{beside}, processor time"
    return [
        Cost(f"all {len(names)} of label and score", rows, of_all, processor, of_seven),
        Cost("Spearman and Kendall", rows, seconds(path, RANKS), beside, seven),
        Cost("five of queries", rows, seconds(queries, RANKERS, query_key="query"), beside, seven),
    ]


def queried(table: pa.Table) -> pa.Table:
    """With a query of ten rows, which are all in the slices of their query."""
    query = np.arange(table.num_rows) // QUERY_ROWS
    of_queries = table.select(["hour", "payment", "company"]).take(pa.array(query))
    of_rows = table.select(["label", "prediction"]).append_column("query", pa.array(query))
    return pa.table(
        {
            name: (of_rows if name in of_rows.column_names else of_queries)[name]
            for name in (*of_rows.column_names, *of_queries.column_names)
        }
    )


def classes() -> Cost:
    """Four of each of ten classes, in macro average, beside scikit-learn's on all rows alone."""
    from sklearn import metrics as sk

    rng = np.random.default_rng(0)
    labels, scores = (
        rng.integers(0, CLASSES, CLASS_ROWS),
        rng.dirichlet(np.ones(CLASSES), CLASS_ROWS),
    )
    label = pa.FixedSizeListArray.from_arrays(pa.array(np.eye(CLASSES)[labels].ravel()), CLASSES)
    score = pa.FixedSizeListArray.from_arrays(pa.array(scores.ravel()), CLASSES)
    slices = {
        "hour": rng.integers(0, 24, CLASS_ROWS),
        "payment": rng.integers(0, 8, CLASS_ROWS),
        "company": rng.integers(0, 114, CLASS_ROWS),
    }
    table = pa.table({"label": label, "prediction": score, **slices})
    weights = {str(i): 1.0 for i in range(CLASSES)}
    ours = seconds(table, OF_CLASSES, aggregate={"macro_average": True, "class_weights": weights})

    def theirs() -> None:
        sk.precision_recall_fscore_support(labels, scores.argmax(axis=1), average="macro")
        sk.roc_auc_score(labels, scores, multi_class="ovr")

    return Cost(
        f"four of {CLASSES} classes", CLASS_ROWS, ours, "scikit-learn, Overall", timed(theirs)
    )


def texts() -> Cost:
    """BLEU and ROUGE-L, beside the bare libraries on all rows alone."""
    import sacrebleu
    from rouge_score import rouge_scorer

    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(500)])
    expected, written = (
        [" ".join(words[rng.integers(0, 500, 20)]) for _ in range(TEXT_ROWS)] for _ in range(2)
    )
    slices = {name: rng.integers(0, 5, TEXT_ROWS) for name in ("hour", "payment", "company")}
    table = pa.table({"label": expected, "prediction": written, **slices})
    config = {"Bleu": {}, "Rouge": {"rouge_type": "rougeL"}}
    specs = [{"metrics": [{"class_name": n, "config": c} for n, c in config.items()]}]
    ours = timed(
        lambda: benison.evaluate(table, contestants.eval_config() | {"metrics_specs": specs})
    )

    def theirs() -> None:
        sacrebleu.corpus_bleu(written, [expected])
        scorer = rouge_scorer.RougeScorer(["rougeL"])
        for pair in zip(expected, written, strict=True):
            scorer.score(*pair)

    return Cost("BLEU and ROUGE-L", TEXT_ROWS, ours, "sacrebleu, rouge-score", timed(theirs))


def boxes() -> Cost:
    """COCO's mean average precision, beside pycocotools on fewer images."""
    ours, _ = object_detection.ours(*object_detection.generate(IMAGES))
    theirs, _ = object_detection.theirs(*object_detection.generate(REFERENCE_IMAGES))
    per_image = theirs / REFERENCE_IMAGES
    return Cost("COCO mean precision, images", IMAGES, ours, "pycocotools", per_image * IMAGES)


def main() -> None:
    """Measure all families, and print them."""
    print(json.dumps({"costs": [*tables(sys.argv[1]), classes(), texts(), boxes()]}))


if __name__ == "__main__":
    main()
