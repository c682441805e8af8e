"""Which days are due: pure arithmetic over the state of a stream of days.

A watch syncs days or weeks later, today is always partial, and people edit. So each run reads a look-back window, the
bookmark moves only over consecutive days that were read and never past yesterday, and days that failed are kept by
name until they succeed.

State of a stream: ``bookmark`` (last day up to which all were read), ``since`` (first day that was asked for or is in
``todo``), ``todo`` (ranges still to read, youngest first), ``gaps`` (failed days and how often), ``upload`` (last
sync seen, milliseconds), ``swept`` (month of the last sweep).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = timedelta(days=1)

MOST_TRIES = 5
"""After so many failures a day no longer holds the bookmark; it is still tried in each run, and told."""

LONGEST_WINDOW = timedelta(days=45)
"""What lies further back goes to the list of days to be read, where each day counts as soon as it is read."""

UPLOAD_MARGIN = timedelta(days=2)
"""A sync may bring days from a little before the last one."""


@dataclass(frozen=True)
class Span:
    """Days from *first* to *last*, both included."""

    first: date
    last: date

    def youngest_first(self) -> Iterator[date]:
        """Yield the days, the last one first."""
        day = self.last
        while day >= self.first:
            yield day
            day -= DAY

    def pieces(self, length: int) -> Iterator[Span]:
        """Split into spans of at most *length* days, the youngest first."""
        last = self.last
        while last >= self.first:
            first = max(self.first, last - (length - 1) * DAY)
            yield Span(first, last)
            last = first - DAY


@dataclass
class Calendar:
    """The state of a stream of days, changed in place."""

    state: dict[str, Any]
    today: date
    yesterday: date

    # Planning

    def window(self, lookback: int, upload: int | None, date_of: Callable[[int], date]) -> Span:
        """Give the days that every run reads.

        Args:
            lookback: Days before the bookmark that may still change.
            upload: When a device last synced (milliseconds); a new sync widens the window to the one before.
            date_of: Gives the owner's date of such a moment.
        """
        bookmark = _day(self.state.get("bookmark")) or self.yesterday
        first = min(bookmark, self.yesterday) - lookback * DAY
        former = self.state.get("upload")
        if upload is not None and former is not None and upload > former:
            first = min(first, date_of(former) - UPLOAD_MARGIN)
        youngest = self.today - LONGEST_WINDOW
        if first < youngest:
            self._add(Span(first, youngest - DAY))
        return Span(max(first, youngest), self.today)

    def plan_history(self, start: date, window: Span) -> None:
        """Put days before the window on the list, as far back as *start*, unless they were put there before."""
        since = _day(self.state.get("since")) or window.first
        if start < since:
            self._add(Span(start, since - DAY))
        self.state["since"] = min(start, since).isoformat()

    def plan_sweep(self, days: int, window: Span) -> None:
        """Put the last *days* days on the list, once a month; not in the first month, which reads them anyway."""
        month = f"{self.today:%Y-%m}"
        former = self.state.get("swept")
        if former is not None and former != month and days:
            self._add(Span(self.today - days * DAY, window.first - DAY))
        self.state["swept"] = month

    @property
    def gaps(self) -> list[date]:
        """Days that failed, the youngest first."""
        return sorted(map(date.fromisoformat, self.state.get("gaps", {})), reverse=True)

    # Progress

    def failed(self, day: date) -> int:
        """Note that a day could not be read; gives how often by now."""
        gaps: dict[str, int] = self.state.setdefault("gaps", {})
        gaps[day.isoformat()] = gaps.get(day.isoformat(), 0) + 1
        return gaps[day.isoformat()]

    def succeeded(self, day: date) -> None:
        """Note that a day was read."""
        gaps = self.state.get("gaps", {})
        gaps.pop(day.isoformat(), None)
        if not gaps:
            self.state.pop("gaps", None)

    def close_window(self, window: Span, upload: int | None) -> None:
        """Move the bookmark over the days of a window that was read to its end."""
        tries = self.state.get("gaps", {})
        holes = [
            day
            for day in self.gaps
            if window.first <= day <= self.yesterday and tries[day.isoformat()] < MOST_TRIES
        ]
        reached = min(holes) - DAY if holes else self.yesterday
        former = _day(self.state.get("bookmark"))
        self.state["bookmark"] = max(reached, former or reached).isoformat()
        if upload is not None and not holes:
            self.state["upload"] = upload

    def next_piece(self, length: int = 1) -> Span | None:
        """Give the youngest days on the list, *length* at most; None when it is empty."""
        todo = self.state.get("todo")
        if not todo:
            return None
        first, last = map(date.fromisoformat, todo[0])
        return next(Span(first, last).pieces(length))

    def done(self, piece: Span) -> None:
        """Take what :meth:`next_piece` gave off the list."""
        todo = self.state["todo"]
        first = todo[0][0]
        if piece.first.isoformat() <= first:
            del todo[0]
        else:
            todo[0] = [first, (piece.first - DAY).isoformat()]
        if not todo:
            del self.state["todo"]

    @property
    def aside(self) -> list[Span]:
        """Ranges that failed, in the order in which they did."""
        return [Span(*map(date.fromisoformat, pair)) for pair in self.state.get("aside", [])]

    def put_aside(self, span: Span) -> None:
        """Keep a range that failed."""
        self.state.setdefault("aside", []).append([span.first.isoformat(), span.last.isoformat()])

    def take_up(self, span: Span) -> None:
        """Take a range off those that failed."""
        self.state["aside"].remove([span.first.isoformat(), span.last.isoformat()])
        if not self.state["aside"]:
            del self.state["aside"]

    def _add(self, span: Span) -> None:
        """Put a span on the list, merged with what overlaps it."""
        spans = [Span(*map(date.fromisoformat, pair)) for pair in self.state.get("todo", [])]
        merged: list[Span] = []
        for next_span in sorted([*spans, span], key=lambda each: each.first):
            if next_span.first > next_span.last:
                continue
            if merged and next_span.first <= merged[-1].last + DAY:
                merged[-1] = Span(merged[-1].first, max(merged[-1].last, next_span.last))
            else:
                merged.append(next_span)
        if merged:
            self.state["todo"] = [
                [each.first.isoformat(), each.last.isoformat()] for each in reversed(merged)
            ]


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
