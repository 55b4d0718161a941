# SPDX-License-Identifier: Apache-2.0
"""Resolves what a user gives into an evaluation that can run, or reports all of its faults at once."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from benison.config import EvalConfig, MetricConfig, Options
from benison.config.faults import ConfigPart, Draft, Fault, described
from benison.config.plain import loc_of
from benison.data.dataset import Dataset
from benison.data.nested import is_nested
from benison.data.values import is_list, is_number
from benison.engine.plan import Plan
from benison.errors import BenisonError, ConfigError, suggestion
from benison.evaluation.aliases import with_our_names
from benison.evaluation.check import Known, all_faults
from benison.evaluation.compiled import with_compiled
from benison.evaluation.doubts import doubts
from benison.evaluation.examples import open_examples
from benison.metrics import modules
from benison.metrics.modules import Origin, UserMetrics
from benison.models.in_memory import InMemory, is_model

PathLike: TypeAlias = "str | os.PathLike[str]"
Places: TypeAlias = "set[tuple[int, int]]"
"""Metrics, by the numbers of their spec and of themselves."""

T = TypeVar("T")

UNKNOWN: Any = object()
"""In place of examples that are not there yet."""


@dataclasses.dataclass(frozen=True)
class Resolved:
    """An evaluation whose config, data and models fit each other."""

    plan: Plan
    paths: dict[str, str]
    dataset: Dataset | None
    metrics: UserMetrics
    words: tuple[str, ...] = ()
    """What was taken for something else than was written, a sentence each."""

    @property
    def data(self) -> Dataset:
        """The data, where they are known."""
        assert self.dataset is not None
        return self.dataset


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be evaluated, as a user gives it."""

    config: Any
    """A path, a mapping, a TFMA message or an EvalConfig."""
    has_baseline: bool | None = None
    """Whether there is a baseline; None: if the config says so."""
    model: Any = None
    """The path of the candidate, or paths by name."""
    baseline: Any = None
    """The path of the baseline."""
    examples: Any = UNKNOWN
    """The data, as `Dataset.open` takes them."""
    format: str | None = None
    """The format of the data, as `Dataset.open` takes it."""
    called: bool = False
    """Whether there will be a model, though its path is not known yet."""
    module_path: str = ""
    """A folder in which modules of metrics are looked for; it is in `sys.path` already."""
    imports: bool = True
    """Whether modules of metrics may be imported; if not, nothing is said of their metrics."""
    examples_per_slice: int | None = None
    """In place of the option of this name; None is what the config says."""
    row_key: tuple[str, ...] = ()
    """The same; () is what the config says."""


def resolve(request: Request) -> Resolved:
    """Everything that an evaluation needs, checked.

    Raises:
        ConfigError: With all faults of the config, by itself and against data and models.
        BenisonError: The data cannot be opened, while the config has no fault.
    """
    findings = _Findings(EvalConfig.draft(request.config))
    if request.examples_per_slice is not None:
        findings.config = with_examples_per_slice(findings.config, request.examples_per_slice)
    if request.row_key:
        findings.config = _with_option(findings.config, row_key=request.row_key)
    findings.config, words = with_our_names(findings.config)
    metrics, unknown = _user_metrics(request, findings)
    given = findings.step(lambda: _with_defaults(findings.config, request.has_baseline))
    if given is None:
        raise findings.error()
    paths = findings.step(lambda: model_paths(given, request.model, request.baseline))
    are_called = request.called or paths is None
    full = findings.step(lambda: with_compiled(given, _files(paths), not are_called)) or given
    plan, broken = Plan.resolved(full)
    names = [spec.name for spec in full.model_specs] if are_called else [*(paths or ())]
    dataset = findings.step(lambda: _opened(request, full, names))
    known = _known(plan, dataset, names)
    faults = all_faults(plan, broken, known)
    findings.add(fault for fault in faults if _metric_of(fault) not in unknown)
    if findings.any_faults:
        raise findings.error()
    sentences = (*words, *doubts(plan, names), *in_memory(paths or {}))
    return Resolved(plan, paths or {}, dataset, metrics, sentences)


