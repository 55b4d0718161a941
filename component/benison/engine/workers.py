# SPDX-License-Identifier: Apache-2.0
"""The engine that an evaluation has asked for, by whatever passes over the data."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benison.engine.clusters import Cluster


class Workers:
    """An engine and its options; a cluster is opened when it is first needed, and closed in the end."""

    def __init__(self, engine: str, options: Sequence[str]) -> None:
        self.engine = engine
        self._options = options
        self._stack = ExitStack()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def are_local(self) -> bool:
        """Whether this process does the work."""
        return self.engine == "local"

    @functools.cached_property
    def cluster(self) -> Cluster:
        """What runs on other processes.

        Raises:
            ConfigError: There is no such engine, or an option is not one of its.
            MissingExtraError: The engine is not installed.
        """
        from benison.engine import clusters

        return self._stack.enter_context(clusters.opened(self.engine, self._options))

    @property
    def temp_location(self) -> str | None:
        """The folder that the options name for what workers on other processes leave."""
        if self.are_local:
            return None
        from benison.engine import clusters

        return clusters.temp_location(self._options)
