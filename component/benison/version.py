# SPDX-License-Identifier: Apache-2.0
"""The version of Benison, the same as in pyproject.toml."""

from __future__ import annotations

VERSION = "0.1.0"
