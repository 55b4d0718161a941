# SPDX-License-Identifier: Apache-2.0
"""`python -m benison`."""

from __future__ import annotations

from benison.cli import main

if __name__ == "__main__":
    main()
