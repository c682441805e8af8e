from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from tap_toggl import moments
from tap_toggl.moments import Span

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T12:00:00+00:00",
        "2026-03-02T12:00:00Z",
        "2026-03-02T12:00:00.0000Z",
        "2026-03-02T12:00:00.000000Z",
        "2026-03-02T13:00:00+01:00",
        "2026-03-02T04:00:00-08:00",
    ],
)
def test_all_layouts_read_as_the_same_moment(text: str) -> None:
    assert moments.parse(text) == NOW


@pytest.mark.parametrize(
    ("text", "micros"), [("0.1234Z", 123_400), ("0.12345Z", 123_450), ("0.123456Z", 123_456), ("0Z", 0)]
)
def test_fractions_of_any_length_count(text: str, micros: int) -> None:
    assert moments.parse(f"2026-03-02T12:00:0{text}") == NOW.replace(microsecond=micros)


@pytest.mark.parametrize("text", [None, "", "soon"], ids=["null", "empty", "word"])
def test_no_moment_is_none(text: str | None) -> None:
    assert moments.parse(text) is None


def test_bookmark_follows_the_newest_change() -> None:
    newest = NOW - timedelta(hours=2)
    assert moments.next_bookmark(NOW - timedelta(days=3), newest, NOW) == newest


def test_bookmark_stays_behind_the_servers_clock() -> None:
    assert moments.next_bookmark(None, NOW + timedelta(hours=1), NOW) == NOW - timedelta(minutes=5)


def test_bookmark_of_a_quiet_account_does_not_grow_too_old() -> None:
    assert moments.next_bookmark(NOW - timedelta(days=80), None, NOW) == NOW - timedelta(days=1)


def test_bookmark_never_goes_back() -> None:
    old = NOW - timedelta(minutes=3)
    assert moments.next_bookmark(old, NOW - timedelta(days=2), NOW) == old


@pytest.mark.parametrize(
    ("age", "gap"),
    [(timedelta(days=1), False), (timedelta(days=87, hours=22), False), (timedelta(days=88), True)],
    ids=["a day", "just within", "88 days"],
)
def test_gap_begins_where_since_cannot_reach_back(age: timedelta, gap: bool) -> None:  # noqa: FBT001 - expected value
    assert moments.is_gap(NOW - age, NOW) is gap


@pytest.mark.parametrize("days", [1, 87, 88, 100, 4000])
def test_since_is_never_older_than_88_days(days: int) -> None:
    assert moments.since_of(NOW - timedelta(days=days), NOW) >= NOW - timedelta(days=88)


def test_since_overlaps_the_bookmark_by_an_hour() -> None:
    assert moments.since_of(NOW - timedelta(days=1), NOW) == NOW - timedelta(days=1, hours=1)


def test_windows_touch_and_cover_the_range() -> None:
    found = moments.windows(NOW - timedelta(days=65), NOW, timedelta(days=30))
    assert [end - start for start, end in found] == [
        timedelta(days=30),
        timedelta(days=30),
        timedelta(days=5),
    ]
    assert found[0][0] == NOW - timedelta(days=65)
    assert found[-1][1] == NOW
    assert all(first[1] == second[0] for first, second in itertools.pairwise(found))


def test_empty_range_has_no_windows() -> None:
    assert moments.windows(NOW, NOW, timedelta(days=1)) == []


def test_window_halves_at_a_whole_second() -> None:
    first, second = moments.halves(NOW, NOW + timedelta(seconds=3))
    assert first[1] == second[0] == NOW + timedelta(seconds=1)


def test_window_of_a_second_cannot_be_halved() -> None:
    assert moments.halves(NOW, NOW + timedelta(seconds=1)) == [(NOW, NOW + timedelta(seconds=1))]


def test_years_go_from_the_next_one_back_to_the_first() -> None:
    found = moments.years(NOW, None)
    assert [span.year for span in found] == list(range(2027, 2005, -1))
    assert found[1] == Span(date(2026, 1, 1), date(2026, 12, 31))


def test_first_year_begins_at_the_start_date() -> None:
    found = moments.years(NOW, date(2025, 6, 15))
    assert found[-1] == Span(date(2025, 6, 15), date(2025, 12, 31))
    assert len(found) == 3


def test_year_is_never_longer_than_the_reports_allow() -> None:
    assert all((span.last - span.first).days + 1 <= 366 for span in moments.years(NOW, None))


def test_window_of_a_year_is_the_profiles_year() -> None:
    start, end = moments.local_window(Span(date(2025, 1, 1), date(2025, 12, 31)), "Pacific/Auckland")
    assert start == datetime(2024, 12, 31, 11, tzinfo=UTC)
    assert end == datetime(2025, 12, 31, 11, tzinfo=UTC)


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "../etc"])
def test_window_in_an_unknown_zone_leaves_off_a_day_at_each_end(zone: str | None) -> None:
    start, end = moments.local_window(Span(date(2025, 1, 1), date(2025, 12, 31)), zone)
    assert (start.date(), end.date()) == (date(2025, 1, 2), date(2025, 12, 31))
