"""Sizes that take longer than a fast test may: a century of months, records of 100 MB and more than JSONB holds.

By hand: ``pytest load/target-postgres-bronze/tests/soak/sizes.py``.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Bronze

log = logging.getLogger(__name__)
MEGABYTE = 1024 * 1024


def test_1200_months_of_one_run_land_in_their_partitions(bronze: Bronze) -> None:
    days = [f"{1930 + month // 12}-{month % 12 + 1:02}-15" for month in range(1200)]
    records = [bronze.record({"id": number, "at": day}) for number, day in enumerate(days)]

    outcome = bronze.load(bronze.schema(replication_key="at"), *records)

    assert outcome.code == 0, outcome.log
    assert bronze.column("tableoid::regclass::text") == [f"bronze_shop_y{day[:4]}m{day[5:7]}" for day in days]
    assert bronze.query("SELECT * FROM bronze.disagreements('shop')") == []


def test_a_record_of_100_megabytes_lands_whole_and_the_rest_with_it(bronze: Bronze, tmp_path: Path) -> None:
    text = "0123456789abcde " * (100 * MEGABYTE // 16)
    path = tmp_path / "large.singer"
    path.write_bytes(
        bronze.lines(
            bronze.schema(),
            *(bronze.record({"id": number, "a": text * (number == 1)}) for number in range(3)),
        )
    )

    loader = bronze.start(path)
    peak = 0
    while loader.poll() is None:
        peak = max(peak, psutil.Process(loader.pid).memory_info().rss)
        psutil.wait_procs([psutil.Process(loader.pid)], timeout=0.05)
    _, said = loader.communicate(timeout=60)
    log.info("peak of the loader: %d MB", peak // MEGABYTE)

    assert loader.returncode == 0, said
    assert bronze.column("md5(raw_data ->> 'a')", "raw_id = '1'") == [
        hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    ]
    assert bronze.books() == ("succeeded", 3, 3, 0, 0, 0)


def test_a_record_that_jsonb_cannot_hold_is_a_dead_letter_and_the_rest_lands(bronze: Bronze) -> None:
    large = bronze.raw_record(b'{"id":1,"a":"%s"}' % (b"x" * (300 * MEGABYTE)))

    outcome = bronze.load(
        bronze.schema(), bronze.record({"id": 0}), large, bronze.record({"id": 2}), bronze.state(3)
    )

    assert (outcome.code, outcome.states) == (0, [3]), outcome.log
    assert bronze.column("raw_id") == ["0", "2"]
    assert bronze.query("SELECT category, octet_length(original) FROM bronze.dead_letters") == [
        ("database", len(large))
    ]
    assert bronze.books() == ("succeeded", 3, 2, 0, 0, 1)
