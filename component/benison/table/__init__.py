# SPDX-License-Identifier: Apache-2.0
"""The tables of results: their schema, and what tells one value from another."""
