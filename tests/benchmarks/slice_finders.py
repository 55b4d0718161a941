# SPDX-License-Identifier: Apache-2.0
"""One search for weak slices by one tool, in its own process: `python slice_finders.py TOOL FILE`.

The file has whole numbers in columns f0, f1 ... and in `wrong` whether a model errs. Prints one JSON line:
seconds of the processor without imports, peak memory, and the ten first slices as {column: value}. It imports
nothing but the tool, because other tools have environments of their own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.peak import peak_mb  # noqa: E402

Slices = list[dict[str, int]]
SHOWN, DEPTH, LEAST = 10, 3, 50
_CONFIG: dict[str, Any] = {
    "model_specs": [{"label_key": "label", "prediction_key": "wrong"}],
    "metrics_specs": [{"metrics": ["ExampleCount"]}],
}


def scan(path: str) -> Callable[[], Slices]:
    """What Benison takes for the pass alone, which looks at the same columns and searches nothing."""
    import benison

    features = [{"feature_keys": [f"f{i}"]} for i in range(10)]
    config = {**_CONFIG, "slicing_specs": features}

    def search() -> Slices:
        benison.evaluate(path, config)
        return []

    return search


def benison(path: str) -> Callable[[], Slices]:
    import benison

    config = {**_CONFIG, "weak_slices": {"top": SHOWN, "depth": DEPTH, "min_examples": LEAST}}

    def search() -> Slices:
        rows = benison.evaluate(path, config).weak_slices.to_pylist()
        return [{p["feature"]: int(p["value"]) for p in row["slice_key"]} for row in rows]

    return search


def _frame(path: str) -> Any:
    import pandas

    return pandas.read_csv(path).drop(columns="label")


def divexplorer(path: str) -> Callable[[], Slices]:
    """By the t-value of the divergence, which its authors sort by too."""
    from divexplorer import DivergenceExplorer

    frame = _frame(path)

    def search() -> Slices:
        patterns = DivergenceExplorer(frame).get_pattern_divergence(
            min_support=0.004, quantitative_outcomes=["wrong"]
        )
        few = patterns[(patterns["length"] <= DEPTH) & (patterns["wrong_div"] > 0)]
        first = few.sort_values("wrong_t", ascending=False)["itemset"].head(SHOWN)
        pairs = ([str(item).split("=") for item in items] for items in first)
        return [{name: int(float(value)) for name, value in each} for each in pairs]

    return search


def pysubgroup(path: str) -> Callable[[], Slices]:
    """By the quality that weighs the root of a slice's size, which is nearest to a test."""
    import pysubgroup as tool

    frame = _frame(path)
    selectors = [  # of all columns at once it makes intervals of numbers
        selector
        for name in frame.columns.drop("wrong")
        for selector in tool.create_nominal_selectors_for_attribute(frame, name)
    ]

    def search() -> Slices:
        task = tool.SubgroupDiscoveryTask(
            frame,
            tool.BinaryTarget("wrong", 1),
            selectors,
            result_set_size=SHOWN,
            depth=DEPTH,
            qf=tool.StandardQF(0.5),
        )
        results = tool.BeamSearch(beam_width=50).execute(task).to_descriptions()
        return [
            {s.attribute_name: int(s.attribute_value) for s in rule.selectors}
            for _, rule, *_ in results
        ]

    return search


def sliceline(path: str) -> Callable[[], Slices]:
    """Of two features: of three it needs more than 6 GB for 100,000 rows."""
    from sliceline.slicefinder import Slicefinder

    frame = _frame(path)
    columns = [name for name in frame.columns if name != "wrong"]

    def search() -> Slices:
        finder = Slicefinder(alpha=0.95, k=SHOWN, max_l=2, min_sup=LEAST, verbose=False)
        finder.fit(frame[columns].to_numpy(), frame["wrong"].to_numpy())
        return [
            {n: int(v) for n, v in zip(columns, row, strict=True) if v is not None}
            for row in finder.top_slices_
        ]

    return search


TOOLS = {
    "scan": scan,
    "benison": benison,
    "sliceline": sliceline,
    "divexplorer": divexplorer,
    "pysubgroup": pysubgroup,
}


def main(tool: str, path: str) -> None:
    search = TOOLS[tool](path)
    started = time.process_time()
    slices = search()
    seconds = time.process_time() - started
    peak = peak_mb()
    print(json.dumps({"seconds": seconds, "megabytes": peak, "slices": slices}))


if __name__ == "__main__":
    main(*sys.argv[1:])
