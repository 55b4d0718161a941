# SPDX-License-Identifier: Apache-2.0
"""Calls models on changed rows and counts what comes of it."""
