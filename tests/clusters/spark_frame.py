# SPDX-License-Identifier: Apache-2.0
"""What a user does with a DataFrame of Spark's: MASTER DATA CONFIG MODEL [KEY=VALUE ...]."""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession
from pyspark.sql.functions import array, col

import benison
import benison.spark


def main(master: str, data: str, config: str, model: str, *settings: str) -> None:
    """Evaluate a table in nine partitions, of which at least one is empty."""
    builder = SparkSession.builder.master(master)
    for setting in settings:
        builder = builder.config(*setting.split("=", 1))
    session = builder.getOrCreate()
    frame = session.read.parquet(data)
    vector = array_to_vector(array(col("prediction")))  # as Spark's models give them
    spread = frame.repartition(9, col("hour")).withColumn("probability", vector)
    spread = spread.withColumn("driver.hour", col("hour"))
    folder = Path(__file__).parent
    benison.spark.evaluate(
        spread, config, model=model or None, output="out", trust_pickle=True, module_path=folder
    )


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except benison.BenisonError as error:
        sys.exit(f"error: {error}")
