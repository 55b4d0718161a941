# SPDX-License-Identifier: Apache-2.0
"""Finds by itself the slices in which a model is weak, or in which it became worse."""
