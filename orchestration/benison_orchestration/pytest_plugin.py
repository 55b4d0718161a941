# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest: the fixture `benison_gate` fails a test whose model is not blessed, and says why.

Benison itself is imported where a test asks for the fixture, so that others do not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benison.errors import MissingExtraError

try:
    import pytest
except ImportError as error:
    raise MissingExtraError("pytest", "pytest") from error

if TYPE_CHECKING:
    import benison

MARKER = "benison_gate"
_SHOWN = 20
_ABOUT = f"{MARKER}(**arguments): what the fixture {MARKER} evaluates, as benison.evaluate takes it"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _ABOUT)


@pytest.fixture
def benison_gate(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[..., benison.EvalResult]:
    """A function that judges a model, fails the test unless it is blessed, and gives the result back.

    It takes the arguments of `benison.evaluate`, to which the marker `benison_gate` of the test, its class or
    its module adds what they leave out; the output is a temporary folder unless it is named. With a single
    argument, a result or the folder of one, nothing is evaluated again.
    """
    marked = {
        name: value
        for marker in reversed([*request.node.iter_markers(MARKER)])
        for name, value in marker.kwargs.items()
    }

    def judge(*given: Any, **more: Any) -> benison.EvalResult:
        arguments = {"output": tmp_path / "benison", **marked, **more}
        result = _judged(given, arguments)
        if not result.verdict.blessed:
            pytest.fail("\n".join(_reasons(result)), pytrace=False)
        return result

    return judge


def _judged(given: tuple[Any, ...], arguments: dict[str, Any]) -> benison.EvalResult:
    import benison

    if len(given) == 1 and "examples" not in arguments:
        (result,) = given
        return result if isinstance(result, benison.EvalResult) else benison.load_result(result)
    return benison.evaluate(*given, **arguments)


def _reasons(result: benison.EvalResult) -> Iterator[str]:
    verdict = result.verdict
    yield verdict.summary()
    yield from (f"  {reason}" for reason in verdict.first_reasons(_SHOWN))
    more = verdict.counts["fail"] - _SHOWN
    if more > 0:
        yield f"  and {more:,} more"
    yield f"Report: {Path(str(result.path)) / 'report.html'}"
