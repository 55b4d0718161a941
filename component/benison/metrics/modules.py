# SPDX-License-Identifier: Apache-2.0
"""Metrics of the user's own, from the module that a config names or from an installed distribution.

Importing a module runs its code. So nothing is imported by looking a metric up: who evaluates or checks a
config says `load` first, and whoever only shows results does not.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from benison import signals
from benison.errors import IMPORTABLE, ConfigError, suggestion
from benison.metrics import registry
from benison.metrics.base import Metric
from benison.metrics.families import OWNERS
from benison.metrics.groups import GROUPS

GROUP = "benison.metrics"
"""The group of entry points by which a distribution offers metrics; a name is a class_name."""

# TFMA, TensorFlow and Keras are never imported for a metric: their names are in our registry, or refused.
_OURS = ("benison", "tensorflow_model_analysis", "tensorflow", "tf_keras", "keras")

_OWN = frozenset({*OWNERS, *GROUPS})

_loaded: dict[str, Origin] = {}


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where the code of a metric is from, and which code it was; goes into the manifest and the blessing.

    Attributes:
        class_name: The name in the config.
        module: The module that was imported.
        sha256: Of the module's file, as it was when the metric was looked up; "" for one of a distribution.
        distribution: The name of the installed distribution that offers it; "" for a module of the config.
        version: Its version.
    """

    class_name: str
    module: str
    sha256: str = ""
    distribution: str = ""
    version: str = ""

    def to_dict(self) -> dict[str, str]:
        """The fields that say something."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value}


@dataclasses.dataclass(frozen=True)
class UserMetrics:
    """The metrics that are not Benison's own; where this is unpickled, their modules are imported first.

    It stands before the plan in what is sent to a worker, because the plan's metrics are unpickled by the
    names of their modules, which may lie in a folder that the worker does not search.

    Attributes:
        folder: The folder in which modules were looked for after `sys.path`; "" for none.
        origins: The metrics.
    """

    folder: str = ""
    origins: tuple[Origin, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.folder, self.origins)

    def to_list(self) -> list[dict[str, str]]:
        """What a manifest says of them."""
        return [origin.to_dict() for origin in self.origins]


def _restored(folder: str, origins: tuple[Origin, ...]) -> UserMetrics:
    """In another process: what is unpickled after this, models too, refers to the modules by name."""
    if folder and folder not in sys.path:
        sys.path.append(folder)
    for origin in origins:
        _imported(origin.module, folder)
    return UserMetrics(folder, origins)


@contextmanager
def importable(folder: str | os.PathLike[str] | None) -> Iterator[str]:
    """Let modules in a folder be imported meanwhile; gives its absolute path, or "".

    Raises:
        ConfigError: It is not a folder.
    """
    if folder is None:
        yield ""
        return
    path = os.path.abspath(folder)
    if not os.path.isdir(path):
        cure = "Name the folder that the module lies in, and the module in the config."
        raise ConfigError([("module_path", f"{path} is not a folder. {cure}")])
    sys.path.append(path)  # last, so that nothing in it takes the place of what is installed
    try:
        importlib.invalidate_caches()
        yield path
    finally:
        with suppress(ValueError):
            sys.path.remove(path)


def load(class_name: str, module: str, folder: str = "") -> Origin | None:
    """Make the metric of a class_name known, if it is a user's; one of Benison's own needs nothing.

    Args:
        class_name: As a MetricConfig has it.
        module: As a MetricConfig has it; "" looks for an entry point, if the name is unknown.
        folder: Where modules are looked for too; it is in `sys.path` already.

    Returns:
        Where the metric is from; None for one of Benison's own, and for a name that nobody knows.

    Raises:
        ConfigError: The module cannot be imported, has no such metric, or the name is taken.
    """
    if is_foreign(module):
        return _from_module(class_name, module, folder)
    if module or class_name in GROUPS or registry.is_known(class_name):
        return _loaded.get(class_name)
    return _from_entry_point(class_name)


def is_foreign(module: str) -> bool:
    """Whether a module is one to import: not none, not Benison's, and not one of TFMA's or Keras'.

    >>> is_foreign("mycompany.metrics"), is_foreign("tensorflow_model_analysis.metrics"), is_foreign("")
    (True, False, False)
    """
    return bool(module) and module.partition(".")[0] not in _OURS


def _from_module(class_name: str, name: str, folder: str) -> Origin:
    module = _imported(name, folder)
    origin = Origin(class_name, name, _digest(module))
    made = vars(module).get(class_name)
    known = registry.factory_of(class_name)
    if known is None and made is None:
        there = [
            n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, Metric)
        ]
        hint = suggestion(class_name, [n for n in there if n != "Metric"])
        raise ConfigError(f"the module {name!r} has no {class_name!r}, and registers none. {hint}")
    _register(class_name, known if made is None else made, origin)
    return origin


def _register(class_name: str, factory: Any, origin: Origin) -> None:
    """Note a user's metric; a module that was imported anew replaces what it made before."""
    if isinstance(factory, type) and not issubclass(factory, Metric):
        from benison.metrics.keras_own import keras_factory
        from benison.models.keras_objects import is_keras

        made: Any = factory  # mypy takes a class for unhashable
        factory = keras_factory(made) if is_keras(made) else made
    if not callable(factory) or (isinstance(factory, type) and not issubclass(factory, Metric)):
        raise ConfigError(
            f"{class_name!r} of {origin.module!r} is not a metric of Benison but {_kind(factory)}. Write it "
            f"as a frozen dataclass that subclasses benison.Metric."
        )
    known, before = registry.factory_of(class_name), _loaded.get(class_name)
    again = before.module if before else getattr(known, "__module__", "")
    if class_name in _OWN or known not in (None, factory) and again != origin.module:
        whose = "Benison" if class_name in _OWN else repr(again)
        raise ConfigError(
            f"{class_name!r} is the name of a metric of {whose}; give the one in {origin.module!r} another "
            "name."
        )
    if known is not factory:
        registry.replace(class_name, factory)
    _loaded[class_name] = origin


