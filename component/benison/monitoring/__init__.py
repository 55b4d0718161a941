# SPDX-License-Identifier: Apache-2.0
"""Watches a model over time: which slice became worse, since when, by how much."""

from benison.monitoring.alerts import Alert, MonitorReport
from benison.monitoring.kinds import DETECTORS
from benison.monitoring.watching import monitor

__all__ = ["DETECTORS", "Alert", "MonitorReport", "monitor"]
