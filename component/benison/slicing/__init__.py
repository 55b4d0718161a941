# SPDX-License-Identifier: Apache-2.0
"""Slices: which rows are in which, and what they are called."""
