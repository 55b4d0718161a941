# SPDX-License-Identifier: Apache-2.0
"""Beam's runners on this machine, with workers that are processes of their own, while a test runs."""

from __future__ import annotations

import functools
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = ROOT / ".venv-clusters"
PRISM = INSTALLED / "bin/prism"
Options = tuple[str, ...]


@functools.cache
def programs() -> Path:
    """The folder of the runners' commands, by a path without spaces, which Beam's two processes need."""
    link = Path(tempfile.mkdtemp(prefix="benison-")) / "clusters"
    link.symlink_to(INSTALLED)
    return link / "bin"


def environment() -> dict[str, str]:
    """Of a shell in which the environment of the runners is active."""
    strange = ("PYTEST", "PYTHONDONTWRITEBYTECODE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
    sources = f"{ROOT / 'component'}{os.pathsep}{ROOT / 'orchestration'}"
    path = f"{programs()}{os.pathsep}{os.environ['PATH']}"
    return kept | {"PATH": path, "PYTHONPATH": sources, "PYTHONWARNINGS": "ignore"}


@contextmanager
def multi_process(folder: Path) -> Iterator[Options]:
    """Beam's own runner with two processes, which it starts itself."""
    workers = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    yield "--runner=FnApiRunner", *workers


@contextmanager
def prism(folder: Path) -> Iterator[Options]:
    """Prism, started for each run; its workers are threads of the command."""
    yield "--runner=PrismRunner", f"--prism_location={PRISM}"


@contextmanager
def pool(folder: Path) -> Iterator[Options]:
    """Prism as a job server, and a pool of worker processes, as Beam has them for Flink and Spark."""
    jobs, workers = free_port(), free_port()
    main = "apache_beam.runners.worker.worker_pool_main"
    with ExitStack() as stack:
        serve = ("--job_port", str(jobs), "--serve_http=false")
        stack.enter_context(started(folder, "prism", str(PRISM), *serve))
        start = (python(), "-m", main, f"--service_port={workers}")
        stack.enter_context(started(folder, "pool", *start))
        wait_for(lambda: all(map(is_open, (jobs, workers))), "Prism or the pool of workers")
        at = ("--environment_type=EXTERNAL", f"--environment_config=localhost:{workers}")
        yield "--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", *at


@contextmanager
def dask(folder: Path) -> Iterator[Options]:
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
        yield runner, f"--dask_scheduler_file={address}", "--dask_partition_size=1"


RUNNERS: dict[str, Callable[[Path], AbstractContextManager[Options]]] = {
    "multi-process": multi_process,
    "prism": prism,
    "pool": pool,
    "dask": dask,
}


@contextmanager
def started(folder: Path, name: str, *command: str) -> Iterator[None]:
    """A process in `folder`, whose output is in a file there, until the block ends."""
    with (
        (folder / f"{name}.log").open("w") as log,
        subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def python() -> str:
    """The interpreter of the runners' environment."""
    return str(programs() / "python")


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
