# SPDX-License-Identifier: Apache-2.0
"""Metrics from a module that a config names, and from installed distributions."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benison.data.batch import Inputs
from benison.errors import ConfigError
from benison.metrics import from_config, modules, registered, registry

OVERSHOOT = '''
import dataclasses
import numpy as np
from benison.metrics.base import Metric, ratio
from benison.metrics.statistics import Mean

def overshoot(inputs):
    return np.maximum(inputs.predictions - inputs.labels, 0)

@dataclasses.dataclass(frozen=True)
class Overshoot(Metric):
    """Mean of what predictions exceed labels by."""
    factor: float = 1.0
    name: str = "overshoot"
    def statistics(self):
        return (Mean(overshoot),)
    def result(self, mean):
        return self.factor * ratio(*mean)
'''


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that a test imports is there for the next one."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if not name.startswith("benison."):  # a family that was asked for is registered for good
            del sys.modules[name]


def load(folder: Path, class_name: str, module: str) -> Any:
    with modules.importable(folder) as path:
        return modules.load(class_name, module, path)


def refused(folder: Path, class_name: str, module: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load(folder, class_name, module)
    return str(raised.value)


def written(folder: Path, text: str = OVERSHOOT, name: str = "mine.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_class_of_a_module_in_a_folder(tmp_path: Path) -> None:
    file = written(tmp_path)
    origin = load(tmp_path, "Overshoot", "mine")
    assert origin.to_dict() == {
        "class_name": "Overshoot",
        "module": "mine",
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    assert from_config("Overshoot", {"factor": 2.0}).of(Inputs.of([1.0, 0.0], [0.5, 0.5])) == 0.5
    assert registry.describe("Overshoot").sentence == "Mean of what predictions exceed labels by."
    assert str(tmp_path) not in sys.path
    assert load(tmp_path, "Overshoot", "mine") == origin  # as often as one likes


def test_a_module_of_a_package_and_one_that_registers(tmp_path: Path) -> None:
    written(tmp_path, "", "team/__init__.py")
    written(tmp_path, f"{OVERSHOOT}\nfrom benison import register\nregister('Over', Overshoot)\n", "team/metrics.py")  # fmt: skip
    assert load(tmp_path, "Over", "team.metrics").module == "team.metrics"
    assert load(tmp_path, "Overshoot", "team.metrics")
    assert {"Over", "Overshoot"} <= set(registered())


def test_a_module_that_was_imported_anew_replaces_what_it_made(tmp_path: Path) -> None:
    written(tmp_path)
    first = load(tmp_path, "Overshoot", "mine")
    written(tmp_path, OVERSHOOT.replace('overshoot"', 'other"'))
    del sys.modules["mine"]
    assert load(tmp_path, "Overshoot", "mine") != first
    assert from_config("Overshoot", {}).name == "other"


@pytest.mark.parametrize(
    "module",
    [
        "tensorflow_model_analysis.metrics.x",
        "keras.metrics",
        "tf_keras.src.losses",
        "tensorflow.x",
        "tf_keras",
    ],  # fmt: skip
)
def test_modules_of_tfma_and_keras_are_never_imported(tmp_path: Path, module: str) -> None:
    for name in ("tensorflow_model_analysis", "keras", "tf_keras", "tensorflow"):
        written(tmp_path, "raise RuntimeError('imported')", f"{name}/__init__.py")
    assert load(tmp_path, "AUC", module) is None


def test_looking_a_metric_up_imports_nothing(tmp_path: Path) -> None:
    written(tmp_path, "raise SystemExit")
    with modules.importable(tmp_path), pytest.raises(ConfigError, match="There is no metric 'Overshoot'"):  # fmt: skip
        from_config("Overshoot", {})


REFUSED = [
    ("Overshoot", "nowhere", "", "there is no module 'nowhere' in sys.path nor in "),
    ("Overshoot", "mine.inner", "", "there is no module 'mine.inner' in sys.path nor in "),
    ("Overshoot", "mine", "import no_such_thing", "importing 'mine' fails: ModuleNotFoundError: No module named 'no_such_thing'."),
    ("Overshoot", "mine", "1 / 0", "importing 'mine' fails: ZeroDivisionError: division by zero."),
    ("Overshoot", "mine", "def (", "importing 'mine' fails: SyntaxError: "),
    ("Overshot", "mine", OVERSHOOT, "the module 'mine' has no 'Overshot', and registers none. Did you mean 'Overshoot'?"),
    ("AUC", "mine", "class AUC: pass", "'AUC' of 'mine' is not a metric of Benison but another class."),
    ("AUC", "mine", OVERSHOOT.replace("Overshoot(", "AUC("), "'AUC' is the name of a metric of Benison; give the one in 'mine' another name."),
    ("AUC", "mine", "from benison.metrics.curves import AUC", "'AUC' is the name of a metric of Benison"),
    ("X", "mine", "X = 3", "'X' of 'mine' is not a metric of Benison but a value of type int."),
    ("X", "mine", "class X(ValueError): pass", "but a class derived from builtins.ValueError. Write it as"),
]  # fmt: skip


@pytest.mark.parametrize(("class_name", "module", "text", "sentence"), REFUSED)
def test_what_is_no_metric_is_refused(
    tmp_path: Path, class_name: str, module: str, text: str, sentence: str
) -> None:
    if text:
        written(tmp_path, text)
    assert sentence in refused(tmp_path, class_name, module)


def test_two_modules_cannot_share_a_name(tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path, name="theirs.py")
    load(tmp_path, "Overshoot", "mine")
    message = refused(tmp_path, "Overshoot", "theirs")
    assert (
        message
        == "'Overshoot' is the name of a metric of 'mine'; give the one in 'theirs' another name."
    )


def test_two_folders_cannot_share_a_module(tmp_path: Path) -> None:
    written(tmp_path / "a")
    written(tmp_path / "b")
    load(tmp_path / "a", "Overshoot", "mine")
    message = refused(tmp_path / "b", "Overshoot", "mine")
    assert f"the module 'mine' in {tmp_path}/b is not the one that is imported, which is {tmp_path}/a/mine.py." in message  # fmt: skip


def test_a_folder_takes_the_place_of_nothing_that_is_installed(tmp_path: Path) -> None:
    written(tmp_path, "raise RuntimeError", "colorsys.py")
    with modules.importable(tmp_path):
        import colorsys  # noqa: F401


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    file = written(tmp_path)
    for path in (file, tmp_path / "no"):
        with pytest.raises(ConfigError, match="is not a folder. Name the folder that the module lies in"), modules.importable(path):  # fmt: skip
            pass


BROKEN = [
    ("@dataclasses.dataclass(frozen=True)", "@dataclasses.dataclass", "cannot be computed: unhashable"),
    ("return (Mean(overshoot),)", "return (Mean([1]),)", "cannot be computed: unhashable"),
    ("return (Mean(overshoot),)", "return (3,)", "cannot be computed: 'int' object has no attribute"),
    ("return (Mean(overshoot),)", "raise KeyError('no')", "cannot be computed: 'no'"),
    ("    def result(self, mean):\n        return self.factor * ratio(*mean)\n", "", "abstract"),
    ('name: str = "overshoot"', 'name: str = ""', "has no name"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "sentence"), BROKEN)
def test_a_class_that_breaks_the_contract(tmp_path: Path, old: str, new: str, sentence: str) -> None:  # fmt: skip
    assert old in OVERSHOOT
    written(tmp_path, OVERSHOOT.replace(old, new))
    load(tmp_path, "Overshoot", "mine")
    with pytest.raises(ConfigError, match=sentence):
        from_config("Overshoot", {})


def test_a_factory_that_makes_something_else(tmp_path: Path) -> None:
    written(tmp_path, "def Odd(): return 3")
    load(tmp_path, "Odd", "mine")
    with pytest.raises(ConfigError, match="Odd makes the number 3 and not a benison.Metric"):
        from_config("Odd", {})


def test_another_process_finds_the_module_by_name_and_folder(tmp_path: Path) -> None:
    written(tmp_path)
    origin = load(tmp_path, "Overshoot", "mine")
    users = modules.UserMetrics(str(tmp_path), (origin,))
    travelling = pickle.dumps((users, from_config("Overshoot", {"factor": 3.0})))
    (tmp_path / "state.pickle").write_bytes(travelling)
    program = (
        "import pickle, sys; users, metric = pickle.load(open(sys.argv[1], 'rb'));"
        "print(metric.factor, users.origins[0].class_name)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "state.pickle")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.stdout.split() == ["3.0", "Overshoot"], done.stderr
    assert pickle.loads(travelling)[0] == users


# Entry points.


def distribution(folder: Path, name: str, text: str, points: str) -> None:
    written(folder, text, f"{name}_code.py")
    written(folder, f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n", f"{name}-1.5.dist-info/METADATA")  # fmt: skip
    written(folder, f"[benison.metrics]\n{points}\n", f"{name}-1.5.dist-info/entry_points.txt")


def test_an_unknown_name_is_looked_up_among_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, "extra", OVERSHOOT, "Overshoot = extra_code:Overshoot\nAUC = no:thing")
    monkeypatch.syspath_prepend(tmp_path)
    origin = modules.load("Overshoot", "")
    assert origin is not None
    assert origin.to_dict() == {
        "class_name": "Overshoot",
        "module": "extra_code",
        "distribution": "extra",
        "version": "1.5",
    }
    assert from_config("Overshoot", {}).name == "overshoot"
    assert modules.load("Overshoot", "") == origin
    assert modules.load("AUC", "") is None
    assert modules.load("NoSuchThing", "") is None


def test_two_distributions_with_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("extra", "other"):
        distribution(tmp_path, name, OVERSHOOT, f"Overshoot = {name}_code:Overshoot")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="'Overshoot' is offered by extra and other"):
        modules.load("Overshoot", "")


def test_an_entry_point_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path, "extra", "1 / 0", "Overshoot = extra_code:Overshoot")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="of the distribution extra cannot be imported: ZeroDiv"):
        modules.load("Overshoot", "")
