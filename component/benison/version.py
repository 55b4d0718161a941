# SPDX-License-Identifier: Apache-2.0
"""The version, as pyproject.toml says it too."""

from __future__ import annotations

VERSION = "0.1.0"
