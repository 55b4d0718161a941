# SPDX-License-Identifier: Apache-2.0
"""What a program sees of Benison at first: its names, what they cost, what they need."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import benison
import benison_orchestration

HEAVY = (
    "airflow",
    "apache_beam",
    "keras",
    "kfp",
    "ml_metadata",
    "pandas",
    "sklearn",
    "sqlalchemy",
    "sqlglot",
    "tensorflow",
    "tfx",
    "tfx_bsl",
)
ROOT = Path(__file__).resolve().parents[1]
FOLDERS = [Path(package.__path__[0]) for package in (benison, benison_orchestration)]


def imported_by(statement: str) -> set[str]:
    """The top-level modules in a fresh interpreter after a statement."""
    program = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def extras_named_in(source: str) -> list[str]:
    """The second argument of each `MissingExtraError(what, extra)`."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    raised = [call for call in calls if ast.unparse(call.func).endswith("MissingExtraError")]
    return [ast.literal_eval(call.args[1]) for call in raised if len(call.args) > 1]


def test_the_promised_names_are_sorted() -> None:
    assert benison.__all__ == sorted(set(benison.__all__))


@pytest.mark.parametrize("name", benison.__all__)
def test_a_promised_name_is_there_and_documented(name: str) -> None:
    assert getattr(benison, name).__doc__


def test_the_version_is_the_one_that_is_installed() -> None:
    assert benison.__version__ == metadata.version("benison")


@pytest.mark.parametrize("statement", ["import benison", "import benison.cli"])
def test_importing_costs_no_heavy_package(statement: str) -> None:
    modules = imported_by(statement)
    assert "benison" in modules
    assert modules.isdisjoint(HEAVY), sorted(modules.intersection(HEAVY))


def test_importing_alone_imports_no_more_than_it_needs() -> None:
    assert imported_by("import benison").isdisjoint({"pydantic", "typer", "rich"})


def test_what_is_not_there_is_said_as_of_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'benison' has no attribute 'evalute'"):
        benison.evalute  # noqa: B018
    assert set(benison.__all__) <= set(dir(benison))


AGES = """
import gc, weakref, benison

class Cycle:
    def __init__(self):
        self.itself = self

cycle = weakref.ref(Cycle())
if FROZEN:
    gc.freeze()
benison.evaluate
assert gc.isenabled()
young = len(gc.get_objects(generation=0)) + len(gc.get_objects(generation=1))
assert (young < 2_000) != FROZEN, young
assert bool(gc.get_freeze_count()) == FROZEN
gc.collect()
assert (cycle() is None) != FROZEN
"""


@pytest.mark.parametrize("frozen", [False, True])
def test_what_imports_leave_in_memory_is_old_unless_the_program_keeps_generations_of_its_own(
    frozen: bool,
) -> None:
    imported_by(f"exec({AGES!r}, {{'FROZEN': {frozen}}})")


EVALUATES_WITHOUT_PANDAS = """
import json, pathlib, sys, benison, pyarrow as pa, pyarrow.csv, pyarrow.parquet

folder = pathlib.Path(sys.argv[1])
rows = [{"y": i % 2, "p": i % 7 / 7, "shop": "ab"[i % 3 % 2] if i % 5 else None, "w": i / 8} for i in range(40)]
table = pa.Table.from_pylist(rows)
pa.parquet.write_table(table, folder / "a.parquet")
pa.csv.write_csv(table, folder / "a.csv")
with pa.ipc.new_file(str(folder / "a.arrow"), table.schema) as file:
    file.write(table)
(folder / "a.jsonl").write_text("\\n".join(map(json.dumps, rows)))
slices = [{}, {"feature_keys": ["shop"]}, {"bins": {"w": {"quantiles": 3}}}, {"where": {"light": "w < 2"}}]
bound = {"value_threshold": {"lower_bound": 0.1}}
config = {
    "model_specs": [{"label_key": "y", "prediction_key": "p", "example_weight_key": "w"}],
    "slicing_specs": slices,
    "metrics_specs": [{"metrics": [{"class_name": "AUC", "threshold": bound}, {"class_name": "R2Score"}]}],
    "options": {"compute_confidence_intervals": True},
}
for form in ("parquet", "csv", "arrow", "jsonl"):
    result = benison.evaluate(folder / f"a.{form}", config, output=folder / form)
    assert result.value("auc", slice={"shop": "a"}) >= 0, form
    assert "pandas" not in sys.modules, form
    assert form != "parquet" or not {"pyarrow.dataset", "pyarrow.acero"} & sys.modules.keys(), "engines of Arrow"

import pandas
assert pa.array(pandas.Series([1.0, float("nan")])).null_count == 1, "Arrow does not know pandas"
assert type(pandas.__spec__.loader).__name__ == "SourceFileLoader"
"""


def test_files_are_evaluated_without_what_they_do_not_need_and_arrow_knows_pandas_once_it_is_there(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", EVALUATES_WITHOUT_PANDAS, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr


def test_a_heavy_import_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "keras.py").touch()
    modules = imported_by(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import benison, keras"
    )
    assert modules.intersection(HEAVY) == {"keras"}


def test_each_extra_that_a_sentence_recommends_exists() -> None:
    # What is installed may be older than this tree.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["optional-dependencies"]
    files = [file for folder in FOLDERS for file in folder.rglob("*.py")]
    named = {extra for file in files for extra in extras_named_in(file.read_text(encoding="utf-8"))}
    assert named
    assert named <= set(declared)


def test_the_container_for_everything_has_each_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = (ROOT / "requirements" / "container-all.in").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^\.\[(.*)\]$", asked, re.MULTILINE)
    # Hosts start the container from outside; XGBoost is there without CUDA; PyTorch, JAX and Spark have images.
    extras = set(project["optional-dependencies"])
    outside = {name for name in extras if name.startswith("airflow")}
    outside |= {"dagster", "jax", "prefect", "pytorch", "spark", "xgboost"}
    assert {*listed.split(",")} == extras - outside


def test_both_packages_are_typed() -> None:
    assert all((folder / "py.typed").is_file() for folder in FOLDERS)
