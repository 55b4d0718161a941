# SPDX-License-Identifier: Apache-2.0
"""Writes results, whole or not at all, and blesses them."""
