# SPDX-License-Identifier: Apache-2.0
"""What is added to the text of a config, and that its other lines stay byte for byte."""

from __future__ import annotations

import difflib
import json
from typing import Any

import pytest
from ruamel.yaml import YAML

from benison import ConfigError
from benison.config import text_edits
from benison.weak_slices import promotion

SLICE = {"feature_values": {"zip": "01002", "note": "a: 'b' # c"}}
GATE = {"per_slice_thresholds": [{"slicing_specs": [SLICE], "threshold": {"evidence": "worse"}}]}

BLOCK = """\
# The evaluation of tips.
model_specs:   [ {label_key: tip,prediction_key:   score} ]   # braces as somebody likes them

metrics_specs:
    - metrics:
        - AUC            # as it is
        - class_name:  "BinaryAccuracy"   # the headline
          threshold: {value_threshold: {lower_bound: 0.50}}

    # Of rows alone:
    - {metrics: [ExampleCount,   {class_name: 'MeanLabel'}]}
slicing_specs:
- {}
-   feature_keys:   [company,hour]
# The end.
"""
FLOW = """\
{metrics_specs: [{metrics: [AUC,
                            {class_name: BinaryAccuracy,
                             config: {threshold:   0.5}},  # comma
                           ]}],
 slicing_specs: []}
"""
BARE = (
    "metrics_specs:\n- metrics:\n  - AUC\n  - BinaryAccuracy  # last\nslicing_specs:   # none yet\n"
)
WITHOUT = "metrics_specs:\n- metrics:\n  - AUC\n  - class_name: BinaryAccuracy\n    name: last"
ANCHORS = """\
metrics_specs:
- metrics:
  - &one AUC
  - <<: &more {name:   b}
    class_name: BinaryAccuracy
slicing_specs: [&all {}, &by {feature_keys:   [hour]},   *by]
"""
JSON = json.dumps(
    {"metrics_specs": [{"metrics": ["AUC", {"class_name": "BinaryAccuracy"}]}]}, indent="\t"
)


def _read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text.replace("\t", " "))


def _with_gate(text: str) -> Any:
    """The data with one more slice, and a gate on the second metric."""
    data = _read(text)
    data["slicing_specs"] = [*(data.get("slicing_specs") or [{}]), SLICE]
    (metrics, *_) = (spec["metrics"] for spec in data["metrics_specs"])
    metric = metrics[1]
    metrics[1] = {**({"class_name": metric} if isinstance(metric, str) else metric), **GATE}
    return data


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("text", "touched"),
    [(BLOCK, 0), (FLOW, 2), (BARE, 2), (WITHOUT, 0), (ANCHORS, 1), (JSON, 2)],
    ids=["block", "flow", "bare", "without", "anchors", "json"],
)
def test_other_lines_stay_byte_for_byte(text: str, touched: int, ending: str) -> None:
    wanted, is_json = _with_gate(text), text is JSON
    text = text.replace("\n", ending)
    written = text_edits.edited(text, wanted, is_json)
    assert _read(written) == wanted
    lines = difflib.ndiff(text.split(ending), written.split(ending))
    assert sum(line.startswith("- ") for line in lines) <= touched, written
    assert written.count("\n") == written.count(ending)
    assert text_edits.edited(written, wanted, is_json) == written


def test_what_is_added_looks_like_what_is_there() -> None:
    written = text_edits.edited(BLOCK, _with_gate(BLOCK), is_json=False)
    assert written == BLOCK.replace(
        "{lower_bound: 0.50}}\n",
        """\
{lower_bound: 0.50}}
          per_slice_thresholds:
            - slicing_specs:
                - feature_values:
                    zip: '01002'
                    note: "a: 'b' # c"
              threshold:
                evidence: worse
""",
    ).replace(
        "[company,hour]\n",
        """\
[company,hour]
- feature_values:
    zip: '01002'
    note: "a: 'b' # c"
""",
    )


def test_a_promoted_slice_changes_no_other_line() -> None:
    pairs = [{"feature": "hour", "value": "5", "type": "int"}]
    row = {"slice": "hour=5", "slice_key": pairs, "loss": "change"}
    wanted = promotion.threshold_of(row, True, None, None)
    written = promotion.promoted(BLOCK, False, row, "BinaryAccuracy", wanted).text
    lines = [line for line in difflib.ndiff(BLOCK.splitlines(), written.splitlines())]
    assert not [line for line in lines if line.startswith(("- ", "? "))]
    assert len([line for line in lines if line.startswith("+ ")]) > 5


def test_what_cannot_be_added_to_is_refused() -> None:
    text = "note: |+\n  # a text\n\nslicing_specs: []\n"
    with pytest.raises(ConfigError, match="nothing can be added to. `benison convert` writes"):
        text_edits.edited(text, {"note": "other"}, is_json=False)


@pytest.mark.parametrize("added", ["c", 2, 0.5, True, None, "...", "1"], ids=repr)
def test_a_scalar_is_added_to_a_list_of_lines(added: Any) -> None:
    written = text_edits.edited(
        "keys:\n- a  # one\n- b\nmore: 1\n", {"keys": ["a", "b", added], "more": 1}, False
    )
    assert written.startswith("keys:\n- a  # one\n- b\n- ")
    assert written.count("\n") == 5
