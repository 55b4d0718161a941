# SPDX-License-Identifier: Apache-2.0
"""Applies thresholds to results."""
