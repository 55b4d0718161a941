# SPDX-License-Identifier: Apache-2.0
"""SavedModels of TensorFlow whose message is damaged, field by field or byte by byte: loaded and called.

The oracle: a model that is not damaged predicts what its weights say.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from benison import models
from tests.fuzz import texts
from tests.fuzz.cases import Case, WrongError

_FEATURES = pa.RecordBatch.from_pydict({"x": [0.0, 1.0, 2.5], "y": [1.0, 1.0, 0.0]})
_TEXTS = (
    b"",
    b"x",
    b"WriteFile",
    b"PyFunc",
    b"\xff",
    b"a" * 300,
    b"../up",
    b"NoSuchOp",
    b"Identity",
    b"MatMul",
)


def load() -> None:
    """Import TensorFlow once for all children."""
    import tensorflow  # noqa: F401


def prepare(form: str, shared: Path) -> None:
    """A model of two features: 2 x - y, then a sigmoid."""
    import tensorflow as tf

    module = tf.Module()
    module.w = tf.Variable([[2.0], [-1.0]])
    spec = {name: tf.TensorSpec([None], tf.float32, name=name) for name in ("x", "y")}

    def call(x: Any, y: Any) -> Any:
        return {"score": tf.sigmoid(tf.matmul(tf.stack([x, y], 1), module.w))[:, 0]}

    function = tf.function(call).get_concrete_function(**spec)
    tf.saved_model.save(module, str(shared / "model"), signatures=function)


def attempt(form: str, case: Case) -> None:
    """Load a model and call it."""
    from tensorflow.core.protobuf import saved_model_pb2

    folder = case.folder / "model"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(case.shared / "model", folder)
    graph = folder / "saved_model.pb"
    is_whole = case.chance(0.02)
    if not is_whole:
        graph.write_bytes(
            _damaged(case.random, saved_model_pb2.SavedModel.FromString(graph.read_bytes()))
        )
    outputs = models.load(folder).predict(_FEATURES, None)
    if is_whole:
        expected = 1 / (1 + np.exp(-np.array([-1.0, 1.0, 5.0])))
        if not np.allclose(outputs["score"], expected, atol=1e-6):
            raise WrongError(f"{outputs} and not {expected}")


def _damaged(random: Random, message: Any) -> bytes:
    if random.random() < 0.15:
        return texts.damaged_bytes(random, message.SerializeToString())
    for _ in range(random.choice((1, 1, 2, 3))):
        _damage(random, message)
    return bytes(message.SerializeToString())


def _damage(random: Random, message: Any) -> None:
    """Change one field, at any depth."""
    fields = message.ListFields()
    if not fields:
        return
    field, value = random.choice(fields)
    if field.message_type is not None and random.random() < 0.9:
        inner = _inner(random, value)
        if inner is not None:
            _damage(random, inner)
        return
    if random.random() < 0.25 or field.message_type is not None:
        message.ClearField(field.name)
    elif field.is_repeated:
        values = list(value)
        values[random.randrange(len(values))] = _value(random, field)
        message.ClearField(field.name)
        getattr(message, field.name).extend(values * random.choice((1, 1, 2)))
    else:
        setattr(message, field.name, _value(random, field))


def _inner(random: Random, value: Any) -> Any:
    """A message within a field; of lists and maps some are left out or doubled instead."""
    if hasattr(value, "ListFields"):
        return value
    if hasattr(value, "items"):
        key = random.choice(sorted(value))
        if random.random() < 0.1:
            del value[key]
            return None
        return value[key] if hasattr(value[key], "ListFields") else None
    location = random.randrange(len(value))
    if random.random() < 0.1:
        del value[location]
        return None
    if random.random() < 0.05:
        value.append(value[location])
    return value[location]


def _value(random: Random, field: Any) -> Any:
    if field.enum_type is not None:
        return random.choice(field.enum_type.values).number
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        content = random.choice(_TEXTS)
        return content if field.type == field.TYPE_BYTES else content.decode("latin-1")
    if kind == field.CPPTYPE_BOOL:
        return random.random() < 0.5
    if kind in (field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT):
        return random.choice((0.0, -1.0, float("nan"), 1e30))
    return random.choice((0, 1, 2, 7, 1_000, 2**31 - 1))
