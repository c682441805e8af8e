"""The stream of one day per request, and that of a range of days per request."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_garmin.base import ConnectStream, listed, odd_shape, whole
from tap_garmin.days import MOST_TRIES, Calendar, Span

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from datetime import date

    from tap_garmin.connect import Answer
    from tap_kit import Raw

OUTAGE = 3
"""So many failed days in a row are an outage: the stream gives up until the next run."""

DETAIL_DAYS = 150
"""How far back Garmin serves the series inside a day (122 to 153 days, by four independent reports)."""

AGGREGATE_YEARS = 10
"""How far back aggregates are read where the owner names no start."""


class DayStream(ConnectStream):
    """One request a day, answered with an object, which is the record."""

    keys: ClassVar[Sequence[str]] = ("calendarDate",)
    path: ClassVar[str]
    """With ``{day}`` and ``{name}``."""

    parameters: ClassVar[dict[str, str]] = {}
    """Query; values as in ``path``."""

    lasting: ClassVar[bool] = False
    """Whether old days are as good as young ones, so that the owner's start date counts."""

    shortest_lookback: ClassVar[int] = 0
    """Days, where people edit for longer than the setting says."""

    series: ClassVar[Sequence[str]] = ()
    """Fields with the series inside the day: an answer in which all of them are empty is a degraded one."""

    def has_detail(self, content: dict[str, Any]) -> bool | None:
        """Tell whether the series inside the day are there; None where there are none to be."""
        return any(content.get(name) for name in self.series) if self.series else None

    def ask(self, day: date) -> Answer | None:
        """Ask for a day; None where there is nothing."""
        parameters = {name: self._filled(value, day) for name, value in self.parameters.items()}
        return self.connect.get(self._filled(self.path, day), parameters)

    def sent(self) -> None:
        """Do what has to follow the records of a day, before the state says that it is done."""

    def items(self, answer: Answer, day: date) -> Iterator[Raw]:
        """Yield the records of a day's answer."""
        if answer.content in (None, {}, []):
            return
        if not isinstance(answer.content, dict):
            raise odd_shape(answer)
        detail = self.has_detail(answer.content)
        yield self.day_record(answer, answer.content, day, detail, raw_id=day.isoformat())

    def day_record(self, answer: Answer, item: Any, day: date, detail: bool | None, **told: Any) -> Raw:  # noqa: FBT001 - three values
        """Wrap an object of a day's answer; one without its series counts as degraded."""
        if self.source_timestamp is None:
            told["source_timestamp"] = day.isoformat()
        return self.record(
            answer,
            item,
            day=day.isoformat(),
            is_partial=True if day > self.account.yesterday else None,
            intraday_present=detail,
            degraded=True if detail is False else None,
            **told,
        )

    @override
    def read(self) -> Iterator[Raw]:
        calendar = Calendar(self.stream_state, self.account.today, self.account.yesterday)
        upload = self.account.last_upload
        lookback = max(int(self.config["lookback_days"]), self.shortest_lookback)
        window = calendar.window(lookback, upload, self.account.date_of)
        self._in_a_row = 0
        older = [day for day in calendar.gaps if day < window.first]
        for day in window.youngest_first():
            yield from self._day(calendar, day)
        calendar.close_window(window, upload)
        self.close()
        calendar.plan_sweep(int(self.config["sweep_days"]), window)
        calendar.plan_history(self._start(), window)
        self.remember()
        while piece := calendar.next_piece():
            yield from self._day(calendar, piece.first)
            calendar.done(piece)
            self.remember()
        for day in older:  # last, as days that always fail must not hold up the others
            yield from self._day(calendar, day)

    def _start(self) -> date:
        detail = self.account.today - timedelta(days=DETAIL_DAYS)
        wanted = self._tap.start_date
        return wanted if wanted and (self.lasting or wanted > detail) else detail

    def _day(self, calendar: Calendar, day: date) -> Iterator[Raw]:
        """Read a day; a failure is noted, and too many in a row end the stream."""
        try:
            answer = self.ask(day)
            records = whole(self.items(answer, day)) if answer else []
        except (FatalAPIError, RetriableAPIError) as error:
            tries = calendar.failed(day)
            self._in_a_row += tries < MOST_TRIES  # days that always fail are no outage
            if self._in_a_row >= OUTAGE:
                self.remember()
                raise
            often = f" Failed {tries} times by now." if tries >= MOST_TRIES else ""
            self.settle(FatalAPIError(f"{day}: {error} It is tried again in the next run.{often}"))
            return
        self._in_a_row = 0
        yield from records
        self.sent()
        calendar.succeeded(day)

    def _filled(self, text: str, day: date) -> str:
        return text.format(day=day.isoformat(), name=self.account.name)


