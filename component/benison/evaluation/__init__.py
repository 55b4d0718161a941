# SPDX-License-Identifier: Apache-2.0
"""The one job: read, extract, evaluate, validate, write, bless, record."""
