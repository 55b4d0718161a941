# SPDX-License-Identifier: Apache-2.0
"""The table of file formats: the endings of file names, and the functions that read each format."""

from __future__ import annotations

import re

from benison.data import (
    arrow_files,
    avro_files,
    csv_files,
    json_lines,
    lake_tables,
    orc_files,
    parquet_files,
    score_files,
    tf_examples,
)
from benison.data.reading import Format

FORMATS = {
    format_.name: format_
    for format_ in (
        Format(
            "parquet",
            r"\.(parquet|pq)$",
            parquet_files.inspect,
            parquet_files.read,
            parquet_files.parts,
        ),
        Format(
            "csv",
            r"\.[ct]sv(\.gz|\.bz2|\.zst)?$",
            csv_files.inspect,
            csv_files.read,
            scan=csv_files.scan,
            infers_types=True,
        ),
        Format(
            "scores",
            r"(\.eval|\.json|(^|/)samples_[^/]+_\d{4}-\d\d-\d\dt[\d.-]+\.jsonl)$",
            score_files.inspect,
            score_files.read,
        ),
        Format(
            "jsonl",
            r"\.(jsonl|ndjson)(\.gz)?$",
            json_lines.inspect,
            json_lines.read,
            scan=json_lines.scan,
            infers_types=True,
            open_fields=True,
        ),
        Format("orc", r"\.orc$", orc_files.inspect, orc_files.read),
        Format("avro", r"\.avro$", avro_files.inspect, avro_files.read),
        Format("arrow", r"\.(arrow|feather|ipc)$", arrow_files.inspect, arrow_files.read),
        Format(
            "tfrecord",
            r"(\.tfrecords?(\.gz)?|-\d+-of-\d+(\.gz)?)$",
            tf_examples.inspect,
            tf_examples.read,
            scan=tf_examples.scan,
            open_fields=True,
        ),
        Format(
            lake_tables.DELTA,
            "",
            lake_tables.inspect_delta,
            lake_tables.read_delta,
            log=lake_tables.log_of_delta,
        ),
        Format(
            lake_tables.ICEBERG,
            "",
            lake_tables.inspect_iceberg,
            lake_tables.read_iceberg,
            log=lake_tables.log_of_iceberg,
        ),
    )
}


def format_of(path: str) -> str | None:
    """The format that a file's ending stands for.

    >>> format_of("a/data_tfrecord-00000-of-00001.gz"), format_of("x.png")
    ('tfrecord', None)
    """
    by_ending = (f for f in FORMATS.values() if f.ending)
    return next((f.name for f in by_ending if re.search(f.ending, path.lower())), None)
