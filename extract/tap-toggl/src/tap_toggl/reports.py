"""The whole history of time entries, by workspace and calendar year (Reports API v3, detailed search).

``POST /workspace/{id}/search/time_entries`` reaches back for ever, a year at a time; deleted entries do not appear.
A year is read whole once (resumable at any page), then daily asked for what was updated last, and once a month
read whole again, as a window in which what does not come is gone.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_kit import Raw
from tap_kit.jsontext import dumps
from tap_kit.text import printable
from tap_toggl.base import WHOLE_EVERY, TogglStream
from tap_toggl.client import NotAvailableError, QuotaUsedUpError
from tap_toggl.moments import OVERLAP, Span, is_due, local_window, parse, years

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_toggl.client import Answer

PAGE_SIZE = 1000
"""Used by several clients and called the largest by one; Toggl's default is 50."""

NEWS_PAGE_SIZE = 200
"""A day rarely brings more, and a short answer is a quick one."""

RESCAN_EVERY = timedelta(days=30)
"""How often a year is read whole again, for deletions and for changes that move no timestamp."""

CURSOR = {
    "first_id": "X-Next-ID",
    "first_row_number": "X-Next-Row-Number",
    "first_timestamp": "X-Next-Timestamp",
}

OLDEST = datetime.min.replace(tzinfo=UTC)

BY_DATE = {"order_by": "date", "order_dir": "ASC"}
BY_UPDATE = {"order_by": "last_update", "order_dir": "DESC"}


@dataclass
class Year:
    """What the state keeps of a year that was read whole."""

    first: str
    """First day that was read; ``start_date`` may move back later."""

    whole: str
    """The server's clock when the last whole reading began."""

    news: str
    """The same of the last question for updates."""

    rows: int
    """How many rows it has had."""


