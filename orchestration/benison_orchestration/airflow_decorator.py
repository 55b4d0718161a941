# SPDX-License-Identifier: Apache-2.0
"""The decorator `@task.benison`: a function that returns a spec becomes a task that evaluates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benison.errors import ConfigError
from benison_orchestration.airflow_evaluator import EvaluatorOperator
from benison_orchestration.airflow_sdk import (
    AirflowFailException,
    DecoratedOperator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)
from benison_orchestration.airflow_spec import check, plain


class BenisonDecoratedOperator(DecoratedOperator, EvaluatorOperator):
    """Evaluates by the spec that a function returns, whose templates are rendered.

    Args:
        python_callable: The function; its arguments may be what other tasks return, or names in Airflow's
            context.
        kwargs: As `EvaluatorOperator`, without a spec.
    """

    custom_operator_name = "@task.benison"
    overwrite_rtif_after_execution = True
    template_fields = (*DecoratedOperator.template_fields, *EvaluatorOperator.template_fields)
    template_fields_renderers = {
        **DecoratedOperator.template_fields_renderers,
        **EvaluatorOperator.template_fields_renderers,
    }

    def __init__(self, *, python_callable: Callable[..., Any], **kwargs: Any) -> None:
        if "spec" in kwargs:
            raise ConfigError("The spec of @task.benison is what the function returns.")
        super().__init__(python_callable=python_callable, spec="", **kwargs)

    def check_spec(self) -> None:
        """Nothing is known of it before the function has run."""

    def evaluate(self, context: Any) -> Mapping[str, Any]:
        context_merge(context, self.op_kwargs)
        arguments = determine_kwargs(self.python_callable, self.op_args, context)
        try:
            self.spec = plain(self.python_callable(*self.op_args, **arguments))
            check(self.spec, has_output=True)
        except ConfigError as error:
            raise AirflowFailException(str(error)) from error
        self.render_template_fields(context)
        return super().evaluate(context)


def benison_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """The decorator, which Airflow calls `task.benison`.

    Args:
        python_callable: The function to decorate.
        kwargs: As `EvaluatorOperator`.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        decorated_operator_class=BenisonDecoratedOperator,
        **kwargs,
    )
