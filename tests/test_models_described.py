# SPDX-License-Identifier: Apache-2.0
"""Models that a folder describes, by a command or by a server, and CatBoost: the numbers of the data's own scores."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import benison
from benison.output import blessing
from tests.conftest import config

RNG = np.random.default_rng(11)
A, B = RNG.random(300), RNG.integers(0, 9, 300)
LABEL = (A + 0.1 * B + RNG.random(300) > 1.4).astype(int)
TABLE = pa.table({"a": A, "b": B, "label": LABEL, "score": A + 0.1 * B})
IN_DATA = benison.evaluate(TABLE, config("AUC", model={"prediction_key": "score"})).value("auc")
SCRIPT = """
import sys, pyarrow as pa, pyarrow.compute as pc
rows = pa.ipc.open_stream(sys.stdin.buffer).read_all()
print(rows.column_names, file=sys.stderr)
scores = pa.table({"score": pc.add(rows["a"], pc.multiply(rows["b"], 0.1)), "words": [str(i) for i in range(len(rows))]})
with pa.ipc.new_stream(sys.stdout.buffer, scores.schema) as stream:
    stream.write_table(scores)
"""


def described(folder: Path, **fields: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "benison-model.json").write_text(json.dumps(fields))
    return folder


def evaluated(model: Path, **more: Any) -> benison.EvalResult:
    made = config("AUC", model={"prediction_key": "", **more.pop("spec", {})})
    return benison.evaluate(TABLE, made, model=model, trust_pickle=True, **more)


def scorer(folder: Path, script: str = SCRIPT, **more: Any) -> Path:
    described(folder, command=[sys.executable, "score.py"], **more)
    (folder / "score.py").write_text(script)
    return folder


def test_a_command_scores(tmp_path: Path) -> None:
    model = scorer(tmp_path / "model", columns=["a", "b"])
    result = evaluated(model, output=tmp_path / "out")
    assert result.value("auc") == IN_DATA
    assert set(result.manifest["models"][0]["files"]) == {"benison-model.json", "score.py"}
    blessing.verify(tmp_path / "out")
    (model / "score.py").write_text("")
    with pytest.raises(
        benison.OutputError, match="score.py was changed since the model was judged"
    ):
        blessing.verify(tmp_path / "out")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("import sys; sys.exit('no weights')", "ended with 1: no weights"),
        ("print('hello')", "has not written a stream of Arrow"),
        (SCRIPT.replace("(scores)", "(scores.slice(1))"), "one row for"),
    ],
)
def test_a_command_that_fails_says_how(script: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(benison.ModelError, match=sentence):
        evaluated(scorer(tmp_path / "model", script))


def test_a_command_is_trusted_or_not_run(tmp_path: Path) -> None:
    with pytest.raises(benison.ModelError, match="--trust-pickle"):
        benison.evaluate(
            TABLE, config("AUC", model={"prediction_key": ""}), model=scorer(tmp_path / "m")
        )


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        inputs = [
            {"name": "a", "datatype": "FP64", "shape": [-1]},
            {"name": "b", "datatype": "INT64", "shape": [-1, 1]},
        ]
        self.answer({"name": "sum", "inputs": inputs, "outputs": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v2/models/sum/infer":
            a, b = (np.reshape(i["data"], i["shape"]).ravel() for i in body["inputs"])
            output = {
                "name": "score",
                "datatype": "FP64",
                "shape": [len(a)],
                "data": (a + 0.1 * b).tolist(),
            }
            self.answer({"outputs": [output]})
        elif self.path == "/v1/models/sum:predict":
            scores = np.array(body["inputs"]["a"]) + 0.1 * np.array(body["inputs"]["b"])
            self.answer({"outputs": scores.tolist()})
        elif self.path == "/v1/models/moved:predict":
            self.answer({}, 302)
        elif self.path == "/v1/models/garbled:predict":
            self.wfile.write(b"SSH-2.0-server\r\n")
        else:
            self.answer({"error": "no such model"}, 404)

    def answer(self, body: Any, code: int = 200) -> None:
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/v1/models/sum")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    "fields",
    [{}, {"protocol": "tensorflow-serving", "columns": ["a", "b"]}],
    ids=["v2", "tensorflow"],
)
def test_a_server_scores(fields: dict[str, Any], url: str, tmp_path: Path) -> None:
    model = described(tmp_path / "model", url=url, model="sum", **fields)
    result = evaluated(model, spec={"inference_batch_size": 77})
    assert result.value("auc") == IN_DATA
    assert "not of the model that it serves" in result.manifest["models"][0]["covers"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"url": "file:///etc", "model": "m"}, "begins with http:// or https://"),
        ({"url": "URL", "model": "m", "protocol": "tensorflow-serving", "columns": ["a"]}, "refuses .404.: .*no such"),
        ({"url": "URL", "model": "moved", "protocol": "tensorflow-serving", "columns": ["a"]}, "redirects to http"),
        ({"url": "URL", "model": "garbled", "protocol": "tensorflow-serving", "columns": ["a"]}, "cannot be asked at"),
        ({"url": "http://127.0.0.1:9", "model": "m"}, "cannot be asked at"),
        ({"url": "URL"}, "model: is missing: the name of the model"),
        ({}, "says neither command nor url"),
        ({"comand": ["x"]}, "Did you mean 'command'"),
    ],
)  # fmt: skip
def test_a_description_that_leads_nowhere_says_why(
    fields: dict[str, Any], sentence: str, url: str, tmp_path: Path
) -> None:
    fields = {name: url if value == "URL" else value for name, value in fields.items()}
    with pytest.raises(benison.ModelError, match=sentence):
        evaluated(described(tmp_path / "model", **fields))


@pytest.mark.parametrize(
    ("name", "sentence"), [("net.pth", "torch.export.save"), ("net.rds", "benison-model.json")]
)
def test_a_file_that_is_not_loaded_says_the_way_round(
    name: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    with pytest.raises(benison.ModelError, match=sentence):
        evaluated(tmp_path / name)


@pytest.mark.parametrize("kind", ["CatBoostClassifier", "CatBoostRegressor"])
def test_catboost(kind: str, tmp_path: Path) -> None:
    catboost = pytest.importorskip("catboost")
    frame = TABLE.select(["a", "b"]).to_pandas()
    fitted = getattr(catboost, kind)(iterations=5, verbose=False, allow_writing_files=False).fit(
        frame, LABEL
    )
    fitted.save_model(str(tmp_path / "model.cbm"))
    scores = fitted.predict_proba(frame)[:, 1] if "Classifier" in kind else fitted.predict(frame)
    table = TABLE.append_column("mine", pa.array(scores))
    expected = benison.evaluate(table, config("AUC", model={"prediction_key": "mine"})).value("auc")
    assert evaluated(tmp_path / "model.cbm").value("auc") == expected
    assert evaluated(fitted).value("auc") == expected


def test_a_damaged_catboost_file(tmp_path: Path) -> None:
    pytest.importorskip("catboost")
    (tmp_path / "model.cbm").write_bytes(b"no model")
    with pytest.raises(benison.ModelError, match="cannot be loaded"):
        evaluated(tmp_path / "model.cbm")