def offered() -> set[str]:
    """The class names that installed distributions offer; nothing is imported."""
    return {point.name for point in metadata.entry_points(group=GROUP)}


def _from_entry_point(class_name: str) -> Origin | None:
    points = {
        (point.dist.name if point.dist else "", point.value): point
        for point in metadata.entry_points(group=GROUP, name=class_name)
    }
    if len(points) > 1:
        names = " and ".join(sorted({name for name, _ in points}))
        raise ConfigError(
            f"{class_name!r} is offered by {names}. Say which one is meant: module in the config names it."
        )
    for point in points.values():
        try:
            factory = point.load()
        except (Exception, SystemExit) as error:  # the module is anyone's code
            _check_not_stopped(error)
            raise ConfigError(
                f"{class_name!r} of the distribution {_name(point)} cannot be imported: {_why(error)}"
            ) from error
        version = point.dist.version if point.dist else ""
        origin = Origin(class_name, point.module, distribution=_name(point), version=version)
        _register(class_name, factory, origin)
        return origin
    return None


def _imported(name: str, folder: str) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not error.name or name != error.name and not name.startswith(f"{error.name}."):
            raise ConfigError(f"importing {name!r} fails: {_why(error)} {IMPORTABLE}") from error
        cure = (
            f" nor in {folder}." if folder else ". Name its folder: --module-path (module_path=)."
        )
        raise ConfigError(f"there is no module {name!r} in sys.path{cure}") from error
    except (Exception, SystemExit) as error:  # the module is anyone's code
        _check_not_stopped(error)
        raise ConfigError(f"importing {name!r} fails: {_why(error)}") from error
    _check_is_of(module, name, folder)
    return module


def _check_not_stopped(error: BaseException) -> None:
    """Let a signal end the program, and nothing else: a script that calls `sys.exit` is no module."""
    if isinstance(error, SystemExit) and signals.was_stopped() is not None:
        raise error


def _check_is_of(module: ModuleType, name: str, folder: str) -> None:
    """Refuse a module that is another one than that of the folder.

    A process holds one module of a name: without this a metric of another file of the same name would be
    computed in silence.
    """
    top = name.partition(".")[0]
    spec = PathFinder.find_spec(top, [folder]) if folder else None
    there, here = getattr(spec, "origin", None), getattr(sys.modules[top], "__file__", None)
    if there and here and os.path.realpath(there) != os.path.realpath(here):
        raise ConfigError(
            f"the module {name!r} in {folder} is not the one that is imported, which is {here}. "
            f"Give one of them another name."
        )


def _digest(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


def _name(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else "?"


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ") + "."


def _kind(value: Any) -> str:
    if isinstance(value, type):
        base = next((b for b in value.__mro__[1:] if b is not object), None)
        return (
            f"a class derived from {base.__module__}.{base.__name__}" if base else "another class"
        )
    return f"a value of type {type(value).__name__}"


def load_all(wanted: Iterable[tuple[str, str]], folder: str = "") -> UserMetrics:
    """Load several metrics, given as (class_name, module); raises ConfigError for the first that fails."""
    origins = (load(class_name, module, folder) for class_name, module in wanted)
    return UserMetrics(folder, tuple(dict.fromkeys(origin for origin in origins if origin)))
