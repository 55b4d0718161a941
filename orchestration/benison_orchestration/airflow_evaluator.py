# SPDX-License-Identifier: Apache-2.0
"""The operator that evaluates in a child process, of the worker or of the triggerer."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from benison_orchestration.airflow_base import BaseEvaluatorOperator
from benison_orchestration.airflow_process import PythonOperatorBase, evaluation, failure, returned
from benison_orchestration.airflow_trigger import EvaluationTrigger

# What Airflow waits beyond the trigger, which ends its evaluation in time and says so.
_GRACE = timedelta(seconds=60)


class EvaluatorOperator(BaseEvaluatorOperator, PythonOperatorBase):
    """Evaluates a model in a child process, and goes on with what comes after when it is blessed.

    Args:
        deferrable: Run the process beside the triggerer, and hold no worker meanwhile: for an engine that
            works elsewhere, such as Beam on Flink or Dataflow, or a triggerer with cores to spare.
        kwargs: As `BaseEvaluatorOperator` and `PythonOperatorBase`.
    """

    template_fields = (
        *BaseEvaluatorOperator.template_fields,
        *PythonOperatorBase.template_fields,
    )
    template_fields_renderers = {
        **PythonOperatorBase.template_fields_renderers,
        **BaseEvaluatorOperator.template_fields_renderers,
    }

    def __init__(self, *, deferrable: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

    def evaluate(self, context: Any) -> Mapping[str, Any]:
        spec, process = self.full_spec(context), self.process()
        if self.deferrable:
            self._defer(spec, process)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            process["secrets"] = self.secrets_of_store()
            self._child = evaluation(spec, process, folder, self.log.info)
            return returned(self._child, self._child.run(), folder)

    def _defer(self, spec: Mapping[str, Any], process: Mapping[str, Any]) -> None:
        limit = self.execution_timeout
        deadline = None if limit is None else time.time() + limit.total_seconds()
        trigger = EvaluationTrigger(spec, process, self.metadata_conn_id, deadline)
        timeout = None if limit is None else limit + _GRACE
        self.defer(trigger=trigger, method_name=self.resume.__name__, timeout=timeout)

    def resume(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """Act on what the trigger's process came to."""
        if event["code"]:
            raise failure(event["code"], event["text"])
        return self.conclude(context, event["outcome"])