class ReportTimeEntries(TogglStream):
    """Every time entry of the user, as the reports tell it.

    The entry's id lies inside of the row, and the workspace in the request alone: the provenance's ``raw_id`` is
    ``<workspace>/<entry>``. Other targets, which know no ``raw_id``, get the member that holds the id as key.

    State: per workspace ``years`` (see :class:`Year`), ``page`` (the year being read and its cursor), ``closed`` (when
    the workspace was refused); ``stale_before`` (whole readings before it count no more).
    """

    name = "report_time_entries"
    keys = ("time_entries",)
    source_timestamp = "/time_entries/0/start"
    volatile = ("/row_number", "/username", "/time_entries/*/at_tz")
    """The position in the answer, the user's name as of now, and ``at`` once more in the profile's zone."""
    absence = "window"

    @override
    def read(self) -> Iterator[Raw]:
        self._answered: set[int] = set()
        workspaces = self.stream_state.setdefault("workspaces", {})
        for workspace_id in self.account.workspace_ids:
            state = workspaces.setdefault(str(workspace_id), {"years": {}})
            if not is_due(state.get("closed"), self.account.now, WHOLE_EVERY):
                continue
            try:
                yield from self._workspace(workspace_id, state)
            except NotAvailableError as error:
                self.settle(error)
                state["closed"] = self.account.now.isoformat()
                self.remember()
            except (QuotaUsedUpError, FatalAPIError, RetriableAPIError) as error:
                self.settle(error)

    def _workspace(self, workspace_id: int, state: dict[str, Any]) -> Iterator[Raw]:
        for span in years(self.account.now, self._tap.start and self._tap.start.date()):
            yield from self._year(workspace_id, span, state)
        if state.pop("closed", None):
            self.remember()

    def _year(self, workspace_id: int, span: Span, state: dict[str, Any]) -> Iterator[Raw]:
        """Read of a year what is due: all of it, all of it again, its updates, or nothing."""
        held = state["years"].get(str(span.year))
        known = Year(**held) if held else None
        now = self.account.now
        if known is None or known.first > span.first.isoformat():
            yield from self._backfill(workspace_id, span, state)
        elif is_due(known.whole, now, RESCAN_EVERY) or known.whole < self.stream_state.get(
            "stale_before", ""
        ):
            yield from self._rescan(workspace_id, span, state, known)
        elif (known.rows or span.year >= now.year) and is_due(known.news, now, WHOLE_EVERY):
            yield from self._news(workspace_id, span, state, known)

    # Whole readings

    def _backfill(self, workspace_id: int, span: Span, state: dict[str, Any]) -> Iterator[Raw]:
        """Read a year for the first time; the state moves with each page."""
        first = span.first.isoformat()
        page = state.get("page") or {}
        if page.get("first") != first:
            page = {"first": first, "rows": 0, "cursor": {}}
        while True:
            answer, cursor = self._ask(workspace_id, span, {**BY_DATE, **page["cursor"]})
            yield from self._rows(workspace_id, answer)
            page = {
                "first": first,
                "begun": page.get("begun") or answer.date.isoformat(),
                "rows": page["rows"] + len(answer.items()),
                "cursor": cursor,
            }
            if not cursor:
                break
            state["page"] = page
            self.remember()
        state.pop("page", None)
        self._finish(span, state, page["begun"], page["rows"])

    def _rescan(self, workspace_id: int, span: Span, state: dict[str, Any], known: Year) -> Iterator[Raw]:
        """Read a year again, in one go: only then it shows what is gone.

        An empty year counts only where another year of the workspace had entries in this run: an answer may
        be empty for other reasons.
        """
        answer, cursor = self._ask(workspace_id, span, BY_DATE)
        begun, rows = answer.date.isoformat(), len(answer.items())
        if rows or workspace_id in self._answered:
            start, end = local_window(span, self.account.time_zone)
            with self.window(start.isoformat(), end.isoformat(), {"workspace_id": workspace_id}):
                yield from self._rows(workspace_id, answer)
                while cursor:
                    answer, cursor = self._ask(workspace_id, span, {**BY_DATE, **cursor})
                    rows += len(answer.items())
                    yield from self._rows(workspace_id, answer)
        else:
            rows = (
                known.rows
            )  # not believed: what is known of the year stays, its updates are still asked for
        self._finish(span, state, begun, rows)

    def _finish(self, span: Span, state: dict[str, Any], begun: str, rows: int) -> None:
        state["years"][str(span.year)] = asdict(Year(span.first.isoformat(), begun, begun, rows))
        self.remember()

    # Updates

    def _news(self, workspace_id: int, span: Span, state: dict[str, Any], known: Year) -> Iterator[Raw]:
        """Read what was updated since the last question, newest first; the whole year if the order does not hold."""
        edge = (parse(known.news) or self.account.now) - OVERLAP
        what: dict[str, Any] = {**BY_UPDATE, "page_size": NEWS_PAGE_SIZE}
        begun, sent = "", 0
        while True:
            answer, cursor = self._ask(workspace_id, span, what)
            begun = begun or answer.date.isoformat()
            if not _newest_first(answer.items()):
                self.logger.warning(
                    "Updates of %s do not come newest first; reading the whole year.", span.year
                )
                yield from self._rescan(workspace_id, span, state, known)
                return
            fresh = [row for row in answer.items() if _updated(row) >= edge]
            sent += len(fresh)
            yield from self._rows(workspace_id, answer, fresh)
            if not cursor or len(fresh) < len(answer.items()):
                break
            what |= cursor
        state["years"][str(span.year)] = {**asdict(known), "news": begun, "rows": known.rows or sent}
        self.remember()

    # Pages

    def _ask(self, workspace_id: int, span: Span, what: dict[str, Any]) -> tuple[Answer, dict[str, int]]:
        """Ask for a page; gives the answer and the cursor of the next one, empty after the last.

        Raises:
            FatalAPIError: The service reported other days than those asked for, or its cursor stands still.
        """
        first, last = span.first.isoformat(), span.last.isoformat()
        body = {
            "start_date": first,
            "end_date": last,  # without it the service silently reports seven days
            "user_ids": [self.account.user_id],  # else colleagues' entries come too
            "page_size": PAGE_SIZE,
            "grouped": False,
            "rounding": 0,  # the default follows the user's preferences
            "rounding_minutes": 0,
            **what,
        }
        answer = self.toggl.search(workspace_id, body)
        reported = answer.headers.get("X-Range-Start", first), answer.headers.get("X-Range-End", last)
        if reported != (first, last):
            raise FatalAPIError(
                f"workspace {workspace_id}: asked for {first} to {last}, Toggl reported {printable(' to '.join(reported), 60)}. "
                "Entries would be missing, so nothing of it was taken."
            )
        cursor = {
            name: int(answer.headers[header]) for name, header in CURSOR.items() if header in answer.headers
        }
        if cursor and cursor == {name: what.get(name) for name in cursor}:
            raise FatalAPIError(
                f"workspace {workspace_id}: the next page of {span.year} is the page just read. Run again later."
            )
        return answer, cursor

    def _rows(
        self, workspace_id: int, answer: Answer, rows: list[dict[str, Any]] | None = None
    ) -> Iterator[Raw]:
        """Wrap the rows of an answer, or some of them."""
        for row in answer.items() if rows is None else rows:
            self._answered.add(workspace_id)
            raw_id = f"{workspace_id}/{_identity(row)}"
            yield Raw(row, {**answer.provenance, "raw_id": raw_id, "workspace_id": workspace_id})


def _entries(row: dict[str, Any]) -> list[dict[str, Any]]:
    """List the entries of a row: one, as rows are not grouped."""
    return row.get("time_entries") or []


def _identity(row: dict[str, Any]) -> str:
    """Name a row by its entry's id, or ids; one without entries by what it says."""
    ids = [str(entry["id"]) for entry in _entries(row) if "id" in entry]
    if ids:
        return ",".join(ids)
    content = {name: value for name, value in sorted(row.items()) if name != "row_number"}
    return hashlib.sha256(dumps(content)).hexdigest()


def _updated(row: dict[str, Any]) -> datetime:
    """Tell when a row was updated last; one that does not say so counts as the oldest."""
    return max((moment for entry in _entries(row) if (moment := parse(entry.get("at")))), default=OLDEST)


def _newest_first(rows: list[dict[str, Any]]) -> bool:
    """Tell whether rows are in the order of their updates, all of which are known."""
    moments = [_updated(row) for row in rows]
    return OLDEST not in moments and all(first >= second for first, second in pairwise(moments))
