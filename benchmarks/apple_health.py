"""How fast an export becomes Singer messages, and in how much memory: ``python benchmarks/apple_health.py 500000``.

Each number is a count of invented records (about 400 bytes each, a third with a child). The tap runs as a process of its
own, as Meltano runs it; its CPU seconds count, so that other work on the machine does not. ``--keep FOLDER`` keeps the
exports for a next time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tap_apple_health.standin import write_large


def measure(path: Path, output: Path) -> tuple[float, int]:
    """Run the tap on *path*; return its CPU seconds and its largest memory in KiB."""
    config = path.with_suffix(".json")
    config.write_text(json.dumps({"path": str(path)}))
    with output.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "tap_apple_health", "--config", str(config)],
            stdout=lines,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"The tap ended with exit code {process.returncode}.")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def main() -> None:
    """Measure each size and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[100_000, 1_000_000], metavar="RECORDS")
    parser.add_argument("--keep", type=Path, help="folder in which the exports are kept")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        start, _ = measure(write_large(folder / "start.zip", 100), Path(os.devnull))
        for count in asked.counts:
            path = folder / f"{count}.zip"
            if not path.exists():
                write_large(path, count)
            seconds, memory = measure(path, Path(os.devnull))
            print(
                f"{count:>10,} records, {path.stat().st_size / 1e6:,.0f} MB packed: {seconds:,.1f} s, "
                f"{count / (seconds - start):,.0f} records/s after {start:.1f} s of start, {memory / 1024:,.0f} MiB"
            )


if __name__ == "__main__":
    main()
