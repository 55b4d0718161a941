# SPDX-License-Identifier: Apache-2.0
"""This file is the one job as a function: read, extract, evaluate, validate, write, bless."""

from __future__ import annotations

import dataclasses
import datetime
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from benison.config import EvalConfig
from benison.engine import local
from benison.engine.check import check_config
from benison.engine.evaluate import Accumulator, check_rows
from benison.engine.extract import Extractor, PredictionsExtractor, default_extractors
from benison.engine.outcome import Outcome
from benison.engine.plan import Plan
from benison.engine.read import Dataset
from benison.errors import ConfigError
from benison.results import EvalResult
from benison.validation import validate


class Progress(Protocol):
    """Hears how far an evaluation has come."""

    def __call__(self, stage: str, rows: int, total: int | None) -> None:
        """`stage` has taken in `rows` of `total` rows; `total` is None while it is not known."""


def _silent(stage: str, rows: int, total: int | None) -> None:
    """The progress of a program that did not ask for it."""


