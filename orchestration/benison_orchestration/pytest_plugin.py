# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest: the fixture `benison_gate` fails a test whose model is not blessed, and says why.

Benison itself is imported where a test asks for the fixture, so that others do not wait for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from inspect import signature
from itertools import count
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
_JUDGED = pytest.StashKey[bool]()
_ABOUT = f"{MARKER}(**arguments): what the fixture {MARKER} evaluates, as benison.evaluate takes it"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _ABOUT)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that has the marker or the fixture and judges nothing, which would pass any model."""
    asks = MARKER in getattr(item, "fixturenames", ())
    if not asks and any(marker.name == MARKER for marker in item.own_markers):
        pytest.fail(
            f"The marker {MARKER} judges nothing: take the fixture {MARKER}, and call it.",
            pytrace=False,
        )
    result = yield
    if asks and not item.stash.get(_JUDGED, False):
        pytest.fail(
            f"The test has taken the fixture {MARKER} and judged nothing: call it.", pytrace=False
        )
    return result


@pytest.fixture
def benison_gate(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[..., benison.EvalResult]:
    """A function that judges a model, fails the test unless it is blessed, and gives the result back.

    It takes the arguments of `benison.evaluate`, to which the marker `benison_gate` of the test, its class or
    its module adds what they leave out; the output is a temporary folder of the call unless it is named. Of a
    result, or the folder of one, as the only argument, nothing is evaluated again.
    """
    marked = {
        name: value
        for marker in reversed([*request.node.iter_markers(MARKER)])
        for name, value in marker.kwargs.items()
    }

    numbers = count(1)

    def judge(*given: Any, **more: Any) -> benison.EvalResult:
        request.node.stash[_JUDGED] = True
        usual = {"output": tmp_path / f"benison-{next(numbers)}", **marked}
        written = _written(given[0], usual) if len(given) == 1 and not more else None
        result = written or _evaluated(given, usual, more)
        if not result.verdict.blessed:
            pytest.fail("\n".join(_reasons(result)), pytrace=False)
        return result

    return judge


def _written(single: Any, usual: Mapping[str, Any]) -> benison.EvalResult | None:
    """The result that an argument is, or that is in the folder it names; None of data to evaluate."""
    import benison

    if isinstance(single, str | os.PathLike):
        is_result = "config" not in usual or _is_output(single)
        return benison.load_result(single) if is_result else None
    return single if isinstance(single, benison.EvalResult) else None


def _is_output(path: str | os.PathLike[str]) -> bool:
    from benison import tfma
    from benison.errors import OutputError
    from benison.output.upload import MANIFEST
    from benison.paths import locate

    with suppress(OutputError):  # data may have addresses that no folder has
        folder = locate(path, OutputError)
        return (folder / MANIFEST).is_file() or (folder.is_dir() and tfma.is_output(folder))
    return False


def _evaluated(
    given: tuple[Any, ...], usual: Mapping[str, Any], more: Mapping[str, Any]
) -> benison.EvalResult:
    import benison

    named = signature(benison.evaluate).bind_partial(*given, **more).arguments
    return benison.evaluate(**{**usual, **named})


def _reasons(result: benison.EvalResult) -> Iterator[str]:
    verdict = result.verdict
    yield verdict.summary()
    yield from (f"  {reason}" for reason in verdict.first_reasons(_SHOWN))
    more = verdict.counts["fail"] - _SHOWN
    if more > 0:
        yield f"  and {more:,} more"
    if result.path is not None:
        yield f"Report: {result.path / 'report.html'}"