def with_examples_per_slice(config: EvalConfig, rows: int) -> EvalConfig:
    """The config with another number of rows of failed slices.

    Raises:
        ConfigError: It is no such number.
    """
    return _with_option(
        config, examples_per_slice=Options(examples_per_slice=rows).examples_per_slice
    )


def _with_option(config: EvalConfig, **option: Any) -> EvalConfig:
    return config.model_copy(update={"options": config.options.model_copy(update=option)})


def _with_defaults(config: EvalConfig, has_baseline: bool | None) -> EvalConfig:
    in_data = config.baseline_spec is not None
    return config.with_defaults(in_data if has_baseline is None else has_baseline)


def _opened(request: Request, config: EvalConfig, called: Collection[str]) -> Dataset | None:
    if request.examples is UNKNOWN:
        return None
    return open_examples(request.examples, request.format, config, called)


class _Findings:
    """The faults so far, with places in the config as the user wrote it."""

    def __init__(self, draft: Draft[EvalConfig]) -> None:
        self.config: EvalConfig = draft.part or draft.whole()
        self._draft = draft
        self._others: list[BenisonError] = []
        self._full: EvalConfig | None = None

    @property
    def any_faults(self) -> bool:
        """Whether there is a fault."""
        return bool(self._draft.faults or self._others)

    def step(self, work: Callable[[], T]) -> T | None:
        """What `work` returns; None if it raises, and then its faults are noted."""
        try:
            result = work()
        except ConfigError as error:
            self.add(Fault(loc_of(path), text) for path, text in error.faults)
            return None
        except BenisonError as error:
            self._others.append(error)
            return None
        if isinstance(result, EvalConfig):
            self._full = result
        return result

    def add(self, faults: Iterable[Fault]) -> None:
        """Note faults of the config with its defaults."""
        self._draft.add(map(self._as_written, faults))

    def error(self) -> BenisonError:
        """All faults as one error."""
        faults = [(fault.path, fault.text) for fault in self._draft.faults]
        if not faults:
            return self._others[0]
        return ConfigError([*faults, *(("examples", str(error)) for error in self._others)])

    def _as_written(self, fault: Fault) -> Fault:
        """The fault with its place before the defaults added and removed models and specs."""
        if self._full is None or len(fault.loc) < 2 or not isinstance(fault.loc[1], int):
            return fault
        field, number, *rest = fault.loc
        indices = _old_indices(self.config, self._full).get(str(field))
        if indices is None or number not in range(len(indices)):
            return fault
        return fault._replace(loc=(field, indices[int(number)], *rest))


def _old_indices(before: EvalConfig, after: EvalConfig) -> dict[str, list[int]]:
    """Where the models and metrics specs of a config with defaults were before."""
    by_role = {"name": "", "is_baseline": False}
    return {
        "model_specs": _indices(before.model_specs, after.model_specs, by_role),
        "metrics_specs": _indices(before.metrics_specs, after.metrics_specs, {"model_names": ()}),
    }


def _indices(
    before: Sequence[ConfigPart], after: Sequence[ConfigPart], changed: dict[str, Any]
) -> list[int]:
    known = [part.model_copy(update=changed) for part in before]
    plain = [part.model_copy(update=changed) for part in after]
    return [known.index(part) if part in known else i for i, part in enumerate(plain)]


def _metric_of(fault: Fault) -> tuple[int, int] | None:
    match fault.loc:
        case ("metrics_specs", int(i), "metrics", int(j), *_):
            return i, j
    return None


# Metrics of the user's own.


def _user_metrics(request: Request, findings: _Findings) -> tuple[UserMetrics, Places]:
    """Import them, where that is allowed; and the metrics of which nothing more can be said."""
    origins: dict[Origin, None] = {}
    unknown: Places = set()
    for i, j, metric in _metrics(findings.config):
        if not request.imports:
            unknown |= {(i, j)} if _is_foreign(metric) else set()
            continue
        try:
            origin = modules.load(metric.class_name, metric.module, request.module_path)
        except ConfigError as error:
            field = "module" if metric.module else "class_name"
            findings.add([Fault(("metrics_specs", i, "metrics", j, field), str(error))])
            unknown.add((i, j))
        else:
            origins |= {origin: None} if origin else {}
    return UserMetrics(request.module_path, tuple(origins)), unknown


