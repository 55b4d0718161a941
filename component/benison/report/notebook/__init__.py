# SPDX-License-Identifier: Apache-2.0
"""Results in a notebook: a cell of HTML and charts."""
