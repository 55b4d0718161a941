# SPDX-License-Identifier: Apache-2.0
"""The names that the examples of the pages take from a reader's own pipeline."""

# Annotations are evaluated, because kfp reads them.
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _pipeline(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """The components around the Evaluator, for the pages that show hosts."""
    if request.path.name not in ("hosts.md", "tfx.md"):
        return
    from kfp import dsl
    from tfx.types import channel_utils, standard_artifacts

    def outputs(**artifacts: Any) -> SimpleNamespace:
        channels = {name: channel_utils.as_channel([kind()]) for name, kind in artifacts.items()}
        return SimpleNamespace(outputs=channels)

    def train(held_out: dsl.Output[dsl.Dataset], model: dsl.Output[dsl.Model]) -> None:
        """Train a model."""

    def push(model: dsl.Input[dsl.Model]) -> None:
        """Serve a model."""

    doctest_namespace |= {
        "example_gen": outputs(examples=standard_artifacts.Examples),
        "trainer": outputs(model=standard_artifacts.Model),
        "resolver": outputs(model=standard_artifacts.Model),
        "eval_config": {
            "model_specs": [{"label_key": "tipped"}],
            "metrics_specs": [{"metrics": [{"class_name": "AUC"}]}],
        },
        "train": dsl.component(train, base_image="python:3.13"),
        "push": dsl.component(push, base_image="python:3.13"),
    }
