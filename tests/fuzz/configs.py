# SPDX-License-Identifier: Apache-2.0
"""Configs in every form. The oracle: what was read is read again from what it is written as."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benison.config import EvalConfig
from benison.errors import ConfigError
from tests.fuzz import texts, trees
from tests.fuzz.cases import Case, WrongError

_HAS_DEFAULTS = 0.2


def prepare(form: str, shared: Path) -> None:
    """Nothing: a config is made from its fields."""


def attempt(form: str, case: Case) -> None:
    """Read a config in one form."""
    config = _MAKERS[form](case)
    _check_round_trip(config)
    if case.chance(_HAS_DEFAULTS):
        config.with_defaults(case.chance(0.5))


def _check_round_trip(config: EvalConfig) -> None:
    text = config.to_json()
    again = EvalConfig.load(json.loads(text))
    equal = again == config and hash(again) == hash(config)
    if again.to_json() != text or not (equal or "NaN" in text):
        raise WrongError(f"{text} is read as {again.to_json()}")


def _mapping(case: Case) -> EvalConfig:
    tree = case.kept["config"] = trees.config(trees.Chance(case.random, objects=True))
    return EvalConfig.load(tree)


def _json(case: Case) -> EvalConfig:
    tree = trees.config(trees.Chance(case.random))
    text = json.dumps(tree, ensure_ascii=case.chance(0.5))
    return _from_file(case, case.folder / "config.json", tree, text)


def _yaml(case: Case) -> EvalConfig:
    tree = trees.config(trees.Chance(case.random))
    return _from_file(case, case.folder / "config.yaml", tree, texts.as_yaml(tree))


def _from_file(case: Case, path: Path, tree: Any, text: str) -> EvalConfig:
    """What a file is read as; where it is not damaged, that is what the mapping is read as."""
    damaged = case.chance(0.4)
    if damaged:
        text = texts.damaged(case.random, text)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    if damaged or not re.fullmatch("[\t\n\r\x20-\x7e]*", text):
        return EvalConfig.load(path)
    return _same(path, tree)


def _same(path: Path, tree: Any) -> EvalConfig:
    """The config of a file, if it is equal to that of a mapping; or both have the same faults."""
    expected = _faults_of(tree)
    actual = _faults_of(path)
    if actual != expected:
        raise WrongError(f"the file gives {actual}, and the mapping {expected}")
    return EvalConfig.load(path)


def _faults_of(source: Any) -> Any:
    try:
        return EvalConfig.load(source).to_json()
    except ConfigError as error:
        return sorted(path for path, _ in error.faults)


def _textproto(case: Case) -> EvalConfig:
    from google.protobuf import text_format

    from tests.fuzz import protos

    message = protos.filled(case.random, protos.eval_config())
    text = text_format.MessageToString(message)
    damaged = case.chance(0.4)
    path = case.folder / "config.pbtxt"
    path.write_bytes(
        (texts.damaged(case.random, text) if damaged else text).encode(errors="surrogatepass")
    )
    return EvalConfig.load(path) if damaged else _same(path, message)


_MAKERS = {"mapping": _mapping, "json": _json, "yaml": _yaml, "textproto": _textproto}
