# SPDX-License-Identifier: Apache-2.0
"""Clusters on this machine, with workers that are processes of their own, while a test runs."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / ".venv-clusters"
FLINK = ROOT / ".venv-flink"
PRISM = INSTALLED / "bin/prism"
_SPARK_HOME = "lib/python3.11/site-packages/pyspark"
_FLINK_HOME = "lib/python3.11/site-packages/pyflink"


@dataclasses.dataclass(frozen=True)
class Runner:
    """A cluster that is started.

    Attributes:
        options: The options of `benison evaluate` that run on it.
        survives: Whether it does the part of a worker that was killed once more.
        installed: The environment that has it.
    """

    options: tuple[str, ...]
    survives: bool = False
    installed: Path = INSTALLED


def on_beam(*options: str, survives: bool = False) -> Runner:
    """A runner of Beam's, with Beam's options."""
    return Runner(("--engine", "beam", "--", *options), survives)


@functools.cache
def programs(installed: Path = INSTALLED) -> Path:
    """The folder of an environment's commands, by a path without spaces, which Beam and Spark need."""
    link = Path(tempfile.mkdtemp(prefix="benison-")) / "clusters"
    link.symlink_to(installed)
    return link / "bin"


def environment(installed: Path = INSTALLED) -> dict[str, str]:
    """Of a shell in which an environment is active."""
    strange = ("PYTEST", "PYTHONDONTWRITEBYTECODE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
    sources = f"{ROOT / 'component'}{os.pathsep}{ROOT / 'orchestration'}"
    path = f"{programs(installed)}{os.pathsep}{os.environ['PATH']}"
    made = {"PATH": path, "PYTHONPATH": sources, "PYTHONWARNINGS": "ignore"}
    return kept | made | {"PYSPARK_PYTHON": python(), "SPARK_LOCAL_IP": "127.0.0.1"}


@contextmanager
def multi_process(folder: Path) -> Iterator[Runner]:
    """Beam's own runner with two processes, which it starts itself."""
    workers = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    yield on_beam("--runner=FnApiRunner", *workers)


@contextmanager
def prism(folder: Path) -> Iterator[Runner]:
    """Prism, started for each run; its workers are threads of the command."""
    yield on_beam("--runner=PrismRunner", f"--prism_location={PRISM}")


@contextmanager
def pool(folder: Path) -> Iterator[Runner]:
    """Prism as a job server, and a pool of worker processes, as Beam has them for its job servers."""
    jobs, workers = free_port(), free_port()
    main = "apache_beam.runners.worker.worker_pool_main"
    with ExitStack() as stack:
        serve = ("--job_port", str(jobs), "--serve_http=false")
        stack.enter_context(started(folder, "prism", str(PRISM), *serve))
        start = (python(), "-m", main, f"--service_port={workers}")
        stack.enter_context(started(folder, "pool", *start))
        wait_for(lambda: all(map(is_open, (jobs, workers))), "Prism or the pool of workers")
        at = ("--environment_type=EXTERNAL", f"--environment_config=localhost:{workers}")
        yield on_beam("--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", *at)


@contextmanager
def dask(folder: Path) -> Iterator[Runner]:
    """Dask's scheduler with two workers of one thread."""
    address = folder / "scheduler.json"
    plain = ("--scheduler-file", str(address), "--no-dashboard")
    module = (python(), "-m")
    with ExitStack() as stack:
        serve = (*module, "distributed.cli.dask_scheduler", *plain, "--host", "127.0.0.1")
        stack.enter_context(started(folder, "scheduler", *serve, "--port", "0"))
        wait_for(address.exists, "Dask's scheduler")
        work = (*module, "distributed.cli.dask_worker", *plain, "--nthreads", "1", "--no-nanny")
        for name in ("worker-1", "worker-2", "worker-3"):
            stack.enter_context(started(folder, name, *work, "--local-directory", str(folder)))
        runner = "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"
        where = f"--dask_scheduler_file={address}"
        yield on_beam(runner, where, "--dask_partition_size=1", survives=True)


@contextmanager
def spark(folder: Path) -> Iterator[Runner]:
    """Spark's master with two workers of one core."""
    home, port = programs().parent / _SPARK_HOME, free_port()
    deploy, address = "org.apache.spark.deploy", f"spark://127.0.0.1:{port}"
    here = ("--host", "127.0.0.1", "--webui-port", "0")
    with ExitStack() as stack:

        def start(name: str, kind: str, *arguments: str) -> None:
            command = (str(home / "bin/spark-class"), f"{deploy}.{kind}", *here, *arguments)
            stack.enter_context(started(folder, name, *command))

        start("master", "master.Master", "--port", str(port))
        for name in ("worker-1", "worker-2"):
            size = ("--cores", "1", "--memory", "1g", "--work-dir", str(folder / name))
            start(name, "worker.Worker", *size, address)
        said = folder / "master.log"
        wait_for(lambda: said.read_text().count("Registering worker") == 2, "Spark")
        settings = ("spark.driver.host=127.0.0.1", "spark.ui.enabled=false")
        confs = (f"--conf={each}" for each in (*settings, "spark.executor.memory=512m"))
        yield Runner(("--engine", "spark", "--", f"--master={address}", *confs), survives=True)


@contextmanager
def flink(folder: Path) -> Iterator[Runner]:
    """Flink's job manager with three task managers of one slot; a job takes two."""
    home = programs(FLINK).parent / _FLINK_HOME
    rest, rpc, confs = free_port(), free_port(), folder / "conf"
    shutil.copytree(home / "conf", confs)
    (confs / "config.yaml").write_text(_FLINK_CONF.format(rest=rest, rpc=rpc), encoding="utf-8")
    own = {"FLINK_HOME": str(home), "FLINK_CONF_DIR": str(confs), "FLINK_LOG_DIR": str(folder)}
    with ExitStack() as stack:
        for name in ("jobmanager", "taskmanager-1", "taskmanager-2", "taskmanager-3"):
            program = home / "bin" / f"{name.partition('-')[0]}.sh"
            command = ("bash", str(program), "start-foreground")
            more = environment(FLINK) | own
            stack.enter_context(started(folder, name, *command, env=more))
        said = folder / "jobmanager.log"
        text = "Registering TaskManager with ResourceID"
        wait_for(lambda: said.exists() and said.read_text().count(text) >= 3, "Flink")
        where = (f"--jobmanager=127.0.0.1:{rest}", "--parallelism=2")
        yield Runner(("--engine", "flink", "--", *where), survives=True, installed=FLINK)


_FLINK_CONF = """
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc}
jobmanager.memory.process.size: 1g
taskmanager.host: 127.0.0.1
taskmanager.numberOfTaskSlots: 1
taskmanager.memory.process.size: 1g
rest.address: 127.0.0.1
rest.port: {rest}
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 10
restart-strategy.fixed-delay.delay: 1 s
"""

RUNNERS: dict[str, Callable[[Path], AbstractContextManager[Runner]]] = {
    "multi-process": multi_process,
    "prism": prism,
    "pool": pool,
    "dask": dask,
    "spark": spark,
    "flink": flink,
}


@contextmanager
def started(
    folder: Path, name: str, *command: str, env: dict[str, str] | None = None
) -> Iterator[None]:
    """A process in `folder`, whose output is in a file there, until the block ends."""
    with (
        (folder / f"{name}.log").open("w") as log,
        subprocess.Popen(
            command, cwd=folder, env=env or environment(), stdout=log, stderr=log
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def python(installed: Path = INSTALLED) -> str:
    """The interpreter of an environment."""
    return str(programs(installed) / "python")


def ancestor(process: int, name: str) -> int:
    """The nearest process above another that runs a program of this name."""
    while process > 1:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
        process = int(status.rpartition(")")[2].split()[1])
        if Path(f"/proc/{process}/comm").read_text(encoding="utf-8").strip() == name:
            return process
    raise LookupError(name)


def wait_for(ready: Callable[[], bool], what: str) -> None:
    """Wait until something is ready, for a machine that does much else."""
    until = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < until, f"{what} does not start"
        time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def is_open(port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
