# SPDX-License-Identifier: Apache-2.0
"""Sees what makes of a CSV file another one than was meant: its encoding, and the sign between cells."""

from __future__ import annotations

import json
import re

from benison.data.reading import Rules, open_stream
from benison.errors import DataError

_SIGNS = (";", "\t", "|", ",")
_HEADER_BYTES = 2**16
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def delimiter_of(path: str, rules: Rules) -> str:
    """The sign between cells: what the config says, else a tab in .tsv and a comma in other files.

    >>> delimiter_of("a.csv", Rules()), delimiter_of("a.tsv", Rules(delimiter=";"))
    (',', ';')
    """
    return rules.delimiter or ("\t" if re.search(r"\.tsv(\.\w+)?$", path.lower()) else ",")


def check_encoding(path: str, first: bytes) -> None:
    """Refuse UTF-16, by the first bytes of a file, of which every other one is 0.

    Raises:
        DataError: It is UTF-16.
    """
    if first.startswith(_UTF16) or b"\0" in first[:200]:
        raise DataError(
            f"{path} seems to be UTF-16, and CSV is read as UTF-8. Save it as UTF-8, as does "
            "iconv -f UTF-16 -t UTF-8."
        )


def check_separator(path: str, delimiter: str) -> None:
    """Refuse a file of one column whose header looks like several.

    Raises:
        DataError: Another sign than the delimiter is in the header.
    """
    with open_stream(path) as stream:
        text = stream.read(_HEADER_BYTES).decode("utf-8-sig", errors="replace")
    header = text.partition("\n")[0].strip()
    sign = next((sign for sign in _SIGNS if sign in header and sign != delimiter), None)
    if sign:
        raise DataError(
            f"{path}: columns are separated by {delimiter!r}, and here the separator looks like {sign!r}: "
            f"the header is {header[:200]!r}. Say it in the config, options: {{delimiter: "
            f"{json.dumps(sign)}}}, or save the file with commas and decimal points, or as Parquet."
        )
