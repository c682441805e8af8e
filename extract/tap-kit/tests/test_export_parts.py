"""The parts of the kit on their own: arrays read bit by bit, progress, names."""

from __future__ import annotations

import io
import json
import logging
from decimal import Decimal
from typing import IO

import pytest

from tap_kit.export import Member, MemberError, Rule, json_items
from tap_kit.export_progress import Progress


class Slow(io.BytesIO):
    """Gives a few bytes at a time."""

    step = 1

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size, self.step) if size and size > 0 else size)


def member(content: bytes, step: int = 0) -> Member:
    def opener() -> IO[bytes]:
        slow = Slow(content)
        slow.step = step or len(content) or 1
        return slow

    return Member("a.json", "a.json", opener)


ODD = [
    {"text": 'a"b\\', "brackets": "]}[{,", "nested": [[1], {"a": [{}]}]},
    "text, with ] and \\",
    1,
    [],
    {},
    None,
    "\\\\",
]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("indent", [None, 2], ids=["one line", "indented"])
def test_elements_are_found_wherever_the_bytes_are_cut(step: int, indent: int | None) -> None:
    text = json.dumps(ODD, indent=indent).encode()
    assert list(json_items(member(text, step))) == ODD


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        (b"[]", []),
        (b" [ ] ", []),
        (b"\xef\xbb\xbf[1]", [1]),
        (b'{"a": 1}', [{"a": 1}]),
        (b"[1.10]", [Decimal("1.10")]),
        (b"[123456789012345678901234567890]", [123456789012345678901234567890]),
    ],
)
def test_values_are_exact(text: bytes, elements: list[object]) -> None:
    found = list(json_items(member(text)))
    assert found == elements
    assert [str(element) for element in found] == [str(element) for element in elements]


@pytest.mark.parametrize(
    ("text", "before"),
    [
        (b'[{"a":1},{"a":', 1),
        (b"[1,2", 1),
        (b"[1,,2]", 1),
        (b"[1 2, 3]", 0),
        (b"", 0),
        (b"[", 0),
        (b"[1,]", 1),
    ],
)
def test_what_is_no_array_is_told_after_what_came_before(text: bytes, before: int) -> None:
    items = json_items(member(text))
    for _ in range(before):
        next(items)
    with pytest.raises(MemberError, match=r"a\.json"):
        next(items)


def test_a_file_that_is_too_large_to_be_read_at_once_is_told() -> None:
    with pytest.raises(MemberError, match="larger than 0 MiB"):
        member(b"12345").read(limit=4)


@pytest.mark.parametrize(
    ("name", "matches"),
    [
        ("plays_1.json", True),
        ("My Data/PLAYS_1.JSON", True),
        ("a/b/plays_1.json", True),
        ("xplays_1.json", False),
        ("plays_1.json.txt", False),
        ("plays_1.json/other", False),
    ],
)
def test_a_rule_is_about_the_end_of_the_path(name: str, *, matches: bool) -> None:
    assert Rule(r"plays_\d\.json", None).matches(Member(name, name, io.BytesIO)) is matches


def test_a_rule_may_look_into_the_file() -> None:
    assert Rule(r".*", None, content=rb"^<Health").matches(member(b"<HealthData>"))
    assert not Rule(r".*", None, content=rb"^<Health").matches(member(b"<Clinical>"))


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_a_line_a_minute_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    seconds = [0.0]
    progress = Progress(logging.getLogger("p"), screen=io.StringIO(), clock=lambda: seconds[0])
    progress.expect(2, 200 << 20)
    for _ in range(100):
        seconds[0] += 1.0
        progress.advance(count=1 << 20, records=1000)
    assert [record.message for record in caplog.records] == [
        "0 of 2 files, 60 of 200 MiB, 60,000 records, 1,000/s, about 2 min 20 s left"
    ]


def test_the_time_left_is_of_reading_and_not_of_looking_through() -> None:
    seconds = [0.0]
    progress = Progress(logging.getLogger("p"), screen=io.StringIO(), clock=lambda: seconds[0])
    progress.expect(1, 200 << 20)
    seconds[0] = 1.0
    progress.advance(count=100 << 20)
    progress.begin_reading()
    seconds[0] = 11.0
    progress.advance(count=10 << 20, records=1000)
    assert progress.line(11.0) == "0 of 1 files, 110 of 200 MiB, 1,000 records, 100/s, about 1 min 30 s left"


@pytest.mark.parametrize(("pace", "lines"), [("5", 4), ("nonsense", 0)])
def test_who_shows_the_log_may_ask_for_more_lines(
    pace: str, lines: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("TAP_KIT_PROGRESS_SECONDS", pace)
    seconds = [0.0]
    progress = Progress(logging.getLogger("p"), screen=io.StringIO(), clock=lambda: seconds[0])
    for _ in range(20):
        seconds[0] += 1.0
        progress.advance(records=1)
    assert len(caplog.records) == lines


def test_progress_renews_its_line_on_a_terminal_and_removes_it() -> None:
    seconds = [0.0]
    screen = Screen()
    progress = Progress(logging.getLogger("p"), screen=screen, clock=lambda: seconds[0])
    progress.expect(1, 1 << 20)
    for _ in range(3):
        seconds[0] += 1.0
        progress.advance(members=0, records=10)
    progress.close()
    assert screen.getvalue().count("\r\x1b[K") == 4
    assert screen.getvalue().endswith("\r\x1b[K")
