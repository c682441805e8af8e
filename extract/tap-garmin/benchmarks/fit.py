"""How fast FIT files are decoded, and how fast they leave the tap as Singer messages.

    python extract/tap-garmin/benchmarks/fit.py [FOLDER]

Without a folder of one's own files it makes some: runs of an hour with a value a second, and small files as a watch
writes them around the clock. Prints one line per way.
"""

# ruff: noqa: INP001, S101, T201 - a program that is run by hand and prints

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tap_garmin.fit import decode
from tap_garmin.standin.fitmaker import activity_fit, monitoring_fit

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
RUNS, SMALL = 20, 200


def make(folder: Path) -> None:
    """Write invented files: runs, and monitoring files of 300 messages."""
    for number in range(RUNS):
        start = START + timedelta(days=number)
        (folder / f"run{number}.fit").write_bytes(activity_fit(start, 3600, step=1))
    for number in range(SMALL):
        content = monitoring_fit(START + timedelta(hours=number), minutes=300)
        (folder / f"monitoring{number}.fit").write_bytes(content)


def report(what: str, contents: list[bytes], messages: int, cpu: float, wall: float) -> None:
    """Print one line of the table; rates are by CPU time, as other work on the machine does not change it."""
    size = sum(map(len, contents)) / 1e6
    print(
        f"{what:<24} {len(contents):>5} files {size:>7.2f} MB {messages:>8} messages {cpu:>6.1f} s CPU {wall:>6.1f} s "
        f"{size / cpu:>6.2f} MB/s {messages / cpu:>7.0f} messages/s"
    )


def decoding(contents: list[bytes]) -> None:
    """Measure the decoding alone, in this process."""
    decode(contents[0])  # loads the profile
    cpu, wall = time.process_time(), time.perf_counter()
    messages = sum(len(decode(content).records) for content in contents)
    report("decoding", contents, messages, time.process_time() - cpu, time.perf_counter() - wall)


def tap(folder: Path, contents: list[bytes]) -> None:
    """Measure a whole run of the tap, its start and its processes included."""
    with tempfile.TemporaryDirectory() as place:
        config = Path(place, "config.json")
        config.write_text(json.dumps({"path": str(folder)}))
        command = [sys.executable, "-m", "tap_garmin", "--config", str(config)]
        wall = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"HOME": place, "PATH": ""}
        ) as run:
            assert run.stdout
            messages = sum(b'"stream":"fit_messages","record"' in line for line in run.stdout)
        wall = time.perf_counter() - wall
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    report("tap, folder to Singer", contents, messages, usage.ru_utime + usage.ru_stime, wall)
    print(f"peak memory of the tap: {usage.ru_maxrss / 1024:.0f} MB")


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(place)
        if len(sys.argv) == 1:
            make(folder)
        contents = [path.read_bytes() for path in sorted(folder.rglob("*.fit"))]
        decoding(contents)
        tap(folder, contents)


if __name__ == "__main__":
    main()
