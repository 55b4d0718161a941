# SPDX-License-Identifier: Apache-2.0
"""The engine of Apache Spark: each part of the data is a task. PySpark is imported when it is asked for."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benison.engine.engine_options import parsed
from benison.engine.keyed_jobs import KeyedJob, KeyedRun, Numbered
from benison.engine.worker_errors import ended, lines_of
from benison.errors import ConfigError, MissingExtraError

_ADVICE = (
    "A worker that is killed is replaced four times, as spark.task.maxFailures says; "
    "the system kills one where memory runs out. Nothing was written. Evaluate again, with more memory for "
    "each worker if it stays so."
)


@contextmanager
def session(options: Sequence[str]) -> Iterator[KeyedRun]:
    """What runs a plan in the session that is active, else in one with these options until the block ends.

    Raises:
        MissingExtraError: PySpark is not installed.
        ConfigError: An option is not one of this engine's, or there is a session already.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtraError("Apache Spark", "spark") from error
    asked = parsed("spark", options, master="spark://HOST:PORT, yarn, k8s://..., local[N]")
    active = SparkSession.getActiveSession()
    if active is not None:
        if asked.master or asked.conf:
            raise ConfigError(
                "There is a Spark session already; --master and --conf would not count."
            )
        yield KeyedRun(Spark(active.sparkContext))
        return
    # A program that spark-submit has not started reads no setting for it, which counts more where it does.
    python = asked.conf.get("spark.pyspark.python") or os.environ.get("PYSPARK_PYTHON")
    os.environ["PYSPARK_PYTHON"] = python or sys.executable
    builder = SparkSession.builder.appName("benison")
    for key, value in ({"spark.ui.showConsoleProgress": "false"} | asked.conf).items():
        builder = builder.config(key, value)
    with raising():  # a master that cannot be reached may end it as early as here
        started = (builder.master(asked.master) if asked.master else builder).getOrCreate()
    try:
        yield KeyedRun(Spark(started.sparkContext))
    finally:
        started.stop()


@dataclasses.dataclass(frozen=True)
class Spark:
    """Runs jobs in a context of Spark's."""

    context: Any

    def merged(self, parts: Sequence[Numbered], job: KeyedJob) -> list[Numbered]:
        """One state for each range of slices."""
        states = self.context.parallelize(parts, len(parts)).flatMap(job.states)
        groups = states.reduceByKey(job.merge).map(job.in_ranges)
        with raising():
            made: list[Numbered] = groups.reduceByKey(job.merge).collect()
        return made


@contextmanager
def raising() -> Iterator[None]:
    """Say in a sentence that Spark ended the job of the block.

    Raises:
        RunnerError: It did, for a reason of its own.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        reason, python = _reason(error), "spark.pyspark.python"
        raise ended("Spark", str(error), reason, _ADVICE, python) from error


def _reason(error: Exception) -> str:
    """The line in which Spark says why it gave up."""
    lines = lines_of(error)
    known = [line for line in lines if "Job aborted" in line or "cancelled" in line]
    of_java = [line for line in lines if line.startswith(": ")]
    return [*known, *of_java, *lines, ""][0].removeprefix(": ").rpartition("Exception: ")[2]
