# SPDX-License-Identifier: Apache-2.0
"""The base of the operators that evaluate: checks a spec and hands on a verdict, wherever it runs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from benison.errors import ConfigError
from benison.evaluation.spec import read_spec
from benison.lineage import RunKey
from benison_orchestration.airflow_hook import MetadataHook
from benison_orchestration.airflow_process import failure
from benison_orchestration.airflow_sdk import (
    AIRFLOW_V_3_0_PLUS,
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    Asset,
    AssetAlias,
    BaseOperator,
    BaseOperatorLink,
    SkipMixin,
    XCom,
    conf,
)
from benison_orchestration.airflow_spec import (
    check,
    check_no_secrets,
    default_output,
    fields_of,
    is_known,
    plain,
)

ON_NOT_BLESSED = ("skip", "fail", "continue")
_REPORT = "benison_report"
# What Airflow waits beyond a trigger, which ends its evaluation in time and says so.
_GRACE = timedelta(seconds=60)
# The rules of tasks that run whatever came of the tasks before them.
_RUN_ANYWAY = frozenset({"all_done", "all_done_setup_success", "always", "one_done"})


class ReportLink(BaseOperatorLink):
    """The button of a task instance that opens the report."""

    name = "Benison report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address that the task has left."""
        return XCom.get_value(key=_REPORT, ti_key=ti_key) or ""


