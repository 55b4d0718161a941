# SPDX-License-Identifier: Apache-2.0
"""The Evaluator in Dagster: a check of an asset, which holds back what is made from a model.

@dg.asset
def model(): ...

blessed = evaluation_check(
asset=model,
spec={"examples": "eval.parquet", "config": "eval.yaml", "model": "models/candidate"},
output_root="evaluations",
)

@dg.asset(deps=[model])
def served(): ...  # is not made unless the model is blessed
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benison.errors import BenisonError, MissingExtraError
from benison.lineage import RunKey
from benison.validation.terms import UNDECIDED
from benison_orchestration.host_outcome import evaluate_as, may_pass

# Dagster reads an annotation as what it is, and would not read it as text.
try:
    import dagster
except ImportError as error:
    raise MissingExtraError("Dagster", "dagster") from error


def evaluation_check(  # noqa: PLR0913 - what a check can be told
    *,
    asset: Any,
    spec: Mapping[str, Any] | str | Callable[[Any], Mapping[str, Any]],
    name: str = "blessed",
    blocking: bool = True,
    output_root: str = "evaluations",
    **options: Any,
) -> Any:
    """A check that passes when a model is blessed.

    The page of the check shows the summary, the candidates' values on all data, the first checks that failed,
    and the report. A config, data or a model that is wrong fails the run and is not tried again.

    Args:
        asset: The asset that is checked, such as the model.
        spec: The arguments of `benison.evaluate`: a mapping, the text of a JSON document or its path; or a
            function that makes them of Dagster's context, such as by its partition.
        name: The name of the check.
        blocking: Whether what is made from the asset waits for the check, and is not made when it fails.
        output_root: Where outputs are that the spec does not name, each at asset/run/check/`evaluation`.
        options: As `dagster.asset_check`: retry_policy, required_resource_keys, op_tags, ...
    """

    def check(context: dagster.AssetCheckExecutionContext) -> Any:
        # A check may be run alone, and again: each run has an id, and each of its tries the same.
        (checked,) = definition.check_keys
        key = RunKey(checked.asset_key.to_user_string(), context.run.run_id, name)
        given = spec(context) if callable(spec) else spec
        try:
            outcome = evaluate_as(key, given, output_root)
        except BenisonError as error:
            if may_pass(error):
                raise
            raise dagster.Failure(str(error), allow_retries=False) from error
        return _result(outcome)

    options = {"asset": asset, "name": name, "blocking": blocking, **options}
    definition = dagster.asset_check(**options)(check)
    return definition


def _result(outcome: Mapping[str, Any]) -> Any:
    return dagster.AssetCheckResult(
        passed=outcome["status"] == "blessed",
        severity=dagster.AssetCheckSeverity.ERROR,
        description="\n".join([outcome["summary"], *outcome["reasons"]]),
        metadata=dict(_metadata(outcome)),
    )


def _metadata(outcome: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "verdict", outcome["status"]
    yield "failures", outcome["failures"]
    yield "undecided", outcome["counts"][UNDECIDED]
    yield "rows", outcome["rows"]
    yield "report", dagster.MetadataValue.url(outcome["report"])
    yield "output", dagster.MetadataValue.path(outcome["output"])
    yield "failed_checks", dagster.MetadataValue.json(outcome["failed_checks"])
    yield from outcome["metrics"].items()
