# SPDX-License-Identifier: Apache-2.0
"""Reads examples: files and tables become batches."""
