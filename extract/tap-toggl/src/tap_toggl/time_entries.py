"""Time entries of the last three months and every change since the last run (Track API v9).

``GET /me/time_entries`` either tells what was modified since a moment, deleted entries included, or which entries
start in a range, without deleted ones. Neither reaches back more than three months, and both stop at 1000
entries without a word. Where ``since`` cannot be trusted the entries of three months are read in windows, and the
reports, which reach back for ever, are read anew.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_toggl.base import TogglStream
from tap_toggl.moments import (
    CLOCK_MARGIN,
    LOOK_BACK,
    halves,
    is_gap,
    next_bookmark,
    parse,
    windows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tap_kit import Raw
    from tap_toggl.client import Answer

PATH = "/me/time_entries"
MOST_ENTRIES = 1000
"""Where Toggl cuts an answer; one that long may have lost its end."""

WINDOW = timedelta(days=30)
"""Three calls for three months: calls are what is scarce (30 an hour). A full window is halved."""

AHEAD = timedelta(days=1)
"""Entries may lie in the future, clocks differ, and a day begins earlier in the east."""


class TimeEntries(TogglStream):
    """Time entries, the running one and deleted ones included.

    State: ``replication_key_value`` (changes up to there were sent) and, while windows are being read, ``gap`` with
    ``begun`` and ``done`` (entries that start before it were sent).
    """

    name = "time_entries"
    keys = ("id",)
    changed_at = "at"
    source_timestamp = "start"
    volatile = ("/uid", "/wid", "/pid", "/tid")
    """Twins of the long names, which some answers leave out."""

    @override
    def read(self) -> Iterator[Raw]:
        now = self.account.now
        bookmark = parse(self.stream_state.get("replication_key_value"))
        if is_gap(bookmark, now):
            self._open_gap("first run" if bookmark is None else f"last change seen is of {bookmark:%Y-%m-%d}")
        self._sent: set[Any] = set()
        newest, date, is_whole = None, now, False
        if answer := self.ask_since(PATH, bookmark):
            items = answer.items()
            yield from self._fresh(answer, items)
            newest = max((moment for item in items if (moment := parse(item.get("at")))), default=None)
            date, is_whole = answer.date, len(items) < MOST_ENTRIES
        if not is_whole:
            self._open_gap(f"more than {MOST_ENTRIES - 1} changes" if answer else "since was refused")
        if "gap" in self.stream_state:
            yield from self._read_gap()
        else:
            self._move_bookmark(next_bookmark(bookmark, newest, date))
        yield from self._running()

    def _fresh(self, answer: Answer, items: list[dict[str, Any]]) -> Iterator[Raw]:
        """Yield the entries that this run has not sent yet."""
        for record in self.records(answer, items):
            if record.get("id") not in self._sent:
                self._sent.add(record.get("id"))
                yield record

    def _running(self) -> Iterator[Raw]:
        """Yield the running entry, in case it was modified too long ago to be among the changes."""
        answer = self.toggl.get(PATH + "/current")
        if isinstance(answer.content, dict):
            yield from self._fresh(answer, [answer.content])

    def _move_bookmark(self, bookmark: datetime) -> None:
        self.remember(replication_key=self.changed_at, replication_key_value=bookmark.isoformat())

    # Gaps

    def _open_gap(self, reason: str) -> None:
        """Note, before anything else, that three months and the reports are to be read anew."""
        if "gap" in self.stream_state:
            return
        self.logger.info("Reading the last %s days in windows (%s).", LOOK_BACK.days, reason)
        begun = self.account.now.isoformat()
        self._tap.reread_reports(begun)
        self.remember(gap={"begun": begun})

    def _read_gap(self) -> Iterator[Raw]:
        """Read what starts in the last three months, window by window, and close the gap."""
        gap = self.stream_state["gap"]
        now = self.account.now
        wanted = self._tap.start and self._tap.start - AHEAD
        bounds = [now - LOOK_BACK, parse(gap.get("done")), wanted]
        start = max(bound for bound in bounds if bound)
        for window in windows(start, now + AHEAD, WINDOW):
            yield from self._window_entries(window)
            gap["done"] = window[1].isoformat()
            self.remember(gap=gap)
        del self.stream_state["gap"]
        self._move_bookmark((parse(gap["begun"]) or now) - CLOCK_MARGIN)

    def _window_entries(self, window: tuple[datetime, datetime]) -> Iterator[Raw]:
        """Read a window, halving it as long as the answer is cut."""
        waiting = [window]
        while waiting:
            start, end = waiting.pop()
            answer = self.toggl.get(PATH, start_date=start.isoformat(), end_date=end.isoformat())
            items = answer.items()
            parts = halves(start, end) if len(items) >= MOST_ENTRIES else []
            if len(parts) > 1:
                waiting += reversed(parts)
                continue
            yield from self._fresh(answer, items)
            if parts:
                self.settle(
                    FatalAPIError(
                        f"{len(items)} entries start at {start.isoformat()} and Toggl lists no more: some of that "
                        "second are missing here. The stream report_time_entries has them all."
                    )
                )
