# SPDX-License-Identifier: Apache-2.0
"""The exit codes of the command beside `errors.AGAIN`; 0 is blessed, or no gate asked."""

from __future__ import annotations

NOT_BLESSED, WRONG, CRASHED = 1, 2, 3
