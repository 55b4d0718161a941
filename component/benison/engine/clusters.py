# SPDX-License-Identifier: Apache-2.0
"""The engines whose workers are other processes, by name: Beam, Flink and Spark."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from benison.data.dataset import Dataset
from benison.data.reading import Inspected
from benison.data.shards import Scan, Shard
from benison.engine.summaries import Summary
from benison.engine.work import Work
from benison.errors import ConfigError

_ENGINES = ("beam", "flink", "local", "spark")


class Cluster(Protocol):
    """What runs stages over the parts of a dataset on other processes.

    What ends a worker is raised as it was there. What the cluster loses or doubles is a DataError, and
    a RunnerError says that it ended the job for a reason of its own.
    """

    def states(
        self, shards: Sequence[Shard], work: Work, rows: Mapping[str, int | None]
    ) -> list[Any]:
        """The state of each evaluator, of all rows; `rows` of each file, as it says itself."""

    def types(self, scans: Sequence[Scan]) -> list[tuple[str, Inspected]]:
        """Each path with the types of its columns."""

    def summary(self, shards: Sequence[Shard], summary: Summary) -> Any:
        """The summary of all rows."""


def check_known(engine: str) -> None:
    """Refuse the name of an engine that does not exist."""
    if engine not in _ENGINES:
        raise ConfigError(f"There is no engine {engine!r}. There are: {', '.join(_ENGINES)}.")


@contextmanager
def opened(engine: str, options: Sequence[str]) -> Iterator[Cluster]:
    """The cluster that an engine and its options name, until the block ends.

    Raises:
        ConfigError: There is no such engine, or an option is not one of its.
        MissingExtraError: The engine is not installed.
    """
    if engine == "beam":
        from benison.engine.beam_jobs import BeamRun

        with tempfile.TemporaryDirectory(prefix="benison-") as folder:
            yield BeamRun(temp_location(options) or folder, options)
    elif engine == "flink":
        from benison.engine import flink_jobs

        yield flink_jobs.run_of(options)
    else:
        check_known(engine)
        from benison.engine import spark_jobs

        with spark_jobs.session(options) as run:
            yield run


def widened(dataset: Dataset, columns: Sequence[str], cluster: Cluster) -> Dataset:
    """The dataset, with types for all values of the columns where files do not say them."""
    if not dataset.infers_types:
        return dataset
    return dataset.widened(cluster.types(dataset.scans(columns)))


def temp_location(options: Sequence[str]) -> str | None:
    """The folder that the options name for what workers leave, such as a bucket's."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--temp_location", nargs="?")  # of one word or two, as Beam takes it
    named: str | None = parser.parse_known_args(options)[0].temp_location
    return named
