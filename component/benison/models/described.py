# SPDX-License-Identifier: Apache-2.0
"""Loads models that a folder describes: by a command that scores, or by the address of a server."""

from __future__ import annotations

from pathlib import Path

from benison.errors import ModelError
from benison.models.command import CommandPredictor
from benison.models.descriptions import description
from benison.models.endpoint import EndpointPredictor
from benison.models.predictor import LoadOptions, Predictor


def load(path: Path, options: LoadOptions) -> Predictor:
    """The model that a folder describes.

    Raises:
        ModelError: It runs a command, and that is not trusted; or the server cannot be asked.
    """
    described = description(path)
    if described.url:
        return EndpointPredictor(described, options)
    if not options.trust_pickle:
        raise ModelError(
            f"{path} runs a command: {' '.join(described.command)}. If you trust where it comes from, say "
            "so: --trust-pickle (trust_pickle=True)."
        )
    return CommandPredictor(path, described, options)
