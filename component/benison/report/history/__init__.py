# SPDX-License-Identifier: Apache-2.0
"""The page of a metric over several results."""

from benison.report.history.build import render

__all__ = ["render"]
