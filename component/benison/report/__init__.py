# SPDX-License-Identifier: Apache-2.0
"""Shows results: as a self-contained page, as a page over several runs, in a notebook, and in a CI."""
