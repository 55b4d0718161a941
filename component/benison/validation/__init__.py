# SPDX-License-Identifier: Apache-2.0
"""Thresholds applied to results."""
