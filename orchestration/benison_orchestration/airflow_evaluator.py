# SPDX-License-Identifier: Apache-2.0
"""The operator that evaluates in a child process, of the worker or of the triggerer."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any

from benison_orchestration.airflow_base import BaseEvaluatorOperator
from benison_orchestration.airflow_process import PythonOperatorBase, evaluation, returned
from benison_orchestration.airflow_trigger import EvaluationTrigger


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
            deadline = self.deadline()
            self.wait_for(EvaluationTrigger(spec, process, self.metadata_conn_id, deadline))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            process["secrets"] = self.secrets_of_store()
            self._child = evaluation(spec, process, folder, self.log.info)
            return returned(self._child, self._child.run(), folder)
