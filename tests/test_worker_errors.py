# SPDX-License-Identifier: Apache-2.0
"""Errors of workers and engines, as they reach whoever waits: no words, no file and no full stop is lost."""

from __future__ import annotations

import pickle

import pytest

import benison
from benison.engine.worker_errors import ended, portable


class UnpicklableError(Exception):
    """Holds what cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("broken")
        self.held = lambda: None


def test_an_error_that_cannot_travel_keeps_its_words_and_its_file() -> None:
    arrived = pickle.loads(pickle.dumps(portable(UnpicklableError(), "data/7.csv")))
    assert str(arrived) == "UnpicklableError: broken"
    assert arrived.__notes__ == ["This happened with rows of data/7.csv."]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Job aborted", "Spark ended the job: Job aborted. Try again."),
        ("Job aborted.", "Spark ended the job: Job aborted. Try again."),
        ("", "Spark ended the job: it does not say why. Try again."),
    ],
)
def test_an_engine_that_ends_a_job_says_so_in_sentences(reason: str, words: str) -> None:
    error = ended("Spark", reason, reason, "Try again.", "spark.pyspark.python")
    assert isinstance(error, benison.RunnerError)
    assert str(error) == words


def test_workers_without_benison_are_told_apart_from_those_that_are_killed() -> None:
    message = "Traceback:\n  import\nModuleNotFoundError: No module named 'benison'\n at java"
    words = str(ended("Flink", message, "at java", "Try again.", "python.executable"))
    assert words.startswith("Flink ended the job: its workers have no module 'benison'. ")
    assert "--conf=python.executable=PATH" in words
    assert "Try again." not in words
