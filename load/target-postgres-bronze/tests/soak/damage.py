"""Lines damaged at random, by the ten thousand: every line is a row, known, or a dead letter with its bytes; nothing hangs or tells.

By hand: ``pytest load/target-postgres-bronze/tests/soak/damage.py``; ``SOAK_LINES`` says how many lines to damage, and the
``SOAK_SEED`` that a failure shows repeats it.
"""

from __future__ import annotations

import io
import json
import logging
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from conftest import Bronze

log = logging.getLogger(__name__)
LINES = int(os.environ.get("SOAK_LINES", "20000"))
PAYLOAD = "p4yl0ad"
SECONDS = 60
NOT_COUNTED = ("SCHEMA", "STATE", "ACTIVATE_VERSION")
JUNK = [b"\n", b"\r", b'"', b"{", b"}", b"[", b"]", b":", b",", b"\\", b"\\u", b"\\u0000", b"\\ud800", b"\\N", b"\t", b"\x00", b"\xff",
        b"\xc3", b"\xef\xbb\xbf", b"NaN", b"1e999999", b"-0", b"-", b"9" * 400, b"null", b"true", b'"RECORD"', b'"STATE"', b'"SCHEMA"',
        b'"orders"', b'"stream"', b'"id"', b'"at"', b"[" * 3000, b" "]  # fmt: skip


class HangsError(BaseException):
    """The loader took too long; not an Exception, so that nothing takes it for a record's fault."""


@contextmanager
def bounded(seconds: int) -> Iterator[None]:
    """Raise HangsError after *seconds*."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise HangsError

    former = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, former)


def flip(line: bytes, at: int, chance: random.Random) -> bytes:
    return line[:at] + bytes([line[at] ^ (1 << chance.randrange(8))]) + line[at + 1 :]


def insert(line: bytes, at: int, chance: random.Random) -> bytes:
    return line[:at] + chance.choice(JUNK) + line[at:]


def put(line: bytes, at: int, chance: random.Random) -> bytes:
    junk = chance.choice(JUNK)
    return line[:at] + junk + line[at + len(junk) :]


def cut(line: bytes, at: int, chance: random.Random) -> bytes:
    return line[:at] + line[at + chance.randrange(1, 30) :]


def end(line: bytes, at: int, _chance: random.Random) -> bytes:
    return line[:at]


def double(line: bytes, at: int, chance: random.Random) -> bytes:
    return line[:at] + line[max(0, at - chance.randrange(1, 60)) :]


KINDS: list[Callable[[bytes, int, random.Random], bytes]] = [flip, insert, put, cut, end, double]


def damaged(line: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        if line:
            line = chance.choice(KINDS)(line, chance.randrange(len(line)), chance)
    return line


def whole_run(bronze: Bronze, trial: int) -> list[bytes]:
    """Return the lines of a run with three streams: keyed and closed, keyed within a window, and without a key."""
    properties = {"id": {"type": "integer"}, "at": {"type": "string"}, "a": {"type": "string"}}
    window = {"from": "2024-01-01", "to": "2024-02-01"}
    orders = f"orders_{trial}"
    lines: list[dict[str, Any] | bytes] = [
        bronze.schema(orders, replication_key="at", properties=properties, x_absence="full"),
        bronze.schema("days", x_absence="window", x_absence_window=window, x_source_timestamp="at"),
        bronze.schema("notes", key=None),
    ]
    for number in range(30):
        content = {"id": number, "at": f"2024-01-{number % 28 + 1:02}", "a": f"{PAYLOAD} {trial}"}
        lines.append(bronze.record(content, orders, page=number, file_path=f"{trial}.json"))
        lines.append(bronze.record({**content, "b": {PAYLOAD: [1.10, None]}}, "days"))
        lines.append(bronze.record({"text": f"{PAYLOAD} {number % 9}"}, "notes"))
        lines.append(bronze.state({"at": number}))
    lines += [bronze.finish("days"), bronze.finish(orders)]
    return [line for line in bronze.lines(*lines).split(b"\n") if line]


def is_no_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return True
    return False


def type_of(line: bytes) -> str:
    """Return what a line says it is, read by another reader than the loader's."""
    try:
        message = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return ""
    kind = message.get("type") if isinstance(message, dict) else None
    return kind if isinstance(kind, str) else ""


def assert_accounted_for(bronze: Bronze, stream: bytes, archive: Path) -> None:
    """Each line that is no readable SCHEMA, STATE or end of a stream is in the books; unreadable ones are kept as they were."""
    status, read, new, changed, known, rejected = bronze.books()
    assert status == "succeeded"
    assert read == new + changed + known + rejected
    lines = [line for line in stream.split(b"\n") if line.strip()]
    counted = [line for line in lines if type_of(line) not in NOT_COUNTED]
    assert len(counted) <= read <= len(lines)
    letters = {bytes(row[0]) for row in bronze.query("SELECT original FROM bronze.dead_letters")}
    for line in counted:
        if is_no_json(line) and b"NaN" not in line and b'"RECORD"' not in line:
            assert line in letters, line[:300]
    (newest,) = bronze.query("SELECT archive_path FROM bronze.runs ORDER BY started_at DESC LIMIT 1")
    with (archive / newest[0]).open("rb") as file:
        assert zstandard.ZstdDecompressor().stream_reader(file).read() == stream


def assert_nothing_told(bronze: Bronze, said: str) -> None:
    """Names of fields may be told, values never."""
    told = [said]
    for query in (
        "SELECT reason FROM bronze.dead_letters",
        "SELECT error_message FROM bronze.runs",
        "SELECT error_message FROM bronze_shop",
    ):
        told += [row[0] or "" for row in bronze.query(query)]
    assert not [text for text in told if f"{PAYLOAD} " in text]


def test_whatever_is_damaged_every_line_is_accounted_for(
    bronze_18: Bronze, chance: random.Random, tmp_path: Path
) -> None:
    total = trials = failures = rejected = rows = 0
    while total < LINES:
        share = chance.choice([0.02, 0.2, 0.6, 1])
        lines = whole_run(bronze_18, trials)
        hit = [chance.random() < share for _ in lines]
        stream = b"\n".join(
            damaged(line, chance) if is_hit else line for line, is_hit in zip(lines, hit, strict=True)
        )
        settings = {"archive_dir": str(tmp_path), "max_rejected_share": 1, "max_invalid_share": 1}
        with bounded(SECONDS):
            outcome = bronze_18.load_from(
                io.BytesIO(stream), batch_size_rows=chance.choice([1, 7, 500]), **settings
            )
        assert "Traceback" not in outcome.log
        assert_nothing_told(bronze_18, outcome.log)
        if outcome.code == 0:
            assert_accounted_for(bronze_18, stream, tmp_path)
        else:
            assert "BATCH" in outcome.log, outcome.log
            failures += 1
        trials, total = trials + 1, total + sum(hit)
        if trials % 20 == 0:
            bronze_18.query("SET bronze.maintenance = 'on'; DELETE FROM bronze.dead_letters")
        rejected += bronze_18.books()[5]
        rows += bronze_18.books()[2]
    assert bronze_18.query("SELECT * FROM bronze.disagreements('shop') WHERE rule NOT LIKE '%letter%'") == []
    log.info(
        "%d lines damaged in %d runs: %d rejected, %d rows, %d runs refused",
        total,
        trials,
        rejected,
        rows,
        failures,
    )
