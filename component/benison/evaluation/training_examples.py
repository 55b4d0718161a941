# SPDX-License-Identifier: Apache-2.0
"""Binds a verdict to the examples that the models were trained on, where a probe compares with them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from benison.config import EvalConfig
from benison.config.debugging_options import MEMBERSHIP
from benison.data.dataset import Dataset
from benison.data.identity import Identity
from benison.errors import BenisonError, DataError
from benison.evaluation.examples import open_examples


@dataclasses.dataclass
class TrainingExamples:
    """The data of `debugging.training_examples`.

    Attributes:
        config: With its defaults filled in.
    """

    config: EvalConfig

    @property
    def are_read(self) -> bool:
        """Whether a probe reads them."""
        options = self.config.debugging
        return options is not None and any(probe.name == MEMBERSHIP for probe in options.probes)

    @functools.cached_property
    def _opened(self) -> Dataset | BenisonError:
        options = self.config.debugging
        assert options is not None
        called = [spec.name for spec in self.config.model_specs]
        try:
            return open_examples([*options.training_examples], None, self.config, called)
        except BenisonError as error:
            return error

    @property
    def dataset(self) -> Dataset:
        """The data, as they were when this was first asked.

        Raises:
            BenisonError: They cannot be opened.
        """
        if isinstance(self._opened, Dataset):
            return self._opened
        raise self._opened

    @functools.cached_property
    def _identity(self) -> Identity:
        return Identity(self.dataset, lambda: None)

    def record(self) -> dict[str, Any]:
        """What a manifest says of them: nothing if no probe reads them, None if they cannot be read.

        Raises:
            DataError: They were changed since they were opened.
        """
        if not self.are_read:
            return {}
        if not isinstance(self._opened, Dataset):
            return {"training": None}
        self._identity.check_unchanged()
        with closing(self._identity):
            try:
                return {"training": self._identity.record(self._opened)}
            except DataError:  # the probe says so
                return {"training": None}

    def are_of(self, manifest: Mapping[str, Any]) -> bool:
        """Whether an output was judged with these data, or with none that could be read, as these cannot."""
        if not self.are_read:
            return True
        record = manifest.get("training")
        if isinstance(self._opened, Dataset):
            return record is not None and self._identity.is_of(record)
        return record is None and "training" in manifest
