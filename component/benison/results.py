# SPDX-License-Identifier: Apache-2.0
"""This file is the results of an evaluation: loaded, looked up, compared."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benison import blessing
from benison.config import EvalConfig
from benison.engine.tables import PLOTS_SCHEMA
from benison.errors import DataError, MissingExtraError, OutputError, suggestion
from benison.slicing import slice_name
from benison.validation import Verdict

if TYPE_CHECKING:
    import pandas as pd

_KEYS = ("model", "output", "sub_key", "aggregation", "weighted", "slice", "metric")


@dataclasses.dataclass(frozen=True)
class EvalResult:
    """What an evaluation found.

    `metrics` has the columns of metrics.parquet; `manifest` says what was evaluated, with digests;
    `path` is the output directory, or None when nothing was written.
    """

    metrics: pa.Table
    verdict: Verdict
    config: EvalConfig
    manifest: dict[str, Any]
    path: Path | None = None
    _plots: pa.Table | None = None

    def __repr__(self) -> str:
        slices, values = len(pc.unique(self.metrics["slice"])), self.metrics.num_rows
        return (
            f"<EvalResult {self.verdict.status}, {slices:,} slices, {values:,} values, {self.path}>"
        )

    @cached_property
    def plots(self) -> pa.Table:
        """The rows of plots.parquet, read when they are first asked for."""
        if self._plots is not None:
            return self._plots
        if self.path is None:
            return PLOTS_SCHEMA.empty_table()
        return pq.read_table(self.path / "plots.parquet")

    def to_pandas(self) -> pd.DataFrame:
        """The metrics as a data frame; raises MissingExtraError without pandas."""
        try:
            import pandas  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("pandas", "pandas") from error
        frame: pd.DataFrame = self.metrics.to_pandas()
        return frame

    def metric_names(self) -> list[str]:
        """The names of the metrics, in their order."""
        names: list[str] = pc.unique(self.metrics["metric"]).to_pylist()
        return names

    def slices(self) -> list[str]:
        """The names of the slices, in their order."""
        names: list[str] = pc.unique(self.metrics["slice"]).to_pylist()
        return names

    def value(self, metric: str, slice: str | Mapping[str, Any] = "Overall", **keys: Any) -> float:  # noqa: A002
        """One number.

        Args:
            metric: Its name, such as "auc" or "auc_diff".
            slice: The name of the slice, or its features and values.
            keys: `model`, `output`, `sub_key` or `weighted`, where the metric and slice alone leave
                several; without `model`, the candidate's.

        Raises:
            DataError: There is no such value, or several.
        """
        if isinstance(slice, Mapping):
            pairs = sorted((feature, str(value)) for feature, value in slice.items())
            slice = slice_name(tuple(pairs))  # noqa: A001
        if "model" not in keys and self.config.baseline_spec is not None:
            keys["model"] = self.config.candidate_specs[0].name
        found = self.metrics
        for column, value in {"metric": metric, "slice": slice, **keys}.items():
            matching = found.filter(pc.equal(found[column], pa.scalar(value)))
            if not matching.num_rows:
                hint = suggestion(str(value), map(str, pc.unique(found[column]).to_pylist()))
                raise DataError(f"The results have no {column} {value!r}. {hint}")
            found = matching
        if found.num_rows > 1:
            varied = [key for key in _KEYS if len(pc.unique(found[key])) > 1]
            raise DataError(
                f"{metric} of {slice} has {found.num_rows} values; say which {', '.join(varied)}."
            )
        number: float = found["value"][0].as_py()
        return number

    def compare(self, other: EvalResult) -> pa.Table:
        """The values of two results side by side, and `difference`: other less this.

        A value that only one of them has is null on the other side.
        """
        columns = [*_KEYS, "value", "examples"]
        joined = self.metrics.select(columns).join(
            other.metrics.select(columns),
            list(_KEYS),
            right_suffix="_other",
            join_type="full outer",
        )
        difference = pc.subtract(joined["value_other"], joined["value"])
        return joined.append_column("difference", difference).sort_by(
            [(key, "ascending") for key in _KEYS]
        )


def load_result(path: str | Path) -> EvalResult:
    """The result that an evaluation wrote.

    Raises:
        OutputError: The directory is not a whole result, or a newer Benison wrote it.
    """
    directory = Path(path)
    if not directory.is_dir():
        raise OutputError(f"There is no result at {directory}.")
    manifest = blessing.read_manifest(directory)
    for name, recorded in manifest["files"].items():
        file = directory / name
        if not file.is_file() or file.stat().st_size != recorded["bytes"]:
            raise OutputError(f"{file} is missing or not as it was written; evaluate again.")
    try:
        metrics = pq.read_table(directory / "metrics.parquet")
        verdict = Verdict.from_dict(_json(directory / "verdict.json"))
        config = EvalConfig.load(_json(directory / "config.json"))
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"The result in {directory} cannot be read: {error}.") from error
    return EvalResult(metrics, verdict, config, manifest, directory)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
