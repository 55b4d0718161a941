# SPDX-License-Identifier: Apache-2.0
"""The Evaluator in Airflow 2.11 and 3: an operator, a branch, a link and a hook.

An evaluation is a child process, of this Python or of another, so that TensorFlow need not be where
Airflow is; `airflow_docker` and `airflow_kubernetes` have the same operator in a container. What differs
between Airflow 2 and 3 is told apart in one place, Airflow's own `common.compat`.

    evaluate = EvaluatorOperator(
        task_id="evaluate",
        spec={
            "examples": "/data/eval/*.parquet",
            "config": "/models/eval.yaml",
            "model": "/models/candidate",
            "output": "/evaluations/{{ run_id }}",
        },
        python="/opt/tensorflow/bin/python",
        asset="file:///models/candidate",
    )
    evaluate >> push  # which is skipped unless the model is blessed
"""

from __future__ import annotations

import collections
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from benison.errors import ConfigError, MissingExtraError
from benison.evaluation.spec import read_spec

try:
    from airflow.providers.common.compat.sdk import (
        AirflowException,
        AirflowFailException,
        Asset,
        AssetAlias,
        BaseBranchOperator,
        BaseHook,
        BaseOperator,
        BaseOperatorLink,
        SkipMixin,
        XCom,
    )
except ImportError as error:
    raise MissingExtraError("Airflow, or its newer common.compat,", "airflow") from error

ON_NOT_BLESSED = ("skip", "fail", "continue")
_REPORT = "benison_report"
_SHOWN_REASONS = 20
_SHOWN_LINES = 50
_PATIENCE_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1  # from linux/prctl.h