class BaseEvaluatorOperator(BaseOperator, SkipMixin):
    """What an operator that evaluates does with a spec and a verdict, wherever the evaluation runs.

    The verdict is the task's XCom: `status`, `summary`, `failures` (how many checks failed), `counts` (how
    many of each outcome, such as `undecided`), `look` (which candidate on these data), `reasons` and
    `failed_checks` (the first 20), `metrics` (the candidates' values on all data), `rows`, `output`,
    `report`, `model` and `run`, the key under which all tries of a task instance are one run. An
    evaluation that cannot be done fails the task, with the reason in the log; what is wrong in the config,
    the data or the model is not tried again.

    Args:
        spec: The arguments of `benison.evaluate`: a mapping, the text of a JSON document, or the path of
            one on the worker; templates in it are rendered. Paths may be `Path`, the config an
            `EvalConfig`. Without an `output` it is a folder of the task instance's own below `output_root`.
            A task that is run again replaces what it wrote and nothing else, unless the spec has `overwrite`.
        on_not_blessed: `skip` skips the tasks right after this one, as a short circuit does; a mapped
            task is itself skipped, so that what comes after runs when all are blessed, or as its trigger
            rule says.
            `fail` fails without a retry; `continue` leaves it to a `BlessedBranchOperator` or to the tasks.
        ignore_downstream_trigger_rules: `skip` skips all tasks that come after this one. Otherwise those
            right after it, but not those that run whatever came before, such as those with `all_done`.
            Teardowns are never skipped.
        asset: An asset (on Airflow 2 a dataset) that gets an event when the model is blessed, and only
            then; the texts of the verdict are its extra. Templates in its address are rendered.
        metadata_conn_id: The connection of the metadata store where it is recorded, as a run of a pipeline
            that has the name of the DAG.
        report_url: The address of the report for the web page; default: the file in `output`.
        output_root: Where outputs are that the spec does not name; default: the option `output_root` in
            Airflow's section `benison`, or `evaluations` in Airflow's home. Each is at
            DAG/run/task/`evaluation`, with the map index in place of `evaluation` where there is one.

    Raises:
        ConfigError: The spec has a field that `benison.evaluate` does not, lacks one, or holds what a task
            cannot take; its config is wrong; or `on_not_blessed` is unknown.
    """

    template_fields: Sequence[str] = (
        *("spec", "metadata_conn_id", "report_url", "output_root", "asset"),
    )
    template_fields_renderers = {"spec": "json"}
    operator_extra_links = (ReportLink(),)
    inherits_from_skipmixin = True
    ui_color = "#e8f0d8"
    outcome: Mapping[str, Any] | None = None
    """What `execute` has returned, for OpenLineage."""

    def __init__(  # noqa: PLR0913 - what a task can be told
        self,
        *,
        spec: Any,
        on_not_blessed: str = "skip",
        ignore_downstream_trigger_rules: bool = False,
        asset: Any = None,
        metadata_conn_id: str | None = None,
        report_url: str | None = None,
        output_root: str | None = None,
        **kwargs: Any,
    ) -> None:
        # Made here, since the name of an alias is that of the DAG, and what is rendered is of a run.
        self._alias = None if asset is None else _alias(asset)
        if self._alias is not None:
            kwargs["outlets"] = [*(kwargs.get("outlets") or ()), self._alias]
        super().__init__(**kwargs)
        self.asset = asset
        self.spec = plain(spec)
        self.on_not_blessed = on_not_blessed
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules
        self.metadata_conn_id = metadata_conn_id
        self.report_url = report_url
        self.output_root = output_root
        if on_not_blessed not in ON_NOT_BLESSED:
            known = ", ".join(ON_NOT_BLESSED)
            raise ConfigError(f"on_not_blessed is {on_not_blessed!r}; it may be {known}.")
        self.check_spec()

    def check_spec(self) -> None:
        """Find what is wrong with the spec as far as it is known while the DAG is read.

        Raises:
            ConfigError: It says what.
        """
        check(self.spec, has_output=True)

    def execute(self, context: Any) -> dict[str, Any]:
        """Evaluate, and act on the verdict."""
        return self.conclude(context, self.evaluate(context))

    def evaluate(self, context: Any) -> Mapping[str, Any] | None:
        """Evaluate by the `full_spec`; the outcome, as `host_task` writes it."""
        raise NotImplementedError

    def full_spec(self, context: Any) -> dict[str, Any]:
        """The spec, with what this task instance adds to it: its key, a store and an output.

        Raises:
            AirflowFailException: The rendered spec is wrong.
        """
        key = run_key(context)
        try:
            fields = {**dataclasses.asdict(key), **fields_of(self.spec)}
            check_no_secrets(fields)
            fields["output"] = fields.get("output") or default_output(self.root(), key)
            if self.metadata_conn_id:
                fields.setdefault("metadata", MetadataHook(self.metadata_conn_id).url)
            return read_spec(json.dumps(fields))
        except ConfigError as error:
            raise AirflowFailException(str(error)) from error

    def root(self) -> str:
        """Where outputs are that the spec does not name."""
        configured: str = conf.get("benison", "output_root", fallback="")
        return self.output_root or configured or str(Path(_airflow_home(), "evaluations"))

    def secrets_of_store(self) -> dict[str, str]:
        """The password of the metadata store, as a variable of a process."""
        return MetadataHook(self.metadata_conn_id).secrets if self.metadata_conn_id else {}

    def conclude(self, context: Any, outcome: Mapping[str, Any] | None) -> dict[str, Any]:
        """Say the verdict in the log, in XCom, to the asset, and to what comes after."""
        if not outcome:
            raise AirflowException("The evaluation has ended, and left no outcome.")
        report = self.report_url or outcome["report"]
        shown = {**outcome, "report": report, "run": run_key(context).name}
        self.outcome = shown
        self.log.info(shown["summary"])
        for reason in shown["reasons"]:
            self.log.error(reason)
        if more := shown["failures"] - len(shown["reasons"]):
            self.log.error("and %d more failures, in the report", more)
        context["ti"].xcom_push(key=_REPORT, value=report)
        context["ti"].xcom_push(key="return_value", value=shown)
        if shown["status"] != "blessed":
            self._hold(context, shown)
        elif self.asset is not None:
            _announce(context, self._alias, _asset(self.asset), shown)
        return shown

    def deadline(self) -> float | None:
        """When an evaluation that begins now must have ended, in seconds since 1970."""
        limit = self.execution_timeout
        return None if limit is None else time.time() + limit.total_seconds()

    def wait_for(self, trigger: Any) -> None:
        """Let the triggerer wait, and no worker meanwhile."""
        limit = self.execution_timeout
        timeout = None if limit is None else limit + _GRACE
        self.defer(trigger=trigger, method_name=self.resume.__name__, timeout=timeout)

    def resume(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """Act on what a trigger has waited for."""
        if event["code"]:
            raise failure(event["code"], event["text"])
        return self.conclude(context, event["outcome"])

    def _hold(self, context: Any, shown: Mapping[str, Any]) -> None:
        if self.on_not_blessed == "fail":
            raise AirflowFailException("\n".join([shown["summary"], *shown["reasons"]]))
        if self.on_not_blessed == "skip":
            self._skip(context, shown["summary"])

    def _skip(self, context: Any, summary: str) -> None:
        tasks = list(self._to_skip(context["task"]))
        if tasks and AIRFLOW_V_3_0_PLUS:
            self.skip(ti=context["ti"], tasks=tasks)
        elif tasks:
            run, index = context["dag_run"], context["ti"].map_index
            self.skip(run, run.execution_date, tasks, index)
        if context["ti"].map_index >= 0:
            # Airflow lets one of several mapped tasks skip nothing that comes after all of them.
            raise AirflowSkipException(summary)

    def _to_skip(self, task: Any) -> Iterator[Any]:
        if self.ignore_downstream_trigger_rules:
            tasks = task.get_flat_relatives(upstream=False)
        else:
            direct = task.get_direct_relatives(upstream=False)
            tasks = [each for each in direct if each.trigger_rule not in _RUN_ANYWAY]
        return (each for each in tasks if not each.is_teardown)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What OpenLineage is told: data and model read, output written, checks and verdict."""
        from benison_orchestration.airflow_openlineage import lineage_of

        return lineage_of(self.outcome)


def run_key(context: Any) -> RunKey:
    """The key of a task instance, the same in each of its tries."""
    ti = context["ti"]
    index = None if ti.map_index < 0 else ti.map_index
    return RunKey(ti.dag_id, ti.run_id, ti.task_id, index)


def _alias(asset: Any) -> Any:
    """What stands for an asset among the outlets: an asset has an event after each success, an alias not."""
    address = _asset(asset).uri if is_known(asset) else asset
    return AssetAlias(f"blessed {address}")


def _asset(asset: Any) -> Any:
    """An asset that was given as one, or by its address.

    Raises:
        AirflowFailException: Airflow takes no such address.
    """
    try:
        return Asset(asset) if isinstance(asset, str) else asset
    except ValueError as error:
        raise AirflowFailException(f"The asset {asset!r} cannot be named so: {error}") from error


def _announce(context: Any, alias: Any, asset: Any, shown: Mapping[str, Any]) -> None:
    """Give an asset its event."""
    if not AIRFLOW_V_3_0_PLUS:
        _make_known(alias)
    # Airflow 2 puts the values of an alias's event in a set, which cannot hold lists.
    extra = {key: value for key, value in shown.items() if isinstance(value, str)}
    context["outlet_events"][alias].add(asset, extra=extra)


def _make_known(alias: Any) -> None:
    """Note an alias in Airflow 2's database: reading a DAG, it sees none in what has yet to be mapped."""
    from airflow.models.dataset import DatasetAliasModel
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    with contextlib.suppress(IntegrityError), create_session() as session:
        if not session.query(DatasetAliasModel).filter_by(name=alias.name).count():
            session.add(DatasetAliasModel(name=alias.name))


def _airflow_home() -> str:
    from airflow.configuration import AIRFLOW_HOME

    return str(AIRFLOW_HOME)
