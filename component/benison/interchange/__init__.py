# SPDX-License-Identifier: Apache-2.0
"""This file is the interchange with TFMA: its result files, written and read without TFMA."""

from benison.interchange.reader import Parts, is_output, read
from benison.interchange.writer import TfmaWriter

__all__ = ["Parts", "TfmaWriter", "is_output", "read"]