class MetadataHook(BaseHook):
    """The ML Metadata store that a connection names; its extras are the options after the `?`.

        AIRFLOW_CONN_BENISON_METADATA=sqlite:////var/lib/benison/metadata.db?create=true
        AIRFLOW_CONN_BENISON_METADATA=mysql://benison:secret@db:3306/metadata

    A connection of type `benison_metadata` is a MySQL database if it has a host, and otherwise the SQLite
    file in its schema.
    """

    conn_name_attr = "metadata_conn_id"
    default_conn_name = "benison_metadata"
    conn_type = "benison_metadata"
    hook_name = "ML Metadata (Benison)"

    def __init__(self, metadata_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.metadata_conn_id = metadata_conn_id

    def get_conn(self) -> str:
        """The URL of the store, as `benison.evaluate` takes it for `metadata`."""
        found = self.get_connection(self.metadata_conn_id)
        options = f"?{urlencode(found.extra_dejson)}" if found.extra_dejson else ""
        is_ours = found.conn_type == self.conn_type
        if found.conn_type == "sqlite" or (is_ours and not found.host):
            return f"sqlite:///{quote(found.host or found.schema or '')}{options}"
        place = f"{found.host or ''}:{found.port}" if found.port else found.host or ""
        if found.conn_type == "grpc":
            return f"grpc://{place}{options}"
        login = f"{quote(found.login or '', '')}:{quote(found.password or '', '')}"
        return f"mysql://{login}@{place}/{quote(found.schema or '')}{options}"


class ReportLink(BaseOperatorLink):
    """The button of a task instance that opens the report."""

    name = "Benison report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address that the task has left."""
        return XCom.get_value(key=_REPORT, ti_key=ti_key) or ""


class BaseEvaluatorOperator(BaseOperator, SkipMixin):
    """What an operator that evaluates does with a spec and a verdict, wherever the evaluation runs.

    The verdict is the task's XCom: `status`, `summary`, `reasons` (the first 20), `output`, `report`,
    `model` and `run`, the key under which all tries of a task instance are one run. An evaluation that
    cannot be done fails the task, with the reason in the log; a retry does it again.

    Args:
        spec: The arguments of `benison.evaluate`; templates in it are rendered. A run of the DAG needs an
            `output` of its own, such as one with `{{ run_id }}` in it. A task that is run again replaces
            what it wrote, unless the spec says `"overwrite": False`.
        on_not_blessed: `skip` skips the tasks right after this one, as a short circuit does; `fail` fails
            without a retry; `continue` leaves it to a `BlessedBranchOperator` or to the tasks themselves.
        asset: An asset (on Airflow 2 a dataset) that gets an event when the model is blessed, and only
            then; the verdict is its extra.
        metadata_conn_id: The connection of the ML Metadata store where it is recorded, as a run of a pipeline
            that has the name of the DAG.
        report_url: The address of the report for the web page; default: the file in `output`.

    Raises:
        ConfigError: The spec has a field that `benison.evaluate` does not, or `on_not_blessed` is unknown.
    """

    template_fields: Sequence[str] = ("spec", "metadata_conn_id", "report_url")
    template_fields_renderers = {"spec": "json"}
    operator_extra_links = (ReportLink(),)
    inherits_from_skipmixin = True
    ui_color = "#e8f0d8"

    def __init__(
        self,
        *,
        spec: Mapping[str, Any],
        on_not_blessed: str = "skip",
        asset: Any = None,
        metadata_conn_id: str | None = None,
        report_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.asset = Asset(asset) if isinstance(asset, str) else asset
        if asset is not None:
            kwargs["outlets"] = [*(kwargs.get("outlets") or ()), _alias(self.asset)]
        super().__init__(**kwargs)
        self.spec = spec
        self.on_not_blessed = on_not_blessed
        self.metadata_conn_id = metadata_conn_id
        self.report_url = report_url
        if on_not_blessed not in ON_NOT_BLESSED:
            known = ", ".join(ON_NOT_BLESSED)
            raise ConfigError(f"on_not_blessed is {on_not_blessed!r}; it may be {known}.")
        if isinstance(spec, Mapping):
            read_spec(spec)

    def execute(self, context: Any) -> dict[str, Any]:
        """Evaluate, and act on the verdict."""
        return self.conclude(context, self.evaluate(context))

    def evaluate(self, context: Any) -> Mapping[str, Any] | None:
        """Run `benison evaluate` with the `full_spec`; what is in the output's verdict.json."""
        raise NotImplementedError

    def full_spec(self, context: Any) -> dict[str, Any]:
        """The spec, with what this task instance adds to it."""
        spec: dict[str, Any] = {"overwrite": True}
        if self.metadata_conn_id:
            url = MetadataHook(self.metadata_conn_id).get_conn()
            spec |= {"metadata": url, "pipeline": self.dag_id, "run": run_key(context)}
        return read_spec({**spec, **self.spec})

    def conclude(self, context: Any, verdict: Mapping[str, Any] | None) -> dict[str, Any]:
        """Say the verdict in the log, in XCom, to the asset, and to what comes after."""
        if not verdict:
            raise AirflowException(f"There is no verdict.json in {self.spec['output']}.")
        report = Path(self.spec["output"], "report.html").absolute().as_uri()
        told = {
            "status": verdict["status"],
            "summary": verdict["summary"],
            "reasons": verdict["reasons"][:_SHOWN_REASONS],
            "output": self.spec["output"],
            "report": self.report_url or report,
            "model": self.spec.get("model"),
            "run": run_key(context),
        }
        self.log.info(verdict["summary"])
        for reason in told["reasons"]:
            self.log.error(reason)
        if more := len(verdict["reasons"]) - len(told["reasons"]):
            self.log.error("and %d more failures, in verdict.json", more)
        context["ti"].xcom_push(key=_REPORT, value=told["report"])
        context["ti"].xcom_push(key="return_value", value=told)
        if verdict["status"] != "blessed":
            self._hold(context, told)
        elif self.asset is not None:
            # Airflow 2 puts the values of an alias's event in a set, which cannot hold lists.
            extra = {key: value for key, value in told.items() if isinstance(value, str)}
            context["outlet_events"][_alias(self.asset)].add(self.asset, extra=extra)
        return told

    def _hold(self, context: Any, told: Mapping[str, Any]) -> None:
        if self.on_not_blessed == "fail":
            raise AirflowFailException("\n".join([told["summary"], *told["reasons"]]))
        if self.on_not_blessed == "skip":
            self.skip_all_except(context["ti"], None)


class EvaluatorOperator(BaseEvaluatorOperator):
    """Evaluates a model in a child process, and goes on with what comes after when it is blessed.

    Args:
        python: The Python to evaluate with, in which Benison is installed; default: the worker's.
        kwargs: As `BaseEvaluatorOperator`.
    """

    template_fields = (*BaseEvaluatorOperator.template_fields, "python")
    _child: subprocess.Popen[bytes] | None = None

    def __init__(self, *, python: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.python = python

    def evaluate(self, context: Any) -> dict[str, Any]:
        """Run `benison evaluate` as a child process, whose words go to the log.

        Raises:
            AirflowException: It failed; the message is its reason.
        """
        spec = self.full_spec(context)
        self._child = subprocess.Popen(
            [self.python or sys.executable, "-m", "benison", "evaluate"],
            env={**os.environ, "BENISON_SPEC": json.dumps(spec)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        said: collections.deque[str] = collections.deque(maxlen=_SHOWN_LINES)
        with self._child:
            for line in self._child.stdout or ():
                said.append(line.decode(errors="replace").rstrip())
                self.log.info(said[-1])
        if self._child.returncode:
            raise AirflowException(_reason(self._child.returncode, "\n".join(said)))
        return dict(json.loads(Path(spec["output"], "verdict.json").read_text(encoding="utf-8")))

    def on_kill(self) -> None:
        """End the evaluation and every process that it has started."""
        if self._child is None or self._child.poll() is not None:
            return
        os.killpg(self._child.pid, signal.SIGTERM)
        try:
            self._child.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)


class BlessedBranchOperator(BaseBranchOperator):
    """Follows one of two ways, by a verdict.

        BlessedBranchOperator(
            task_id="gate", verdict=evaluate.output, blessed="push", otherwise="alert"
        )

    Args:
        verdict: The XCom of an `EvaluatorOperator`, whose `on_not_blessed` is `continue`.
        blessed: The task, task group or tasks right after this one to follow when the model is blessed.
        otherwise: What to follow when it is not; default: nothing.
    """

    template_fields: Sequence[str] = ("verdict",)

    def __init__(self, *, verdict: Any, blessed: Any, otherwise: Any = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verdict = verdict
        self.blessed = blessed
        self.otherwise = otherwise

    def choose_branch(self, context: Any) -> Any:
        """The tasks to follow."""
        return self.blessed if self.verdict["status"] == "blessed" else self.otherwise


def run_key(context: Any) -> str:
    """The name of a task instance, the same in each of its tries."""
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"


def _alias(asset: Any) -> Any:
    """What stands for an asset among the outlets: an asset has an event after each success, an alias not."""
    return AssetAlias(f"blessed {asset.uri}")


def _reason(code: int, said: str) -> str:
    """Why a child process failed, in its own words."""
    refused = re.search(r"^error: (.+)", said, re.MULTILINE | re.DOTALL)
    if refused:
        return refused[1]
    how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return f"The evaluation {how}.\n{said}"


def _die_with_parent() -> None:
    """Have the kernel end this process with the task's, which a SIGKILL gives no time to do it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
