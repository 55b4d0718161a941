# SPDX-License-Identifier: Apache-2.0
"""What the pages have in common: how a document is put together, and the scripts and styles of all."""
