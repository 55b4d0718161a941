# SPDX-License-Identifier: Apache-2.0
"""The parameters, inputs and outputs of TFX's own Evaluator, which Benison's has too."""

from __future__ import annotations

import inspect

import pyarrow as pa
import pytest

pytest.importorskip("tfx")

from apache_beam.coders import registry
from apache_beam.internal import pickler
from tfx.components.evaluator.component import Evaluator as Theirs
from tfx.types.standard_component_specs import EvaluatorSpec

from benison.evaluator.component import Evaluator

pytestmark = pytest.mark.slow


def test_the_parameters_are_those_of_tfx_in_their_order() -> None:
    ours, theirs = (inspect.signature(each.__init__).parameters for each in (Evaluator, Theirs))
    assert [(p.name, p.default, p.kind) for p in ours.values()] == [
        (p.name, p.default, p.kind) for p in theirs.values()
    ]


def test_beam_can_pickle_what_tfx_registers_for_record_batches() -> None:
    """TFX is imported above, and TFDV with it."""
    coder = registry.get_coder(pa.RecordBatch)
    batch = pa.record_batch({"fare": [3.0, None]})
    assert pickler.roundtrip(coder.decode)(coder.encode(batch)).equals(batch)


def test_the_channels_are_those_of_tfx() -> None:
    spec = Evaluator.SPEC_CLASS
    assert {n: (c.type, c.optional) for n, c in spec.INPUTS.items()} == {
        n: (c.type, c.optional) for n, c in EvaluatorSpec.INPUTS.items()
    }
    assert {n: c.type for n, c in spec.OUTPUTS.items()} == {
        n: c.type for n, c in EvaluatorSpec.OUTPUTS.items()
    }
    # What describes estimators' models is refused, with the reason; the other is set and read by nobody.
    unused = {"feature_slicing_spec", "add_split_name"}
    assert {*spec.PARAMETERS} == {*EvaluatorSpec.PARAMETERS} - unused
