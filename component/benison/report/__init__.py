# SPDX-License-Identifier: Apache-2.0
"""This package is the report: results as one self-contained page."""
