# SPDX-License-Identifier: Apache-2.0
"""Shows results in a notebook: as a piece of HTML and as Altair charts."""
