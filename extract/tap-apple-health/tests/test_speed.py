"""An import needs the same memory whatever its size, and is fast because lines are joined and not serialised."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tap_apple_health.standin import write_large

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import resource, sys
from tap_apple_health.tap import TapAppleHealth
TapAppleHealth(config={"path": sys.argv[1]}).sync_all()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def imported(path: Path, lines: Path) -> int:
    """Import and return the largest memory in KiB."""
    with lines.open("wb") as out:
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)],
            stdout=out,
            stderr=subprocess.PIPE,
            check=True,
            timeout=60,
        )
    return int(ended.stderr.split()[-1])


def test_ten_times_the_size_needs_the_same_memory_and_the_books_balance(tmp_path: Path) -> None:
    small = imported(write_large(tmp_path / "small.zip", 10_000), tmp_path / "small.singer")
    large = imported(write_large(tmp_path / "large.zip", 100_000), tmp_path / "large.singer")
    assert large < small + 20 * 1024
    with (tmp_path / "large.singer").open("rb") as lines:
        count = sum(line.startswith(b'{"type":"RECORD","stream":"records"') for line in lines)
        lines.seek(0)
        (file,) = [json.loads(line)["record"] for line in lines if b'"stream":"_files","record"' in line]
    assert count == file["records"]["records"] == 100_000
