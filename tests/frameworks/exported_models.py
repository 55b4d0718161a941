# SPDX-License-Identifier: Apache-2.0
"""Exports models with PyTorch and JAX, evaluates each, and prints what came of it as JSON.

It runs where these are installed, apart from the tests: `python exported_models.py DATA FOLDER`.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import torch
from jax import export

import benison
from benison.output import blessing

NAMES = ("fare", "hour")
KEYS = {"feature_keys": [*NAMES]}
FREE = {0: torch.export.Dim.AUTO}


class OfMatrix(torch.nn.Module):
    def forward(self, matrix: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(0.2 * matrix[:, 0] - 0.1 * matrix[:, 1])


class OfColumns(torch.nn.Module):
    def forward(self, hour: torch.Tensor, fare: torch.Tensor) -> dict[str, torch.Tensor]:
        score = torch.sigmoid(0.2 * fare - 0.1 * hour)
        return {"score": score.to(torch.bfloat16).double() if hour.dtype == torch.int32 else score}


def of_dict(columns: dict[str, Any]) -> Any:
    return jax.nn.sigmoid(0.2 * columns["fare"] - 0.1 * columns["hour"])


def of_matrix(matrix: Any) -> Any:
    return (jax.nn.sigmoid(0.2 * matrix[:, 0] - 0.1 * matrix[:, 1]),)


def of_two(fare: Any, hour: Any) -> Any:
    return of_dict({"fare": fare, "hour": hour})


def pt2(path: Path) -> dict[str, Any]:
    program = torch.export.export(OfMatrix(), (torch.zeros(3, 2),), dynamic_shapes=(FREE,))
    torch.export.save(program, path / "model.pt2")
    return KEYS


def pt2_of_columns(path: Path) -> dict[str, Any]:
    program = torch.export.export(
        OfColumns(),
        (torch.zeros(3),),
        {"fare": torch.zeros(3)},
        dynamic_shapes={"hour": FREE, "fare": FREE},
    )
    torch.export.save(program, path / "model.pt2")
    return {}


class OfDict(torch.nn.Module):
    def forward(self, columns: dict[str, torch.Tensor], offset: float = 0.0) -> Any:
        score = torch.sigmoid(0.2 * columns["fare"] - 0.1 * columns["hour"] + offset)
        return {"score": score, "parts": [score], "nothing": None}


def pt2_of_dict(path: Path) -> dict[str, Any]:
    columns = {name: torch.zeros(3) for name in NAMES}
    shapes = {"columns": dict.fromkeys(NAMES, FREE)}
    program = torch.export.export(OfDict(), (columns,), dynamic_shapes=shapes)
    torch.export.save(program, path / "model.pt2")
    return {}


def pt2_with_a_constant(path: Path) -> dict[str, Any]:
    columns = {name: torch.zeros(3) for name in NAMES}
    shapes = {"columns": dict.fromkeys(NAMES, FREE), "offset": None}
    program = torch.export.export(OfDict(), (columns, 0.5), dynamic_shapes=shapes)
    torch.export.save(program, path / "model.pt2")
    return {}


class OfGone(torch.nn.Module):
    def forward(self, gone: torch.Tensor) -> torch.Tensor:
        return gone.double()


def pt2_of(path: Path, kind: torch.dtype) -> dict[str, Any]:
    program = torch.export.export(OfGone(), (torch.zeros(3, dtype=kind),), dynamic_shapes=(FREE,))
    torch.export.save(program, path / "model.pt2")
    return {}


def missing_as_float(path: Path) -> dict[str, Any]:
    return pt2_of(path, torch.float32)


def missing_as_integer(path: Path) -> dict[str, Any]:
    return pt2_of(path, torch.int64)


def missing_in_jax(path: Path) -> dict[str, Any]:
    size = jax.ShapeDtypeStruct((*export.symbolic_shape("rows"),), jnp.float32)
    jax_of(path, lambda columns: columns["gone"], {"gone": size})
    return {}


def pt2_of_eight_rows(path: Path) -> dict[str, Any]:
    torch.export.save(torch.export.export(OfMatrix(), (torch.zeros(8, 2),)), path / "model.pt2")
    return KEYS


def torchscript(path: Path) -> dict[str, Any]:
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        torch.jit.script(OfMatrix()).save(path / "model.pt")
    return KEYS


def torchscript_without_names(path: Path) -> dict[str, Any]:
    torchscript(path)
    return {}


def weights(path: Path) -> dict[str, Any]:
    torch.save(torch.nn.Linear(2, 1).state_dict(), path / "model.pt")
    return KEYS


def too_few_names(path: Path) -> dict[str, Any]:
    pt2(path)
    return {"feature_keys": ["fare"]}


def jax_of(path: Path, function: Callable[..., Any], *shapes: Any) -> None:
    exported = export.export(jax.jit(function))(*shapes)
    (path / "model.jax").write_bytes(exported.serialize())


def rows(*more: int) -> Any:
    return jax.ShapeDtypeStruct((*export.symbolic_shape("rows"), *more), jnp.float32)


def jax_of_dict(path: Path) -> dict[str, Any]:
    sizes = jax.ShapeDtypeStruct((*export.symbolic_shape("rows"),), jnp.float32)
    jax_of(path, of_dict, dict.fromkeys(NAMES, sizes))
    return {}


def jax_of_matrix(path: Path) -> dict[str, Any]:
    jax_of(path, of_matrix, rows(2))
    return KEYS


def jax_of_dict_by_position(path: Path) -> dict[str, Any]:
    jax_of_dict(path)
    return KEYS


def jax_of_integers(path: Path) -> dict[str, Any]:
    sizes = jax.ShapeDtypeStruct((*export.symbolic_shape("rows"), 2), jnp.int32)
    jax_of(path, of_matrix, sizes)
    return {"feature_keys": ["hour", "gone"]}


def jax_of_bfloat16(path: Path) -> dict[str, Any]:
    sizes = jax.ShapeDtypeStruct((*export.symbolic_shape("rows"), 2), jnp.bfloat16)
    jax_of(path, of_matrix, sizes)
    return KEYS


def jax_of_nested(path: Path) -> dict[str, Any]:
    size = rows()
    jax_of(
        path,
        lambda given: given["a"]["fare"] + given["b"]["fare"],
        {"a": {"fare": size}, "b": {"fare": size}},
    )
    return {}


def jax_of_two(path: Path) -> dict[str, Any]:
    size = rows()
    jax_of(path, of_two, size, size)
    return KEYS


def jax_of_eight_rows(path: Path) -> dict[str, Any]:
    jax_of(path, of_matrix, jax.ShapeDtypeStruct((8, 2), jnp.float32))
    return KEYS


def jax_without_names(path: Path) -> dict[str, Any]:
    jax_of(path, of_matrix, rows(2))
    return {}


def damaged_jax(path: Path) -> dict[str, Any]:
    (path / "model.jax").write_bytes(b"no flatbuffer")
    return KEYS


MODELS: tuple[Callable[[Path], dict[str, Any]], ...] = (
    pt2, pt2_of_columns, pt2_of_dict, pt2_with_a_constant, missing_as_float, missing_as_integer, missing_in_jax, pt2_of_eight_rows, torchscript, torchscript_without_names, weights, too_few_names,
    jax_of_dict, jax_of_matrix, jax_of_two, jax_of_eight_rows, jax_without_names, damaged_jax,
    jax_of_dict_by_position, jax_of_integers, jax_of_bfloat16, jax_of_nested,
)  # fmt: skip


def outcome(make: Callable[[Path], dict[str, Any]], data: str, folder: Path) -> float | str:
    """The mean prediction, or the error."""
    path = folder / make.__name__
    path.mkdir()
    config = {
        "model_specs": [{"label_key": "label", **make(path)}],
        "metrics_specs": [{"metrics": ["MeanPrediction"]}],
    }
    output = path.parent / f"{make.__name__}-out"
    try:
        made = benison.evaluate(data, config, model=path, trust_pickle=True, output=output)
        (model,) = path.iterdir()
        blessing.verify(output, model=path)
        model.write_bytes(model.read_bytes()[:-1] + b"?")
        try:
            blessing.verify(output, model=path)
        except benison.BenisonError:
            return made.value("mean_prediction")
        return "verified with other bytes"
    except benison.BenisonError as error:
        return str(error)
    return made.value("mean_prediction")


if __name__ == "__main__":
    print(
        json.dumps(
            {make.__name__: outcome(make, sys.argv[1], Path(sys.argv[2])) for make in MODELS}
        )
    )
