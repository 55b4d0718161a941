# SPDX-License-Identifier: Apache-2.0
"""Watches a model over time: which slice became worse, since when, by how much."""

from benison.monitoring.alerts import Alert, MonitorReport
from benison.monitoring.column_drift import monitor_columns
from benison.monitoring.kinds import DETECTORS
from benison.monitoring.streams import monitor_stream
from benison.monitoring.watching import Watch, monitor

__all__ = [
    "DETECTORS",
    "Alert",
    "MonitorReport",
    "Watch",
    "monitor",
    "monitor_columns",
    "monitor_stream",
]
