# SPDX-License-Identifier: Apache-2.0
"""The names that the adapter takes from Airflow 2.11 and 3, as Airflow's `common.compat` has them.

It is imported from here alone, so that whoever has no Airflow is told what to install.
"""

from __future__ import annotations

from benison.errors import MissingExtraError

try:
    from airflow.providers.common.compat.sdk import (
        AirflowException,
        AirflowFailException,
        AirflowSkipException,
        Asset,
        AssetAlias,
        BaseBranchOperator,
        BaseHook,
        BaseOperator,
        BaseOperatorLink,
        BaseSensorOperator,
        DecoratedOperator,
        PokeReturnValue,
        SkipMixin,
        TaskDeferred,
        XCom,
        XComArg,
        conf,
        context_merge,
        determine_kwargs,
        task_decorator_factory,
    )
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
    from airflow.triggers.base import BaseTrigger, TriggerEvent
    from asgiref.sync import sync_to_async
except ImportError as error:
    raise MissingExtraError("Airflow, or its newer common.compat,", "airflow") from error

__all__ = [
    "AIRFLOW_V_3_0_PLUS",
    "AirflowException",
    "AirflowFailException",
    "AirflowSkipException",
    "Asset",
    "AssetAlias",
    "BaseBranchOperator",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "BaseTrigger",
    "DecoratedOperator",
    "PokeReturnValue",
    "SkipMixin",
    "TaskDeferred",
    "TriggerEvent",
    "XCom",
    "XComArg",
    "conf",
    "context_merge",
    "determine_kwargs",
    "sync_to_async",
    "task_decorator_factory",
]
