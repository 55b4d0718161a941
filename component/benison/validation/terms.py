# SPDX-License-Identifier: Apache-2.0
"""The terms of a verdict: the kinds of checks, and their outcomes."""

from __future__ import annotations

PASS, FAIL, NOT_EVALUATED = "pass", "fail", "not_evaluated"
UNDECIDED, RUBBER_STAMPED = "undecided", "rubber_stamped"
WARN = "warn"
"""Of what somebody should look at, and what changes no verdict."""
OUTCOMES = (FAIL, UNDECIDED, NOT_EVALUATED, RUBBER_STAMPED, WARN, PASS)

SHOWN_WORSE, SHOWN_NOT_WORSE = "worse", "not_worse"
"""The zones of a check with evidence, beside `UNDECIDED`: what its sample shows of its bound."""

VALUE_LOWER, VALUE_UPPER = "value_lower", "value_upper"
CHANGE_ABSOLUTE, CHANGE_RELATIVE = "change_absolute", "change_relative"
MISSING = "missing"
"""Of slices or a metric that the results do not have."""
SMALL_SLICES = "small_slices"
"""Of all slices of a spec that have fewer than `min_slice_size` examples."""
REVOKED = "revoked"
"""Of a model whose blessing somebody has taken back."""
CROSS = "cross_"
"""What the name of a check of a comparison of slices begins with."""

LOWER, UPPER = "lower", "upper"

ROUNDING = 1e-9
"""A value that is off its bound by this share of its scale is at the bound: sums of weights such as ten times
0.1 are not 1 in floating point, and the difference of 17/20 and 18/20 is not 0.05."""
