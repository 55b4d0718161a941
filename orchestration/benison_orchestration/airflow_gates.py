# SPDX-License-Identifier: Apache-2.0
"""Operators that act on a verdict: a branch, a sensor, and the commands verify, bless and revoke."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from benison.errors import ConfigError, suggestion
from benison_orchestration.airflow_hook import MetadataHook
from benison_orchestration.airflow_process import AwayException, PythonOperatorBase, failure
from benison_orchestration.airflow_sdk import (
    AirflowFailException,
    AirflowSkipException,
    BaseBranchOperator,
    BaseSensorOperator,
    PokeReturnValue,
    XComArg,
)
from benison_orchestration.airflow_verdicts import check_choice, choose

_CHOSEN = "verdict"
_LIMIT = "10000"  # of the newest verdicts of a pipeline, among which a sensor looks for a model
_MEANWHILE = ("wait", "fail", "skip")
# How the commands say that there is nothing yet.
_NO_PIPELINE, _NO_OUTPUT = "has no pipeline", "is not an output of Benison"


class BlessedBranchOperator(BaseBranchOperator):
    """Follows one of two ways, by a verdict or by those of a mapped task.

        gate = BlessedBranchOperator(
            task_id="gate", verdict=evaluate.output, when="best", by="auc", blessed="push"
        )
        push(gate.chosen)

    Args:
        verdict: The XCom of an `EvaluatorOperator` whose `on_not_blessed` is `continue`; a list of them, or a
            mapped one's.
        blessed: The task, task group or tasks right after this one to follow when the model is blessed.
        otherwise: What to follow when it is not; default: nothing. Teardowns are followed both ways.
        when: Of several verdicts: `all` or `any` must be blessed; `best` follows the blessed one that has the
            best value of `by`. Several verdicts without it fail the task.
        by: The metric to compare, as it is called in the verdict's `metrics`.
        least: Whether its least value is the best.
        undecided: Whether the way is open to a model that is blessed while checks of it with
            `evidence: worse` are undecided.
        kwargs: As `BaseOperator`.

    Raises:
        ConfigError: `when` is unknown, or does not go with `by`.
    """

    template_fields: Sequence[str] = ("verdict",)

    def __init__(  # noqa: PLR0913 - what a choice can be told
        self,
        *,
        verdict: Any,
        blessed: Any,
        otherwise: Any = (),
        when: str | None = None,
        by: str | None = None,
        least: bool = False,
        undecided: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice(when, by)
        self.verdict = verdict
        self.blessed = blessed
        self.otherwise = otherwise
        self.when = when
        self.by = by
        self.least = least
        self.undecided = undecided

    @property
    def chosen(self) -> Any:
        """The verdict that opened the way, for the tasks on it: of `all` and `any`, a list."""
        return XComArg(self, key=_CHOSEN)

    def choose_branch(self, context: Any) -> Any:
        """The tasks to follow."""
        try:
            opened = choose(self.verdict, self.when, self.by, self.least, self.undecided)
        except ConfigError as error:
            raise AirflowFailException(str(error)) from error
        context["ti"].xcom_push(key=_CHOSEN, value=opened)
        way = self.otherwise if opened is None else self.blessed
        after = context["task"].get_direct_relatives(upstream=False)
        teardowns = [task.task_id for task in after if task.is_teardown]
        return [*([way] if isinstance(way, str) else way), *teardowns]


class StoreOperatorBase(PythonOperatorBase):
    """What an operator on the history of a pipeline takes.

    Args:
        pipeline: The pipeline; default: the name of the DAG.
        metadata_conn_id: The connection of the metadata store.
        kwargs: As `PythonOperatorBase`; its Python needs what the store needs, such as `benison[mlmd]`.
    """

    template_fields: Sequence[str] = (
        *PythonOperatorBase.template_fields,
        "pipeline",
        "metadata_conn_id",
    )

    def __init__(
        self,
        *,
        pipeline: str | None = None,
        metadata_conn_id: str = MetadataHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.metadata_conn_id = metadata_conn_id

    def ask_store(self, *words: str) -> tuple[int, Any]:
        """Run a command on the store; its exit code, and the document that it printed."""
        hook = MetadataHook(self.metadata_conn_id)
        variables = {
            "BENISON_METADATA": hook.url,
            "BENISON_PIPELINE": self.pipeline or self.dag_id,
            **hook.secrets,
        }
        return self.run_command(*words, variables=variables)


class BlessedSensor(BaseSensorOperator, StoreOperatorBase):
    """Waits until a model is blessed: by an evaluation, or by somebody's override.

    With `mode="reschedule"` it holds no worker between two looks. What it returns is the blessing.

    Args:
        model: The model as its evaluation named it, the output of the evaluation, or the id of either in the
            metadata store.
        evaluation: In place of the store, the output of an evaluation; it must be whole and unchanged, as
            must the model.
        on_not_blessed: When the newest verdict is against it: `wait` for a better one, `fail` or `skip`.
        kwargs: As `BaseSensorOperator` and `StoreOperatorBase`.

    Raises:
        ConfigError: Not one of `model` and `evaluation` is given, or `on_not_blessed` is unknown.
    """

    template_fields = (*StoreOperatorBase.template_fields, "model", "evaluation")

    def __init__(
        self,
        *,
        model: str | None = None,
        evaluation: str | None = None,
        on_not_blessed: str = "wait",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.evaluation = evaluation
        self.on_not_blessed = on_not_blessed
        if (model is None) == (evaluation is None):
            raise ConfigError("Give a model, whose verdict is in the store, or an evaluation.")
        if on_not_blessed not in _MEANWHILE:
            cure = suggestion(on_not_blessed, _MEANWHILE)
            raise ConfigError(f"on_not_blessed is {on_not_blessed!r}. {cure}")

    def poke(self, context: Any) -> Any:
        """Look once; what is away now is looked for another time."""
        try:
            blessing = self._of_files() if self.evaluation else self._of_store(str(self.model))
        except AwayException as error:
            self.log.warning("%s", error)
            return PokeReturnValue(False)
        if blessing is None or blessing["status"] == "blessed":
            return PokeReturnValue(blessing is not None, blessing)
        text = f"{self.evaluation or self.model} is {blessing['status'].replace('_', ' ')}."
        if self.on_not_blessed == "fail":
            raise AirflowFailException(text)
        if self.on_not_blessed == "skip":
            raise AirflowSkipException(text)
        self.log.info(text)
        return PokeReturnValue(False)

    def _of_files(self) -> dict[str, Any] | None:
        code, document = self.run_command("verify", "--", str(self.evaluation), variables={})
        if code == 2 and _NO_OUTPUT in document["error"]:
            return None
        _check(code, document)
        return {"status": document["verdict"], "uri": self.evaluation}

    def _of_store(self, model: str) -> dict[str, Any] | None:
        code, document = self.ask_store("blessings", "--limit", _LIMIT)
        if code == 2 and _NO_PIPELINE in document["error"]:
            return None
        _check(code, document)
        names = {model, os.path.abspath(model)}
        newest_first = (each for each in document if names & _names(each))
        return next(newest_first, None)


class VerifyOperator(PythonOperatorBase):
    """Checks right before a model is served that it is blessed, and byte for byte what was judged.

    Args:
        evaluation: The output of its evaluation.
        model: The model that is about to be served; default: where the evaluated one was.
        metadata_conn_id: The metadata store that must have recorded it, and not revoked it since; None asks
            no store.
        kwargs: As `PythonOperatorBase`.
    """

    template_fields: Sequence[str] = (
        *PythonOperatorBase.template_fields,
        "evaluation",
        "model",
        "metadata_conn_id",
    )

    def __init__(
        self,
        *,
        evaluation: str,
        model: str | None = None,
        metadata_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.evaluation = evaluation
        self.model = model
        self.metadata_conn_id = metadata_conn_id

    def execute(self, context: Any) -> str:
        """Verify; the verdict, which is `blessed`."""
        words = ["--model", self.model] if self.model else []
        secrets: dict[str, str] = {}
        if self.metadata_conn_id:
            hook = MetadataHook(self.metadata_conn_id)
            words += ["--metadata", hook.url]
            secrets = hook.secrets
        code, document = self.run_command(
            "verify", *words, "--", self.evaluation, variables=secrets
        )
        _check(code, document)
        if document["verdict"] != "blessed":
            verdict = document["verdict"].replace("_", " ")
            raise AirflowFailException(f"The model of {self.evaluation} is {verdict}.")
        return str(document["verdict"])


class _Decision(StoreOperatorBase):
    """A decision of somebody's, on record."""

    template_fields: Sequence[str] = (*StoreOperatorBase.template_fields, "target", "by", "reason")

    def __init__(self, *, target: str, by: str, reason: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target = target
        self.by = by
        self.reason = reason

    def decide(self, *words: str) -> Any:
        """Run the command; what it answers."""
        options = (f"--by={self.by}", f"--reason={self.reason}")
        code, document = self.ask_store(*words, *options, "--", self.target)
        _check(code, document)
        return document


class BlessOperator(_Decision):
    """Blesses a model against its verdict, on record: who, why, until when.

    Without `until` it takes a revocation back too, for later runs.

    Args:
        target: The output of its evaluation, the model, or the id of either in the metadata store.
        by: Who decides, such as who has approved in a task before this one.
        reason: Why.
        until: When the blessing ends: a day, which is 00:00 UTC of it, or a time in ISO 8601, in UTC without
            an offset; default: never.
        kwargs: As `StoreOperatorBase`.
    """

    template_fields = (*_Decision.template_fields, "until")

    def __init__(self, *, until: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.until = until

    def execute(self, context: Any) -> Any:
        """Bless; the blessing."""
        until = [f"--until={self.until}"] if self.until else []
        return self.decide("bless", "--override", *until)


class RevokeOperator(_Decision):
    """Takes back every blessing of a model, on record, and lets no later run bless it or a copy of it.

    Args:
        target: The output of its evaluation, the model, or the id of either in the metadata store.
        by: Who decides.
        reason: Why.
        kwargs: As `StoreOperatorBase`.
    """

    def execute(self, context: Any) -> Any:
        """Revoke; the blessings that were taken back."""
        return self.decide("revoke")


def _check(code: int, document: Any) -> None:
    """Raise what a command has refused; 1 is a verdict."""
    if code > 1 or code < 0:
        raise failure(code, f"error: {document['error']}")


def _names(blessing: Mapping[str, Any]) -> set[str]:
    return {str(blessing[name]) for name in ("model", "model_id", "uri", "id")}
