"""Moments, windows and years: the arithmetic behind what is asked next. Pure functions.

Source of the limits: Toggl's API documentation and clients' reports of late 2025, see the README.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LOOK_BACK = timedelta(days=88)
"""``since`` and ``start_date`` are refused beyond three calendar months; the shortest three have 89 days."""

OVERLAP = timedelta(hours=1)
"""How far before its bookmark a stream asks again: what is written twice is known to the loader."""

CLOCK_MARGIN = timedelta(minutes=5)
"""How far a bookmark stays behind the server's clock: changes of the last moments may still come."""

QUIET_MARGIN = timedelta(days=1)
"""How far the bookmark of a quiet account stays behind, lest it grow too old to be asked for."""

FIRST_YEAR = 2006
"""Toggl's first; imported entries may be older than the account."""


class Span(NamedTuple):
    """Days of a calendar year, both ends included."""

    first: date
    last: date

    @property
    def year(self) -> int:
        """The calendar year that the days belong to."""
        return self.first.year


def parse(text: str | None) -> datetime | None:
    """Read one of Toggl's layouts (``Z``, ``+00:00``, ``+02:00``, 0 to 6 digits of fraction) as a moment in UTC.

    A day is its midnight in UTC. None for null, empty and unreadable text.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def next_bookmark(old: datetime | None, newest: datetime | None, now: datetime) -> datetime:
    """Choose the bookmark after a complete answer to ``since``.

    It is the newest change seen, no later than :data:`CLOCK_MARGIN` before the server's clock, no earlier than
    :data:`QUIET_MARGIN` before it, and never goes back.

    Args:
        old: The bookmark so far.
        newest: The latest ``at`` of the answer; None where it was empty.
        now: The server's clock when it answered.
    """
    quiet = now - QUIET_MARGIN
    return max(old or quiet, quiet, min(newest or quiet, now - CLOCK_MARGIN))


def since_of(bookmark: datetime | None, now: datetime) -> datetime:
    """Choose what to ask ``since`` for: the bookmark less the overlap, never beyond the look-back."""
    floor = now - LOOK_BACK
    return floor if bookmark is None else max(bookmark - OVERLAP, floor)


def is_gap(bookmark: datetime | None, now: datetime) -> bool:
    """Tell whether ``since`` cannot reach back to the bookmark."""
    return bookmark is None or bookmark - OVERLAP < now - LOOK_BACK


def is_due(last: str | None, now: datetime, every: timedelta) -> bool:
    """Tell whether something last done at *last* (a text of the state) is to be done again."""
    moment = parse(last)
    return moment is None or now - moment >= every


def windows(start: datetime, end: datetime, longest: timedelta) -> list[tuple[datetime, datetime]]:
    """Split a range into touching windows of at most *longest*, oldest first; an empty range gives none."""
    result = []
    while start < end:
        result.append((start, min(start + longest, end)))
        start = result[-1][1]
    return result


def halves(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Split a window in two at a whole second; a window of a second or less comes back alone."""
    middle = start + timedelta(seconds=int((end - start).total_seconds()) // 2)
    return [(start, middle), (middle, end)] if start < middle < end else [(start, end)]


def years(now: datetime, start: date | None) -> list[Span]:
    """List the calendar years to read, newest first, beginning with the next one (entries may lie ahead).

    Args:
        now: The server's clock.
        start: First day wanted; None reads back to :data:`FIRST_YEAR`.
    """
    first = start or date(FIRST_YEAR, 1, 1)
    return [
        Span(max(first, date(year, 1, 1)), date(year, 12, 31))
        for year in range(now.year + 1, first.year - 1, -1)
    ]


def local_window(span: Span, zone_name: str | None) -> tuple[datetime, datetime]:
    """Give the moments between which a span lies in the user's time zone, the second one excluded.

    The days of a report are days of the profile's zone. Where the zone is unknown here, a day is left off at each
    end, so that the window surely lies inside of what was read.
    """
    after = span.last + timedelta(days=1)
    try:
        zone = ZoneInfo(zone_name or "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _midnight(span.first + timedelta(days=1)), _midnight(span.last)
    return _midnight(span.first, zone), _midnight(after, zone)


def _midnight(day: date, zone: ZoneInfo | None = None) -> datetime:
    return datetime.combine(day, time(), zone or UTC).astimezone(UTC)
