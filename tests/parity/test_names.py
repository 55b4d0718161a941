# SPDX-License-Identifier: Apache-2.0
"""Every metric of TFMA and of Keras is one of ours, or is called theirs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benison.errors import ConfigError
from benison.metrics import from_config, registered
from benison.metrics.groups import GROUPS

pytestmark = pytest.mark.parity


def said_of(name: str) -> str:
    with pytest.raises(ConfigError) as raised:
        from_config(name, {})
    return str(raised.value)


def test_every_metric_of_tfma_is_known() -> None:
    types: Any = pytest.importorskip("tensorflow_model_analysis.metrics.metric_types")
    theirs = sorted(set(types.registered_metrics()) - {*registered(), *GROUPS})
    for name in theirs:
        assert f"{name} is a metric of TFMA" in said_of(name)


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_every_metric_and_loss_of_keras_is_known(package: str) -> None:
    metrics = pytest.importorskip(f"{package}.metrics")
    losses = pytest.importorskip(f"{package}.losses")
    bases = {"Loss", "Metric", "MeanMetricWrapper", "Reduction"}
    names = {name for of in (metrics, losses) for name in dir(of) if name[0].isupper()}
    for name in sorted(names - bases - set(registered())):
        message = said_of(name)
        assert (
            re.search(
                "Keras( and scikit-learn)? (that Benison does not|.*is not computed)", message
            )
            or "Did you mean" in message
        ), message
