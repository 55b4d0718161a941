# SPDX-License-Identifier: Apache-2.0
"""The interchange with TFMA: its result files, written and read without TFMA."""

from benison.tfma.reader import Parts, is_output, read
from benison.tfma.writer import TfmaWriter

__all__ = ["Parts", "TfmaWriter", "is_output", "read"]
