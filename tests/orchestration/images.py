# SPDX-License-Identifier: Apache-2.0
"""Container images for tests, on a machine with root but without a container engine.

debootstrap makes the base, buildah builds the repository's Dockerfile on it, podman runs it. What they
make is kept in `.images`, so that only the first run takes minutes.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import ssl
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# debootstrap and overlays cannot be in a folder whose name has a blank in it.
_APART = Path("/var/tmp") / f"benison-images-{zlib.crc32(str(ROOT).encode()):08x}"
CACHE = _APART if " " in str(ROOT) else ROOT / ".images"
BASE = "localhost/benison-base:trixie"
TOOLS = ("buildah", "podman", "runc", "debootstrap")
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
# How debootstrap and pip name a network that is not there.
OFFLINE = ("Failed getting release file", "NewConnectionError", "NameResolutionError", "ProxyError")
# What a machine without systemd, or itself a container, grants: the host's network, and limits that it
# has anyway. crun refuses the mixed control groups that some of them have.
ENGINE = """[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def require() -> None:
    """Skip the test where images cannot be built; under CI, fail."""
    lacking = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0:
        lacking.append("root")
    if lacking and "CI" in os.environ:
        pytest.fail(f"There is no {', '.join(lacking)} to build container images with.")
    if lacking:
        pytest.skip(f"no {', '.join(lacking)} to build container images with")


def environment() -> dict[str, str]:
    """The environment in which buildah and podman see the images of this file."""
    return {
        **os.environ,
        "CONTAINERS_CONF": str(CACHE / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(CACHE / "storage.conf"),
        "BUILDAH_ISOLATION": "chroot",
    }


def run(*words: str | Path, timeout: float = 900) -> str:
    """What a command prints; AssertionError with all that it said if it fails.

    Skips the test if it fails for want of a network; under CI that is a failure like any other.
    """
    command = [str(word) for word in words]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, check=False, timeout=timeout
    )
    message = f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    if done.returncode and "CI" not in os.environ and any(sign in message for sign in OFFLINE):
        pytest.skip("no network to build container images from")
    assert done.returncode == 0, message
    return done.stdout


def benison(extras: str = "base") -> str:
    """The name of the repository's own image, built with EXTRAS; an unchanged one takes seconds."""
    require()
    name = f"localhost/benison:{extras}"
    with _locked():
        _configure()
        _base()
        secrets = [word for pair in _secrets() for word in ("--secret", pair)]
        arguments = ("--build-arg", f"BASE={BASE}", "--build-arg", f"EXTRAS={extras}")
        # Without overlays each layer that is kept is a whole copy.
        layers = "--layers" if _driver() == "overlay" else "--layers=false"
        try:
            run("buildah", "build", layers, *arguments, *secrets, "--tag", name, ROOT)
        finally:
            run("buildah", "rm", "--all")  # a build that fails leaves its folders mounted
    return name


@contextmanager
def _locked() -> Iterator[None]:
    """One process at a time; tests run in several."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _configure() -> None:
    """Images apart from those of the machine, in folders that stay unmounted and can be removed."""
    lines = (
        "[storage]",
        f'driver = "{_driver()}"',
        f'graphroot = "{CACHE}/storage"',
        f'runroot = "{CACHE}/run"',
        "[storage.options.overlay]",
        'skip_mount_home = "true"',
    )
    (CACHE / "storage.conf").write_text("\n".join(lines))
    (CACHE / "containers.conf").write_text(ENGINE)


def _driver() -> str:
    """How layers are kept; overlays cannot lie on an overlay, as in a checkout within a container."""
    stat = ["stat", "--file-system", "--format=%T", str(CACHE)]
    kind = subprocess.run(stat, capture_output=True, text=True, check=True).stdout.strip()
    return "vfs" if kind == "overlayfs" else "overlay"


def _base() -> None:
    """Debian with Python 3.13 and glibc 2.41: what python:3.13-slim is built on."""
    if run("podman", "images", "--quiet", BASE):
        return
    archive, folder = CACHE / "trixie.tar", CACHE / "trixie"
    if not archive.exists():
        shutil.rmtree(folder, ignore_errors=True)
        include = f"--include={PACKAGES}"
        run("debootstrap", "--variant=minbase", include, "trixie", folder, *_mirror())
        partial = archive.with_suffix(".partial")
        left_out = ("--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*")
        run("tar", "-C", folder, "--numeric-owner", *left_out, "-cf", partial, ".")
        partial.rename(archive)
        shutil.rmtree(folder)
    run("podman", "import", "--quiet", archive, BASE)


def _mirror() -> list[str]:
    """The Debian mirror that this machine uses; without one debootstrap knows its own."""
    files = sorted(Path("/etc/apt").glob("sources.list*")) + sorted(
        Path("/etc/apt/sources.list.d").glob("*")
    )
    texts = (path.read_text() for path in files if path.is_file())
    return re.findall(r"https?://\S+/debian/?(?=\s)", "\n".join(texts))[:1]


def _secrets() -> list[str]:
    """The package registry and the certificates that this machine uses, for the build alone."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    index = os.environ.get("PIP_INDEX_URL", asked)
    certificates = os.environ.get("PIP_CERT") or ssl.get_default_verify_paths().cafile
    lines = [f"index-url = {index}"] if index else []
    lines += ["cert = /run/secrets/ca"] if certificates else []
    configured = CACHE / "pip.conf"
    configured.touch(mode=0o600)
    configured.write_text("\n".join(["[global]", *lines, ""]))
    values = [f"id=pip,src={configured}"]
    return [*values, f"id=ca,src={certificates}"] if certificates else values
