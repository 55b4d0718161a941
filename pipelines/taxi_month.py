# SPDX-License-Identifier: Apache-2.0
"""A month of a model in use: its trips are evaluated day by day, and watched over time.

The question is whether a passenger tips more than a fifth of the fare. The model was blessed on last
month's trips, whose tips it knows as well as anyone can. On the 21st one company begins to put the tip
on the bill, and a fifth of its passengers who pay by card tip no more. No value of any day is below its
bound; `benison monitor` says which passengers they are, and since when.

    python pipelines/taxi_month.py --output month-output
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import benison
from benison.monitoring import MonitorReport, Watch
from benison.monitoring.history_pages import history_page
from benison.monitoring.streams import evaluated_in_periods
from benison.monitoring.timeline import Timeline

FIRST, DAYS, CHANGED_DAYS = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC), 30, 10
TRIPS_A_DAY, TRIPS_BEFORE = 2_000, 40_000
CHANGED = "Flash Cab"
COMPANIES = ("Blue Ribbon", "City Service", CHANGED, "Star North", "Sun Taxi")
CONFIG = {
    "model_specs": [{"label_key": "big_tipper", "prediction_key": "score"}],
    "slicing_specs": [
        {},
        {"feature_keys": ["company"]},
        {"feature_keys": ["payment_type"]},
        {"feature_keys": ["payment_type", "company"]},
        {"feature_keys": ["trip_start_hour"]},
    ],
    "metrics_specs": [
        {
            "metrics": [
                {
                    "class_name": "BinaryAccuracy",
                    "threshold": {"value_threshold": {"lower_bound": 0.6}},
                },
                {"class_name": "AUC"},
                {"class_name": "MeanLabel"},
                {"class_name": "MarginDensity"},
            ]
        }
    ],
    "options": {"confidence": {"level": 0.95}},
}


def trips(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Generated trips, with the score of the model and, as they come in later, the tips."""
    rng = np.random.default_rng(seed)
    company, by_card = rng.integers(0, len(COMPANIES), rows), rng.random(rows) < 0.6
    fare = np.exp(rng.normal(2.4, 0.5, rows)).round(2)
    log_odds = np.where(by_card, 2.2 + 0.3 * (company - 2), -3.0) - 0.3 * np.log(fare / 11)
    score = 1 / (1 + np.exp(-log_odds))
    return {
        "company": np.array(COMPANIES)[company],
        "payment_type": np.where(by_card, "Credit Card", "Cash"),
        "trip_start_hour": rng.integers(0, 24, rows),
        "fare": fare,
        "score": score,
        "big_tipper": (rng.random(rows) < score).astype(np.int64),
    }


def month(seed: int) -> dict[str, np.ndarray]:
    """The trips of all days in their order; in the last third fewer tip of what has changed."""
    columns = trips(DAYS * TRIPS_A_DAY, seed)
    day = np.arange(DAYS * TRIPS_A_DAY) // TRIPS_A_DAY
    is_changed = (columns["company"] == CHANGED) & (columns["payment_type"] == "Credit Card")
    is_changed &= day >= DAYS - CHANGED_DAYS
    stops = np.random.default_rng(seed + 1).random(len(day)) < 0.2
    columns["big_tipper"][is_changed & stops] = 0
    columns["pickup"] = int(FIRST.timestamp()) + day * 86_400 + 3_600 * columns["trip_start_hour"]
    return columns


def kept(columns: dict[str, np.ndarray], path: Path) -> str:
    """Keep trips as a logger would; where they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return str(path)


def run(output: Path) -> MonitorReport:
    """Evaluate last month and each day of this one, and write the page of all of them."""
    before = kept(trips(TRIPS_BEFORE, 0), output / "trips" / "february.parquet")
    blessed = benison.evaluate(before, CONFIG, output=output / "february")
    examples = kept(month(1), output / "trips" / "march.parquet")
    result = evaluated_in_periods(examples, CONFIG, "pickup", output=output / "march")
    timeline = Timeline.of_periods(result, "pickup", blessed)
    report = Watch().report(timeline)
    page = history_page(report, timeline)
    (output / "history.html").write_text(page, encoding="utf-8")
    return report


def main() -> None:
    """Run the month and print what monitoring says of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("month-output"), help="a folder")
    output: Path = parser.parse_args().output
    report = run(output)
    print(report.summary)
    for alert in report.alerts:
        print(alert.reason)
    print(f"The page of the month, to open in a browser: {output / 'history.html'}")


if __name__ == "__main__":
    main()