class DayListStream(DayStream):
    """One request a day, answered with a list of objects; each is a record, named by some of its fields."""

    naming: ClassVar[Sequence[str]]
    """Fields that name a record; null ones stay empty."""

    list_steps: ClassVar[Sequence[str]] = ()
    """Where the list lies in the answer."""

    def has_details(self, found: list[dict[str, Any]]) -> bool | None:
        """Tell whether the list is the real one; None where nothing tells."""
        del found
        return None

    @override
    def items(self, answer: Answer, day: date) -> Iterator[Raw]:
        found = listed(answer, *self.list_steps)
        detail = self.has_details(found)
        for item in found:
            yield self.day_record(answer, item, day, detail, raw_id=named(item, self.naming))


class RangeStream(ConnectStream):
    """A range of days per request.

    What fails of the days that each run reads fails the stream. What fails of the history is put aside, and read again
    after all the rest of it.

    State: as a stream of days has, without gaps; ``swept`` is the year of the last reading of everything, ``aside`` has
    the ranges that failed.
    """

    keys: ClassVar[Sequence[str]] = ("calendarDate",)
    path: ClassVar[str]
    """With ``{start}``, ``{end}`` and ``{name}``."""

    parameters: ClassVar[dict[str, str]] = {}
    longest: ClassVar[int] = 28
    """Days in one request: Garmin refuses 29 where it refuses any."""

    overlap: ClassVar[int] = 0
    """Days by which a request reaches beyond its range on both sides."""

    lookback: ClassVar[int] = 26
    """One request with today: what is edited later is found by the yearly reading of everything."""

    @override
    def read(self) -> Iterator[Raw]:
        calendar = Calendar(self.stream_state, self.account.today, self.account.yesterday)
        upload = self.account.last_upload
        lookback = max(int(self.config["lookback_days"]), self.lookback)
        window = calendar.window(lookback, upload, self.account.date_of)
        for piece in window.pieces(self.longest):
            yield from self.fetch(piece)
        calendar.close_window(window, upload)
        self.close()
        self._plan(calendar, window)
        self.remember()
        aside = calendar.aside
        self._in_a_row = 0
        while span := calendar.next_piece(self.longest):
            if not (yield from self._older(span)):
                calendar.put_aside(span)
            calendar.done(span)
            self.remember()
        for span in aside:
            succeeded = yield from self._older(span)
            calendar.take_up(span)
            if not succeeded:
                calendar.put_aside(span)  # behind the others
            self.remember()

    def _plan(self, calendar: Calendar, window: Span) -> None:
        today = self.account.today
        start = self._tap.start_date or today - timedelta(days=round(365.25 * AGGREGATE_YEARS))
        year, former = str(today.year), self.stream_state.get("swept")
        if former is not None and former != year:
            self.stream_state.pop("since", None)  # everything is due again
        self.stream_state["swept"] = year
        calendar.plan_history(start, window)

    def _older(self, span: Span) -> Generator[Raw, None, bool]:
        """Read a range of the history, and tell whether that succeeded; too many failures in a row end the stream."""
        try:
            yield from self.fetch(span)
        except (FatalAPIError, RetriableAPIError) as error:
            self._in_a_row += 1
            if self._in_a_row >= OUTAGE:
                raise
            self.settle(
                FatalAPIError(f"{span.first} to {span.last}: {error} It is tried again in the next run.")
            )
            return False
        self._in_a_row = 0
        return True

    def fetch(self, span: Span) -> Iterator[Raw]:
        """Read a range."""
        yield from whole(self.items(self.ask(span)))

    def ask(self, span: Span) -> Answer:
        """Ask for a range, its overlap included, but no days to come."""
        margin = timedelta(days=self.overlap)
        filling = {
            "start": (span.first - margin).isoformat(),
            "end": min(span.last + margin, self.account.today).isoformat(),
            "name": self.account.name,
        }
        parameters = {name: value.format(**filling) for name, value in self.parameters.items()}
        return self.connect.get(self.path.format(**filling), parameters)

    def items(self, answer: Answer) -> Iterator[Raw]:
        """Yield the records of an answer."""
        for item in listed(answer):
            yield self.record(answer, item)


def named(item: dict[str, Any], fields: Sequence[str]) -> str:
    """Name an object by some of its fields; absent and null ones stay empty."""
    return "/".join("" if item.get(name) is None else str(item[name]) for name in fields)
