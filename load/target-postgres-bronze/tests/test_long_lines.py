"""A line that PostgreSQL cannot store: a dead letter that refers to the raw archive, and the rest lands."""

from __future__ import annotations

import io
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from target_postgres_bronze.operator.archives import ArchiveReader

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Bronze

LIMIT = 5_000
LETTERS = "SELECT stream, category, reason, original, position, seen_count FROM bronze.dead_letters"


@pytest.fixture(autouse=True)
def lower_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make lines of some kilobytes too long."""
    monkeypatch.setattr("target_postgres_bronze.long_lines.LARGEST_LINE", LIMIT)


class Pieces(io.BytesIO):
    """Messages that come in pieces of *size* bytes."""

    size = 700

    def read(self, _size: int | None = -1, /) -> bytes:
        return super().read(self.size)


@pytest.mark.parametrize("size", [1, 700, 10**6], ids=["bytes", "pieces", "at once"])
@pytest.mark.parametrize("at_the_end", [False, True], ids=["in the middle", "at the end"])
def test_a_line_that_is_too_long_costs_itself_alone(
    bronze_18: Bronze, tmp_path: Path, size: int, *, at_the_end: bool
) -> None:
    line = json.dumps(bronze_18.record({"id": 2, "a": "x" * 2 * LIMIT})).encode()
    messages: list[dict[str, Any] | bytes] = [
        bronze_18.schema(),
        bronze_18.record({"id": 1}),
        line,
        bronze_18.record({"id": 3}),
        bronze_18.state(1),
    ]
    if at_the_end:
        messages.append(messages.pop(2))
    text = bronze_18.lines(*messages)
    text = text.removesuffix(b"\n") if at_the_end else text

    for _ in range(2):
        source = Pieces(text)
        source.size = size
        outcome = bronze_18.load_from(source, archive_dir=str(tmp_path / "archive"), batch_size_rows=1)
        assert (outcome.code, outcome.states[-1:]) == (0, [1]), outcome.log

    assert bronze_18.column("raw_id") == ["1", "3"]
    assert bronze_18.books() == ("succeeded", 3, 0, 0, 2, 1)
    ((stream, category, reason, original, position, seen),) = bronze_18.query(LETTERS)
    assert (stream, category, position, seen) == ("orders", "system", 5 if at_the_end else 3, 2)
    assert json.loads(original) == {"size": len(line), "sha256": sha256(line).hexdigest()}
    assert f"line {position}" in reason
    for file in (tmp_path / "archive").rglob("*.zst"):
        with ArchiveReader(file) as archived:
            assert b"".join(iter(archived.read, b"")) == text


def test_without_an_archive_the_letter_says_that_nothing_keeps_it(bronze_18: Bronze) -> None:
    outcome = bronze_18.load(bronze_18.schema(), b"x" * 2 * LIMIT, bronze_18.record({"id": 1}))

    assert (outcome.code, bronze_18.column("raw_id")) == (0, ["1"])
    ((stream, _, reason, *_),) = bronze_18.query(LETTERS)
    assert stream == ""
    assert "nothing keeps it" in reason
