# SPDX-License-Identifier: Apache-2.0
"""`python -m benison`, and the program `benison`."""

from __future__ import annotations

from benison.late_imports import imported


def main() -> None:
    """Run the command."""
    imported("benison.cli").main()


if __name__ == "__main__":
    main()
