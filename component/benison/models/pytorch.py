# SPDX-License-Identifier: Apache-2.0
"""Runs PyTorch programs: those of `torch.export` (.pt2), and TorchScript (.pt) of one matrix."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benison.errors import MissingExtraError, ModelError
from benison.models.arrays import Input
from benison.models.matrix import cause
from benison.models.predictor import LoadOptions
from benison.models.tensors import TensorsPredictor

_EXPORT = (
    "Save the whole program: torch.export.save(torch.export.export(model.eval(), (example,), "
    "dynamic_shapes=({0: torch.export.Dim.AUTO},)), 'model.pt2')."
)


def load(path: Path, options: LoadOptions) -> TensorsPredictor:
    """The program in a file, on the processor.

    Raises:
        MissingExtraError: PyTorch is not installed.
        ModelError: The file holds no program, is not trusted, or does not say which columns it takes.
    """
    title = f"The PyTorch program {path}"
    is_script = path.suffix.lower() == ".pt"
    if not is_script and not options.trust_pickle:
        raise ModelError(
            f"{path} may hold pickles, and loading a pickle runs whatever code is in it. If you trust where "
            "it comes from, say so: --trust-pickle (trust_pickle=True)."
        )
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("PyTorch", "pytorch") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # as of TorchScript's end
            read = torch.jit.load if is_script else torch.export.load
            program: Any = read(str(path))
    except Exception as error:  # PyTorch raises anything
        raise ModelError(f"{title} cannot be loaded: {cause(error)}. {_EXPORT}") from error
    return (_scripted if is_script else _exported)(program, title, options)


def _exported(program: Any, title: str, options: LoadOptions) -> TensorsPredictor:
    from torch.utils import _pytree

    meta = {node.name: node.meta.get("val") for node in program.graph.nodes}
    names = program.graph_signature.user_inputs
    tensors: list[Any] = [meta.get(name) for name in names]  # a constant has its value for a name
    for name, of in zip(names, tensors, strict=True):
        if not getattr(of, "shape", ()):
            raise ModelError(
                f"Input {name!r} of {title} is one value, not one in each row. Export a model that has it as "
                "an attribute."
            )
    places = _pytree.tree_unflatten(list(names), program.call_spec.in_spec)
    paths, _ = _pytree.tree_flatten_with_path(places)
    inputs = [
        Input(
            _named(path, name),
            str(of.dtype).removeprefix("torch."),
            tuple(map(_size, of.shape[1:])),
        )
        for (path, name), of in zip(paths, tensors, strict=True)
    ]
    sizes = {size for of in tensors if (size := _size(of.shape[0])) is not None}
    module = program.module()

    def run(fed: Sequence[Any]) -> Any:
        args, kwargs = _pytree.tree_unflatten(list(fed), program.call_spec.in_spec)
        return module(*args, **kwargs)

    return TensorsPredictor(title, inputs, _in_numpy(run), sizes, options)


def _named(path: Sequence[Any], name: str) -> str:
    """The key of a dict of tensors, where an input is in one; else the name of the argument."""
    return str(getattr(path[-1], "key", name))


def _scripted(program: Any, title: str, options: LoadOptions) -> TensorsPredictor:
    taken = [argument.name for argument in program.forward.schema.arguments[1:]]
    if len(taken) != 1 or not options.names:
        raise ModelError(
            f"{title} takes {', '.join(taken) or 'nothing'}, and TorchScript does not say of which shape. "
            "Name the columns of its one matrix in their order as feature_keys in model_specs; for several "
            f"inputs: {_EXPORT}"
        )
    matrix = Input(taken[0], "float32", (None,))
    return TensorsPredictor(
        title, [matrix], _in_numpy(lambda fed: program.eval()(*fed)), (), options
    )


def _in_numpy(run: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    """A program of tensors as one of numpy's arrays, without gradients."""
    import torch

    def array(tensor: Any) -> Any:
        if tensor.dtype == torch.bfloat16:  # numpy has no such type
            tensor = tensor.float()
        return tensor.detach().cpu().numpy()

    def call(arrays: Sequence[Any]) -> Any:
        with torch.inference_mode():
            returned = run([torch.from_numpy(given) for given in arrays])
        if torch.is_tensor(returned):
            return array(returned)
        named = returned
        if not isinstance(returned, Mapping):
            several = returned if isinstance(returned, list | tuple) else ()
            named = {f"output_{i}": tensor for i, tensor in enumerate(several)}
        outputs = {name: array(tensor) for name, tensor in named.items() if torch.is_tensor(tensor)}
        if not outputs:
            raise ModelError("it returns no tensor, nor several by their names")
        return outputs

    return call


def _size(dimension: Any) -> int | None:
    """A size that is fixed; None for one that is free."""
    return dimension if isinstance(dimension, int) else None
