# SPDX-License-Identifier: Apache-2.0
"""Tells the Evaluator, before it runs, what people have revoked in the store of its pipeline.

The executor reaches no store. What the driver adds is a parameter of the execution, so that TFX takes no
verdict from its cache that was made before a revocation.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from benison.errors import MissingExtraError

try:
    from tfx.dsl.components.base import base_driver
    from tfx.orchestration.portable import base_driver as portable_driver
    from tfx.proto.orchestration import driver_output_pb2
except ImportError as error:
    raise MissingExtraError("TFX", "tfx") from error

REVOCATIONS = "benison_revocations"
"""The parameter; it is there only where something was revoked."""


class Driver(base_driver.BaseDriver, portable_driver.BaseDriver):  # type: ignore[misc]
    """A driver for TFX's runners, and for its InteractiveContext, which calls the older of the two."""

    def __init__(self, metadata_handle: Any) -> None:
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: Any) -> Any:
        """What is added to the parameters of an execution."""
        output = driver_output_pb2.DriverOutput()
        with self._mlmd_connection as metadata:
            revoked = _revoked(metadata.store, execution_info.pipeline_info.id)
        for name, text in revoked.items():
            output.exec_properties[name].string_value = text
        return output

    def resolve_exec_properties(
        self, exec_properties: dict[str, Any], pipeline_info: Any, component_info: Any
    ) -> dict[str, Any]:
        """The parameters of an execution in an InteractiveContext."""
        revoked = _revoked(self._metadata_handle.store, pipeline_info.pipeline_name)
        return {**exec_properties, **revoked}


def _revoked(store: Any, pipeline: str) -> dict[str, str]:
    from benison.lineage import revocations

    known = revocations.of_pipeline(store, pipeline)
    return {REVOCATIONS: json.dumps([*map(dataclasses.asdict, known)])} if known else {}
