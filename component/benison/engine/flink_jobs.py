# SPDX-License-Identifier: Apache-2.0
"""The engine of Apache Flink: a bounded stream of the parts. PyFlink is imported when it is asked for."""

from __future__ import annotations

import dataclasses
import glob
import pickle
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benison.engine.engine_options import parsed
from benison.engine.keyed_jobs import KeyedJob, KeyedRun, Numbered
from benison.engine.worker_errors import ended, lines_of
from benison.errors import ConfigError, MissingExtraError

# What Flink hands back at once is at most two megabytes (collect-sink.batch-size.max).
_CHUNK = 2**20
# PyFlink asks for a Beam that asks for an older Arrow than Benison's, whose newer ones both run with.
_INSTALL = "echo 'pyarrow>=17' > newer.txt && uv pip install apache-flink --override newer.txt"
_ADVICE = (
    "A task manager or worker that is lost is replaced where restart-strategy.type "
    "says so, as with --conf=restart-strategy.type=fixed-delay; the system kills one where memory runs out. "
    "Nothing was written. Evaluate again, with more memory for each worker if it stays so."
)


def run_of(options: Sequence[str]) -> KeyedRun:
    """What runs a plan on the cluster that the options name, else in processes of this machine.

    Raises:
        MissingExtraError: PyFlink is not installed.
        ConfigError: An option is not one of this engine's.
    """
    try:
        from pyflink.datastream import RuntimeExecutionMode
    except ImportError as error:
        raise MissingExtraError("PyFlink", run=_INSTALL) from error

    asked = parsed("flink", options, jobmanager="HOST:PORT", parallelism="how many workers at once")
    python = dict.fromkeys(("python.executable", "python.client.executable"), sys.executable)
    environment = _environment(asked.jobmanager, python | asked.conf)
    environment.set_runtime_mode(RuntimeExecutionMode.BATCH)
    if asked.parallelism:
        environment.set_parallelism(_number(asked.parallelism))
    return KeyedRun(Flink(environment))


def _environment(job_manager: str | None, settings: Mapping[str, str]) -> Any:
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.find_flink_home import _find_flink_home
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import to_jarray

    configuration = Configuration()
    for key, value in settings.items():
        configuration.set_string(key, value)
    if job_manager is None:
        return StreamExecutionEnvironment.get_execution_environment(configuration)
    host, _, port = job_manager.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError(f"The engine flink: --jobmanager is HOST:PORT, and not {job_manager!r}.")
    # Python has no call for a cluster by its address; the jar is what runs Python there.
    java = get_gateway().jvm
    jars = sorted(glob.glob(f"{glob.escape(_find_flink_home())}/opt/flink-python*.jar"))
    remote = java.org.apache.flink.streaming.api.environment.StreamExecutionEnvironment
    return StreamExecutionEnvironment(
        remote.createRemoteEnvironment(
            host, int(port), configuration._j_configuration, to_jarray(java.String, jars)
        )
    )


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ConfigError(f"The engine flink: --parallelism is a whole number, and not {text!r}.")
    return int(text)


@dataclasses.dataclass(frozen=True)
class Flink:
    """Runs jobs in an environment of Flink's."""

    environment: Any

    def merged(self, parts: Sequence[Numbered], job: KeyedJob) -> list[Numbered]:
        """One state for each range of slices."""
        from py4j.protocol import Py4JError
        from pyflink.common import Types

        pickled, number = Types.PICKLED_BYTE_ARRAY(), Types.LONG()

        def merge(item: Numbered, other: Numbered) -> Numbered:
            return item[0], job.merge(item[1], other[1])

        def merged(items: Any) -> Any:
            return items.key_by(_number_of, key_type=number).reduce(merge)

        states = self.environment.from_collection([*parts]).rebalance()
        groups = merged(states.flat_map(job.states, output_type=pickled))
        ranges = merged(groups.map(job.in_ranges, output_type=pickled))
        try:
            with ranges.flat_map(_chunks, output_type=pickled).execute_and_collect(
                "benison"
            ) as made:
                return _whole(made)
        except Py4JError as error:
            reason, python = _reason(error), "python.executable"
            raise ended("Flink", str(error), reason, _ADVICE, python) from error


def _number_of(item: Numbered) -> int:
    return item[0]


def _chunks(item: Numbered) -> Iterable[tuple[int, int, bytes]]:
    """A numbered state in pieces that Flink hands back."""
    content = pickle.dumps(item[1])
    return [
        (item[0], start, content[start : start + _CHUNK])
        for start in range(0, len(content), _CHUNK)
    ]


def _whole(chunks: Iterable[tuple[int, int, bytes]]) -> list[Numbered]:
    contents: dict[int, dict[int, bytes]] = defaultdict(dict)
    for number, start, content in chunks:
        contents[number][start] = content
    return [
        (number, pickle.loads(b"".join(part for _, part in sorted(parts.items()))))  # noqa: S301
        for number, parts in contents.items()
    ]


def _reason(error: Exception) -> str:
    """The innermost cause that Flink names."""
    lines = lines_of(error)
    causes = [line for line in lines if line.startswith("Caused by: ")]
    return (causes or lines or [""])[-1].removeprefix("Caused by: ")
