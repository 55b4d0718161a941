# SPDX-License-Identifier: Apache-2.0
"""Finds what graphs of a SavedModel do beside computing: parse tf.Examples, use files, or run Python."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benison.errors import ModelError, visible
from benison.models.external import check_inside

# From serialized tf.Examples, or from another message of protobuf, to features.
_PARSER = re.compile(r"Parse(Single)?(Sequence)?Example(V2)?|DecodeProto\w*")

# What reads or writes files of the machine, or leaves the graph: for Python, a server, or the process's end.
_OUTSIDE = re.compile(
    r"(Eager)?PyFunc(Stateless)?|GeneratorDataset|ExternalDataset|OptionalFromPy\w*"
    r"|ReadFile|WriteFile|MatchingFiles\w*|WholeFileReader\w*|\w*LineReader\w*|\w*RecordReader\w*"
    r"|(TextLine|TFRecord|FixedLengthRecord|CSV|Sql|LMDB|CacheDataset|Cache|Snapshot|Load|Save)Dataset\w*"
    r"|DatasetToTFRecord\w*|SaveDataset\w*|DataService\w*|RegisterDataset\w*|FileSystemSetConfiguration"
    r"|CreateSummary(File|Db)Writer|Write\w*Summary|ImportEvent|DebugIdentity\w*|Abort|RpcCall|TryRpc"
)
# How TFLite names an op of TensorFlow.
_FLEX = re.compile(rb"Flex([A-Z][A-Za-z0-9]+)")
# Checkpoints: TensorFlow itself puts these into every model, where loading does not run them.
_CHECKPOINT = re.compile(r"Save(V2|Slices)?|Restore(V2|Slice)?|MergeV2Checkpoints")


def parses_examples(function: Any) -> bool:
    """Whether a traced function of TensorFlow reads serialized tf.Examples."""
    graph = function.graph.as_graph_def()
    bodies = [graph.node, *(body.node_def for body in graph.library.function)]
    return any(_PARSER.fullmatch(node.op) for nodes in bodies for node in nodes)


def check_ops(path: Path, trusted: bool) -> None:
    """Refuse a SavedModel whose graphs reach out of TensorFlow, before anything of it is loaded.

    Args:
        path: Its directory.
        trusted: Whether the user trusts such graphs; then their ops are not looked at.

    Raises:
        ModelError: The ops, and how one says that they are trusted; or an asset outside of the directory.
    """
    from tensorflow.python.saved_model import (
        loader_impl,  # what is loaded later is parsed by it as well
    )

    parsed = loader_impl.parse_saved_model(str(path))
    title = f"The SavedModel {path}"
    for asset in (asset for of in parsed.meta_graphs for asset in of.asset_file_def):
        check_inside(asset.filename, title)
    if not trusted:
        _refuse(title, {op for of in parsed.meta_graphs for op in _reaching_out(of)})


def check_flex_ops(title: str, content: bytes, trusted: bool) -> None:
    """Refuse a TFLite file that has TensorFlow's ops of that kind, which an interpreter may link.

    Raises:
        ModelError: The ops, and how one says that they are trusted.
    """
    named = {op.decode() for op in _FLEX.findall(content)} if not trusted else set()
    _refuse(title, {op for op in named if _OUTSIDE.fullmatch(op) or _CHECKPOINT.fullmatch(op)})


def _refuse(title: str, ops: set[str]) -> None:
    if ops:
        raise ModelError(
            f"{title} has the ops {', '.join(map(visible, sorted(ops)))}, which read or write files, or run "
            f"code outside of the graph, with the rights of this process. If you trust where the model "
            f"comes from, say so: --trust-ops (trust_ops=True). Else save it again without them."
        )


def _reaching_out(meta_graph: Any) -> Iterator[str]:
    yield from _outside(meta_graph.graph_def.node)
    bodies = {body.signature.name: body.node_def for body in meta_graph.graph_def.library.function}
    for nodes in bodies.values():
        yield from _outside(nodes)
    # A graph of TensorFlow 1 has no objects; its own saver is among the nodes that are not run.
    for name in _called(bodies, set(meta_graph.object_graph_def.concrete_functions)):
        yield from (node.op for node in bodies[name] if _CHECKPOINT.fullmatch(node.op))


def _called(bodies: Mapping[str, Any], roots: set[str]) -> set[str]:
    """The functions of a library that some call, and those that these call."""
    called: set[str] = set()
    waiting = [name for name in roots if name in bodies]
    while waiting:
        name = waiting.pop()
        if name not in called:
            called.add(name)
            for value in (v for node in bodies[name] for v in node.attr.values()):
                waiting += [f.name for f in (value.func, *value.list.func) if f.name in bodies]
    return called


def _outside(nodes: Iterable[Any]) -> Iterator[str]:
    for node in nodes:
        if _OUTSIDE.fullmatch(node.op):
            yield node.op
        elif node.op == "PrintV2" and node.attr["output_stream"].s.startswith(b"file://"):
            yield "PrintV2 to a file"
