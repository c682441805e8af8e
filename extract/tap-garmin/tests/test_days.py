from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tap_garmin.days import MOST_TRIES, Calendar, Span

TODAY = date(2026, 3, 2)
YESTERDAY = date(2026, 3, 1)


def calendar(**state: Any) -> Calendar:
    return Calendar(dict(state), TODAY, YESTERDAY)


def date_of(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


def milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp() * 1000)


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


def test_a_span_goes_from_its_last_day_to_its_first() -> None:
    assert list(Span(date(2026, 2, 27), TODAY).youngest_first()) == days(
        "2026-03-02", "2026-03-01", "2026-02-28", "2026-02-27"
    )


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (2, [("2026-02-28", "2026-03-01"), ("2026-02-26", "2026-02-27"), ("2026-02-25", "2026-02-25")]),
        (5, [("2026-02-25", "2026-03-01")]),
        (9, [("2026-02-25", "2026-03-01")]),
    ],
    ids=["remainder", "exact", "longer"],
)
def test_pieces_cover_a_span_without_overlap(length: int, expected: list[tuple[str, str]]) -> None:
    found = Span(date(2026, 2, 25), YESTERDAY).pieces(length)
    assert [(piece.first.isoformat(), piece.last.isoformat()) for piece in found] == expected


def test_the_first_window_reaches_back_from_yesterday() -> None:
    assert calendar().window(14, None, date_of) == Span(date(2026, 2, 15), TODAY)


def test_a_bookmark_that_fell_behind_opens_the_window() -> None:
    assert calendar(bookmark="2026-02-10").window(14, None, date_of).first == date(2026, 1, 27)


def test_a_bookmark_that_fell_far_behind_leaves_the_older_days_to_the_list() -> None:
    found = calendar(bookmark="2025-06-10")
    assert found.window(14, None, date_of).first == date(2026, 1, 16)
    assert found.state["todo"] == [["2025-05-27", "2026-01-15"]]


def test_a_new_sync_reaches_back_to_the_one_before() -> None:
    former = milliseconds(date(2026, 1, 31))
    found = calendar(bookmark="2026-03-01", upload=former)
    assert found.window(14, milliseconds(TODAY), date_of).first == date(2026, 1, 29)


def test_the_same_sync_seen_again_opens_no_wider_window() -> None:
    former = milliseconds(date(2026, 1, 31))
    found = calendar(bookmark="2026-03-01", upload=former)
    assert found.window(14, former, date_of).first == date(2026, 2, 15)


def test_the_bookmark_moves_to_yesterday_and_never_past_it() -> None:
    found = calendar()
    found.close_window(found.window(14, None, date_of), None)
    assert found.state["bookmark"] == "2026-03-01"


def test_the_bookmark_stops_before_the_first_failed_day() -> None:
    found = calendar(bookmark="2026-02-20")
    found.failed(date(2026, 2, 25))
    found.failed(date(2026, 2, 27))
    found.close_window(found.window(14, None, date_of), 5)
    assert found.state["bookmark"] == "2026-02-24"
    assert "upload" not in found.state


def test_the_bookmark_never_moves_back() -> None:
    found = calendar(bookmark="2026-02-26")
    found.failed(date(2026, 2, 20))
    found.close_window(found.window(14, None, date_of), None)
    assert found.state["bookmark"] == "2026-02-26"


def test_a_day_that_failed_today_does_not_hold_the_bookmark() -> None:
    found = calendar()
    found.failed(TODAY)
    found.close_window(found.window(14, None, date_of), None)
    assert found.state["bookmark"] == "2026-03-01"


def test_a_day_that_fails_for_ever_holds_the_bookmark_for_some_runs_and_stays_a_gap() -> None:
    found = calendar(bookmark="2026-02-20")
    for _ in range(MOST_TRIES):
        found.failed(date(2026, 2, 25))
    found.close_window(found.window(14, None, date_of), None)
    assert found.state["bookmark"] == "2026-03-01"
    assert found.gaps == days("2026-02-25")


def test_a_day_that_succeeds_is_a_gap_no_more() -> None:
    found = calendar()
    found.failed(YESTERDAY)
    found.succeeded(YESTERDAY)
    assert found.state == {}


def test_the_history_is_planned_once_and_read_from_the_youngest_day() -> None:
    found = calendar()
    window = found.window(14, None, date_of)
    for _ in range(2):
        found.plan_history(date(2026, 2, 10), window)
    read = []
    while piece := found.next_piece(2):
        read.append((piece.first.isoformat(), piece.last.isoformat()))
        found.done(piece)
    assert read == [("2026-02-13", "2026-02-14"), ("2026-02-11", "2026-02-12"), ("2026-02-10", "2026-02-10")]
    assert "todo" not in found.state


def test_an_earlier_start_adds_the_days_before_the_former_one_alone() -> None:
    found = calendar(since="2026-01-01")
    found.plan_history(date(2025, 12, 30), found.window(14, None, date_of))
    assert found.state["todo"] == [["2025-12-30", "2025-12-31"]]


def test_a_later_start_changes_nothing() -> None:
    found = calendar(since="2026-01-01")
    found.plan_history(date(2026, 2, 1), found.window(14, None, date_of))
    assert found.state == {"since": "2026-01-01"}


def test_the_sweep_comes_once_a_month_and_not_in_the_first() -> None:
    found = calendar()
    window = found.window(14, None, date_of)
    found.plan_sweep(130, window)
    assert "todo" not in found.state
    later = Calendar(found.state, date(2026, 4, 1), date(2026, 3, 31))
    window = later.window(14, None, date_of)
    later.plan_sweep(130, window)
    assert later.state["todo"] == [["2025-11-22", (window.first - timedelta(days=1)).isoformat()]]
    later.state["todo"] = []
    later.plan_sweep(130, window)
    assert later.state["todo"] == []


def test_ranges_that_failed_are_kept_until_they_are_taken_up() -> None:
    found = calendar()
    spans = [Span(date(2026, 1, 1), date(2026, 1, 28)), Span(date(2025, 1, 1), date(2025, 1, 28))]
    for span in spans:
        found.put_aside(span)
    assert found.aside == spans
    for span in spans:
        found.take_up(span)
    assert found.state == {}


def test_spans_on_the_list_are_merged_where_they_meet() -> None:
    found = calendar(todo=[["2026-01-01", "2026-01-10"]], since="2026-01-01")
    found.plan_history(date(2025, 12, 1), Span(date(2026, 2, 1), TODAY))
    assert found.state["todo"] == [["2025-12-01", "2026-01-10"]]
