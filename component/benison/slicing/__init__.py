# SPDX-License-Identifier: Apache-2.0
"""Slices: the rows of each, and its key."""
