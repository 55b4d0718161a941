# SPDX-License-Identifier: Apache-2.0
"""The gate in a CI: the files that say why, whatever ended the run, and what a signal does."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lxml import etree
from markdown_it import MarkdownIt
from typer.testing import CliRunner

import benison
from benison.cli import app
from benison.report.ci import MAX_CELL, MAX_ROWS, Reports
from tests.conftest import config, taxi_like

HOSTILE = (
    "a|b",
    "`x`\n## y",
    "<script>alert(1)</script>",
    "]]>&amp;",
    "\x00\x1b[31m",
    "\u202ecod",
    "*_~",
)
FALL = {"direction": "HIGHER_IS_BETTER", "absolute": {"value": -0.01}}
JUDGED = {
    "class_name": "AUC",
    "threshold": {"value_threshold": {"lower_bound": 0.5}, "change_threshold": FALL},
}
# What the schemas of Ant and of Jenkins both ask for.
SCHEMA = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:complexType name="said"><xs:simpleContent><xs:extension base="xs:string">
    <xs:attribute name="type" use="required"/><xs:attribute name="message"/>
  </xs:extension></xs:simpleContent></xs:complexType>
  <xs:complexType name="property">
    <xs:attribute name="name" use="required"/><xs:attribute name="value" use="required"/>
  </xs:complexType>
  <xs:complexType name="case">
    <xs:choice minOccurs="0">
      <xs:element name="skipped"><xs:complexType><xs:simpleContent><xs:extension base="xs:string">
        <xs:attribute name="message"/>
      </xs:extension></xs:simpleContent></xs:complexType></xs:element>
      <xs:element name="error" type="said"/>
      <xs:element name="failure" type="said"/>
    </xs:choice>
    <xs:attribute name="name" type="xs:token" use="required"/>
    <xs:attribute name="classname" type="xs:token" use="required"/>
    <xs:attribute name="time" type="xs:decimal" use="required"/>
  </xs:complexType>
  <xs:element name="testsuites"><xs:complexType><xs:sequence>
    <xs:element name="testsuite"><xs:complexType>
      <xs:sequence>
        <xs:element name="properties"><xs:complexType><xs:sequence>
          <xs:element name="property" type="property" minOccurs="0" maxOccurs="unbounded"/>
        </xs:sequence></xs:complexType></xs:element>
        <xs:element name="testcase" type="case" minOccurs="0" maxOccurs="unbounded"/>
        <xs:element name="system-out"/><xs:element name="system-err"/>
      </xs:sequence>
      <xs:attribute name="name" use="required"/><xs:attribute name="package" use="required"/>
      <xs:attribute name="hostname" use="required"/>
      <xs:attribute name="timestamp" use="required"><xs:simpleType>
        <xs:restriction base="xs:dateTime"><xs:pattern value="[0-9\\-]+T[0-9:]{8}"/></xs:restriction>
      </xs:simpleType></xs:attribute>
      <xs:attribute name="id" type="xs:int" use="required"/>
      <xs:attribute name="tests" type="xs:int" use="required"/>
      <xs:attribute name="failures" type="xs:int" use="required"/>
      <xs:attribute name="errors" type="xs:int" use="required"/>
      <xs:attribute name="skipped" type="xs:int" use="required"/>
      <xs:attribute name="time" type="xs:decimal" use="required"/>
    </xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""


@pytest.fixture
def folder(in_folder: Path) -> Path:
    table = taxi_like(2_000)
    companies = pa.array([HOSTILE[i % len(HOSTILE)] for i in range(len(table))])
    location = table.schema.get_field_index("company")
    pq.write_table(table.set_column(location, "company", companies), "eval.parquet")
    write_config()
    return in_folder


def write_config(*metrics: Any, **more: Any) -> None:
    """A candidate that is worse than its baseline."""
    slices = ({}, {"feature_keys": ["company"]}, {"feature_keys": ["hour"]})
    made = config(*(metrics or (JUDGED, "BinaryAccuracy")), slices=slices, **more)
    (spec,) = made["model_specs"]
    made["model_specs"] = [
        {**spec, "name": "new", "prediction_key": "old_prediction"},
        {**spec, "name": "old", "is_baseline": True},
    ]
    Path("eval.json").write_text(json.dumps(made))


def run(*words: str) -> int:
    return int(
        CliRunner()
        .invoke(app, [*words, "--junit", "ci/out.xml", "--summary", "ci/out.md"])
        .exit_code
    )


def evaluate(*more: str, data: str = "eval.parquet") -> int:
    return run("evaluate", "-e", data, "-c", "eval.json", "-o", "out", *more)


def suite() -> Any:
    """The suite of the file, which is read by another library and is as the schemas want it."""
    document = etree.parse("ci/out.xml")
    etree.XMLSchema(etree.XML(SCHEMA)).assertValid(document)
    (actual,) = document.getroot()
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(actual.get(name)) == len(actual.findall(f"testcase/{tag}"))
    names = [(case.get("classname"), case.get("name")) for case in actual.findall("testcase")]
    assert int(actual.get("tests")) == len(names) == len(set(names))
    return actual


def tables() -> dict[str, list[list[str]]]:
    """The cells of each table by the title above it, as a reader of Markdown shows them."""
    html = (
        MarkdownIt("commonmark", {"html": False})
        .enable("table")
        .render(Path("ci/out.md").read_text())
    )
    values: dict[str, list[list[str]]] = {}
    for element in ElementTree.fromstring(f"<p>{html}</p>"):
        if element.tag == "h3":
            title = element.text or ""
        if element.tag == "table":
            assert not list(element.iter("script"))
            values[title] = [
                ["".join(cell.itertext()) for cell in row] for row in element.iter("tr")
            ][1:]
    return values


def plain(text: str) -> str:
    """Hostile names as they are shown: on one line, with nothing that moves a cursor."""
    for hidden in ("\n", "\x00", "\x1b", "\u202e"):
        text = text.replace(hidden, hidden.encode("unicode_escape").decode())
    return text


def test_each_check_is_a_case(folder: Path) -> None:
    assert evaluate("--gate") == 1
    checks = benison.load_result("out").verdict.checks
    cases = suite().findall("testcase")
    message = {"pass": None, "fail": "failure", "not_evaluated": "skipped"}
    for check, case in zip(checks, cases, strict=True):
        assert case.get("classname") == "new.auc"
        assert case.get("name") == plain(f"auc of {check.slice}: {check.formula}")
        assert [child.tag for child in case] == (
            [message[check.outcome]] if message[check.outcome] else []
        )
        assert all(child.text == child.get("message") == plain(check.reason) for child in case)
    assert {check.outcome for check in checks} == {"pass", "fail"}


def test_cases_of_one_name_are_numbered(folder: Path) -> None:
    bound = {"value_threshold": {"lower_bound": 0.5}}
    twice = [{"slicing_specs": [{}], "threshold": bound}]
    write_config({"class_name": "AUC", "threshold": bound, "per_slice_thresholds": twice})
    evaluate()
    names = [case.get("name") for case in suite().findall("testcase")]
    assert names[-1] == "auc of Overall: auc >= 0.5 (2)"
    assert len(names) == len(benison.load_result("out").verdict.checks)


def test_the_summary_says_why(folder: Path) -> None:
    write_config(JUDGED, options={"min_slice_size": 80})
    evaluate()
    result = benison.load_result("out")
    text = Path("ci/out.md").read_text()
    assert text.startswith("## ❌ Benison: not blessed\n")
    actual = tables()
    failed = [["auc", plain(check.slice), plain(check.reason)] for check in result.verdict.failures]
    assert actual["Failed"] == failed
    assert len(actual["Not evaluated"]) == 1
    assert ["Examples", "2,000"] in actual["What was evaluated"]
    worst = result.worst("auc_diff", 3).to_pylist()
    changes = [[row["slice"], f"{row['value']:+.6g}"] for row in worst]
    assert [[row[1], row[-1]] for row in actual["Worst changes"]] == changes
    _, name, _, before, after, change = actual["Worst changes"][0]
    assert float(after) == pytest.approx(result.value("auc", name), rel=1e-5)
    assert float(after) - float(before) == pytest.approx(float(change), abs=1e-5)


def test_a_change_is_worst_where_the_metric_got_worse(folder: Path) -> None:
    write_config("BinaryCrossEntropy")
    evaluate()
    frame = benison.load_result("out").to_pandas()
    rises = frame["value"][
        (frame["metric"] == "binary_crossentropy") & (frame["kind"] == "change")
    ].nlargest(3)
    values = [float(row[-1]) for row in tables()["Worst changes"]]
    assert values == pytest.approx(rises.to_list(), rel=1e-5)
    assert min(values) > 0


def test_a_change_has_its_interval_where_the_run_has_them(folder: Path) -> None:
    write_config("AUC", options={"compute_confidence_intervals": True})
    evaluate()
    result = benison.load_result("out").worst("auc_diff", 1)
    ends = " to ".join(f"{result[end][0].as_py():.4g}" for end in ("lower", "upper"))
    assert tables()["Worst changes"][0][-1].endswith(f"(95 % interval {ends})")


def test_the_summary_stays_small(folder: Path) -> None:
    table = taxi_like(3_000)
    long = pa.array([f"{i % 200}" + "x" * 2_000 for i in range(len(table))])
    pq.write_table(table.append_column("long", long), "eval.parquet")
    write_config(JUDGED)
    made = json.loads(Path("eval.json").read_text())
    made["slicing_specs"] = [{"feature_keys": ["long"]}]
    Path("eval.json").write_text(json.dumps(made))
    evaluate()
    text = Path("ci/out.md").read_text()
    assert len(tables()["Failed"]) == MAX_ROWS
    assert f"and {len(benison.load_result('out').verdict.failures) - MAX_ROWS} more, in" in text
    assert len(text) < 5 * MAX_ROWS * MAX_CELL < 2**20


@pytest.mark.parametrize(("more", "tag", "code"), [((), "skipped", 0), (("--gate",), "failure", 1)])
def test_a_model_that_nobody_judged(folder: Path, more: Any, tag: str, code: int) -> None:
    write_config("AUC")
    assert evaluate(*more) == code
    (case,) = suite().findall("testcase")
    assert case[0].tag == tag
    assert "the config has no thresholds" in case[0].text
    assert "Benison: not evaluated" in Path("ci/out.md").read_text()


def test_an_error_is_never_green(folder: Path) -> None:
    assert evaluate(data="a|b.parquet") == 2
    (case,) = suite().findall("testcase")
    assert case[0].tag == "error"
    assert case[0].get("type") == "DataError"
    assert "a|b.parquet does not exist" in case[0].text
    assert r"a\|b.parquet does not exist" in Path("ci/out.md").read_text()


def test_a_crash_is_never_green(folder: Path) -> None:
    Path("ci").mkdir()
    with pytest.raises(ZeroDivisionError), Reports(Path("ci/out.xml")).promised():
        raise ZeroDivisionError("no")
    assert suite().find("testcase/error").get("type") == "ZeroDivisionError"


def test_a_crash_has_an_exit_code_of_its_own(folder: Path) -> None:
    script = (
        "import sys, benison; from benison.cli import main; benison.evaluate = lambda **more: 1 / 0;"
        "sys.argv[1:] = 'evaluate -e eval.parquet -c eval.json -o out --gate --junit ci/out.xml'.split();"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "Traceback" in done.stderr
    assert suite().find("testcase/error").get("type") == "ZeroDivisionError"


def test_an_older_green_file_does_not_outlive_a_kill(folder: Path) -> None:
    write_config({"class_name": "AUC", "threshold": {"value_threshold": {"lower_bound": 0.0}}})
    assert evaluate() == 0
    assert not suite().findall("testcase/*")
    process = started(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert "has not ended" in suite().find("testcase/error").text
    assert "has not ended" in Path("ci/out.md").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_nothing_left(folder: Path, number: signal.Signals) -> None:
    process = started(number)
    assert process.wait(timeout=30) == 128 + number
    assert not Path("out").exists()
    assert not list(Path().glob(".*partial"))
    assert "has not ended" in suite().find("testcase/error").text


def started(number: signal.Signals) -> subprocess.Popen[bytes]:
    """A long evaluation that has begun, to which a signal was sent."""
    Path("ci/out.xml").unlink(missing_ok=True)
    data = Path("many")
    data.mkdir()
    for i in range(3_000):
        os.link("eval.parquet", data / f"{i}.parquet")
    words = ["evaluate", "-e", "many", "-c", "eval.json", "-o", "out", "--overwrite"]
    files = ["--junit", "ci/out.xml", "--summary", "ci/out.md"]
    process = subprocess.Popen(
        [sys.executable, "-m", "benison", *words, *files], stderr=subprocess.DEVNULL
    )
    while not Path("ci/out.md").exists() or "has not ended" not in Path("ci/out.md").read_text():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    return process


def test_a_file_that_cannot_be_written_is_known_before_the_work(folder: Path) -> None:
    Path("ci").touch()
    assert evaluate() == 2
    assert not Path("out").exists()


def test_the_summary_keeps_what_other_steps_have_written(folder: Path) -> None:
    Path("ci").mkdir()
    Path("ci/out.md").write_text("# Build\n\nof somebody else")
    evaluate()
    text = Path("ci/out.md").read_text()
    assert text.startswith("# Build\n\nof somebody else\n\n## ")
    assert text.count("## ❌ Benison: not blessed") == 1
    assert "no verdict" not in text
    Path("ci/out.md").write_text("\n")
    evaluate("--overwrite")
    assert Path("ci/out.md").read_text().startswith("## ❌ Benison: not blessed")


def test_the_gate_of_a_finished_output(folder: Path) -> None:
    evaluate()
    first = Path("ci/out.xml").read_bytes(), Path("ci/out.md").read_bytes()
    assert run("gate", "out") == 1
    junit, page = first
    assert Path("ci/out.xml").read_bytes() == junit
    assert Path("ci/out.md").read_bytes() == page + b"\n" + page
    assert run("gate", "nowhere") == 2
    assert suite().find("testcase/error").text == "There is no result at nowhere."


def test_a_terminal_says_which_checks_are_undecided_and_what_could_decide_them(
    folder: Path,
) -> None:
    rng, rows = np.random.default_rng(0), 200
    labels = rng.integers(0, 2, rows)
    scores = np.where(rng.random(rows) < 0.1, 1 - labels, labels).astype(float)
    slices = np.arange(rows) % 8
    pq.write_table(pa.table({"label": labels, "prediction": scores, "hour": slices}), "few.parquet")
    bound = {"value_threshold": {"lower_bound": 0.93}, "evidence": "worse"}
    metric = {"class_name": "BinaryAccuracy", "threshold": bound}
    by_hour = config(metric, slices=[{}, {"feature_keys": ["hour"]}])
    Path("eval.json").write_text(json.dumps(by_hour))
    done = CliRunner().invoke(
        app, ["evaluate", "-e", "few.parquet", "-c", "eval.json", "-o", "few"]
    )
    lines = done.output.splitlines()
    assert lines[0].startswith("BLESSED: all 9 checks are undecided")
    assert [line.startswith("  ? binary_accuracy of ") for line in lines[1:6]] == [True] * 5
    assert any(
        re.search(r"undecided; .* cannot tell whether .*, about [\d,]+ could", line)
        for line in lines[1:6]
    )
    assert lines[6] == "  ... and 4 more are undecided in checks.parquet"