def _metrics(config: EvalConfig) -> Iterator[tuple[int, int, MetricConfig]]:
    for i, spec in enumerate(config.metrics_specs):
        for j, metric in enumerate(spec.metrics):
            yield i, j, metric


def _is_foreign(metric: MetricConfig) -> bool:
    return modules.is_foreign(metric.module) or metric.class_name in modules.offered()


# Data and models.


def _known(plan: Plan, dataset: Dataset | None, called: Collection[str]) -> Known:
    """What the first rows say of the columns that a config names, or all rows of what the first lack."""
    if dataset is None:
        return Known(None, called)
    keys = {key for spec in plan.config.model_specs for key in spec.columns(with_predictions=True)}
    if called:  # then prediction_key names an output of the model, whose form is not known
        keys -= {
            key for m in plan.config.model_specs for key in m.columns_of("prediction").values()
        }
    fields = _fields(dataset, keys)
    single = [f.name for f in fields if is_number(f.type)]
    types = {field.name: field.type for field in dataset.schema}
    return Known(dataset.names, called, _wide(dataset, fields), single, types)


def _fields(dataset: Dataset, keys: set[str]) -> list[pa.Field]:
    """Some columns with their types, which a data frame knows of objects once they are converted."""
    fields = {field.name: field for field in dataset.schema if field.name in keys}
    unknown = [name for name, field in fields.items() if pa.types.is_null(field.type)]
    first = _first(dataset, unknown)
    return list((fields | ({} if first is None else {f.name: f for f in first.schema})).values())


def _wide(dataset: Dataset, fields: Iterable[pa.Field]) -> set[str]:
    """Those of some columns that hold several numbers in a row, by the first rows."""
    # Lists of lists are boxes or images, of which the run itself says what takes them.
    lists = [f.name for f in fields if is_list(f.type) and not is_nested(f.type)]
    first = _first(dataset, lists)
    return {name for name in lists if first is not None and _longest(first.column(name)) > 1}


def _first(dataset: Dataset, names: list[str]) -> pa.RecordBatch | None:
    return next(iter(dataset.batches(names, batch_size=1024)), None) if names else None


def _longest(column: pa.Array) -> int:
    if pa.types.is_fixed_size_list(column.type):
        return int(column.type.list_size)
    lengths = pc.list_value_length(column)
    return int(pc.max(lengths).as_py() or 0)


def model_paths(
    config: EvalConfig,
    model: PathLike | Mapping[str, PathLike] | None,
    baseline: PathLike | None,
) -> dict[str, str]:
    """The path of each model spec that has one.

    Raises:
        ConfigError: A path is none, is given for a model that the config does not have, or is missing.
    """
    candidates = [spec.name for spec in config.candidate_specs]
    if isinstance(model, Mapping):
        paths = {name: _path(path, f"model[{name!r}]") for name, path in model.items()}
    elif model is None:
        paths = {}
    elif len(candidates) == 1:
        paths = {candidates[0]: _path(model, "model")}
    else:
        raise ConfigError(
            f"The config has the models {', '.join(candidates)}; say which path is whose."
        )
    if baseline is not None and config.baseline_spec is not None:
        paths[config.baseline_spec.name] = _path(baseline, "baseline")
    known = [spec.name for spec in config.model_specs]
    for name in paths:
        if name not in known:
            raise ConfigError(f"No model_spec is named {name!r}. {suggestion(name, known)}")
    return paths


def _files(paths: Mapping[str, str] | None) -> dict[str, str]:
    """The models that are files."""
    return {n: path for n, path in (paths or {}).items() if not isinstance(path, InMemory)}


def _path(value: Any, argument: str) -> str:
    """A path as text, or what stands in its place for a model that is in memory."""
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    if is_model(value):
        return InMemory(value)
    raise ConfigError(
        [
            (
                argument,
                f"is {described(value)}; expected the path of a model, a function of a data frame, or an "
                f"object with predict(). Without a model, prediction_key names the predictions in the data.",
            )
        ]
    )


def in_memory(paths: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each model that is an object in memory: what a blessing of it is worth."""
    return tuple(
        f"The model is {name}, which has no bytes: the blessing is of the data and the config, and of no "
        "model that could be verified or served. Save the model and give its path."
        for name in paths.values()
        if isinstance(name, InMemory)
    )
