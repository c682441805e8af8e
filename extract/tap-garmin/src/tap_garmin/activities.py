"""The list of activities, and which of them are due for a closer look.

The list carries no mark of a change, is sorted by start, and takes late uploads of old activities. So each run reads
the youngest pages, and once a week the whole list, which also tells what was deleted. An activity that is new, or
whose place in the list looks different, is put on the list of each stream of details (``todo`` in its state).
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_garmin.base import ConnectStream, listed, odd_shape
from tap_garmin.connect import NotAvailableError
from tap_kit.jsontext import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_garmin.connect import Answer
    from tap_kit import Raw

PAGE = 100
OVERLAP = 5
"""Activities by which pages overlap: one that arrives or goes while paging shifts the others."""

WALK_EVERY = timedelta(days=7) - timedelta(hours=4)
"""The whole list is read once a week; a run that starts a little early still does so."""

YOUNG = timedelta(days=30)
"""Activities of these days are always looked at."""

PARTS = {
    "p": ("avgPower", "normPower", "powerTimeInZone_1"),
    "s": ("summarizedExerciseSets", "activeSets", "totalSets"),
}
"""Power and sets, with the fields of the list that show them: most activities have neither, and a request costs a second."""

_MARK = re.compile(r"[0-9a-f]{8}@(?P<start>-?\d*)(?P<parts>[a-z]*)")

MOST_PAGES = 10_000
PATH = "/activitylist-service/activities/search/activities"
COUNT_PATH = "/activitylist-service/activities/count"

NOISE = (
    "userRoles",
    "ownerProfileImageUrlLarge",
    "ownerProfileImageUrlMedium",
    "ownerProfileImageUrlSmall",
)
"""Fields of the list that move by themselves."""


class Activities(ConnectStream):
    """Activities as the list has them.

    State: ``seen`` (each known id with its mark), ``walked`` (last whole reading), ``count`` (Garmin's number then) and
    ``missing`` (how many of them were not in the list).
    """

    name = "activities"
    keys = ("activityId",)
    source_timestamp = "startTimeGMT"
    volatile = tuple(f"/{name}" for name in NOISE)
    absence = "full"
    takes_turns = False
    _walked = False

    @property
    def seen(self) -> dict[str, str]:
        """Ids that are known, each with its mark (see :func:`mark_of`)."""
        known: dict[str, str] = self.stream_state.setdefault("seen", {})
        return known

    def start_of(self, activity: str) -> datetime | None:
        """Tell when a known activity started."""
        found = _MARK.fullmatch(self.seen.get(activity, ""))
        return datetime.fromtimestamp(int(found["start"]), UTC) if found and found["start"] else None

    def has(self, activity: str, part: str) -> bool:
        """Tell whether an activity has a part (a letter of :data:`PARTS`); one that is not in the list may."""
        found = _MARK.fullmatch(self.seen.get(activity, ""))
        return part in found["parts"] if found else True

    @override
    def read(self) -> Iterator[Raw]:
        count = self._count()
        whole = self._is_walk_due() or count not in {None, self.stream_state.get("count")}
        self._met: set[str] = set()
        for answer in self._pages():
            is_news = False
            known = len(self._met)
            for item in listed(answer):
                activity = str(item["activityId"])
                if activity in self._met:
                    continue
                self._met.add(activity)
                is_news |= self.seen.get(activity) != mark_of(item)
                yield self.record(answer, item)
                self._note(activity, item)
            self.remember()
            if not whole and not is_news and self._is_old(answer):
                return
            if (
                len(self._met) == known
            ):  # the service does not know pages; the count tells whether more is missing
                break
        self._finish(count)

    def _finish(self, count: int | None) -> None:
        """Conclude a reading of the whole list: it counts, if it is as long as Garmin says.

        Garmin may count what it does not list (parts of multisport activities); what is missing twice is that.
        """
        if count is None:
            return
        missing = max(0, count - len(self._met))
        former = self.stream_state.get("missing", 0)
        self.stream_state["missing"] = missing
        if missing not in {0, former}:
            self.settle(
                FatalAPIError(
                    f"Garmin counts {count} activities, its list has {len(self._met)}. Nothing is taken for deleted; "
                    "the list is read again in the next run."
                )
            )
            return
        self._walked = True
        for gone in self.seen.keys() - self._met if self._met else ():
            del self.seen[gone]
        self.remember(walked=self.account.now.isoformat(), count=count)

    def _pages(self) -> Iterator[Answer]:
        for page in range(MOST_PAGES):
            start = max(0, page * (PAGE - OVERLAP))
            answer = self.connect.get(PATH, {"start": start, "limit": PAGE})
            if not listed(answer):
                return
            yield answer
            if len(listed(answer)) < PAGE:
                return

    def _count(self) -> int | None:
        """Ask how many there are; None, told, where that cannot be known, and then nothing counts as deleted."""
        try:
            answer = self.connect.get(COUNT_PATH)
            total = answer.content.get("totalCount") if isinstance(answer.content, dict) else answer.content
            if not isinstance(total, int):
                raise odd_shape(answer)
        except (NotAvailableError, FatalAPIError, RetriableAPIError) as error:
            self.settle(
                FatalAPIError(f"{error} The list is read; what was deleted cannot be told in this run.")
            )
            return None
        return total

    def _is_walk_due(self) -> bool:
        walked = self.stream_state.get("walked")
        return walked is None or self.account.now - datetime.fromisoformat(walked) >= WALK_EVERY

    def _is_old(self, answer: Answer) -> bool:
        """Tell whether a page ends before the days that are always looked at."""
        first = self.account.yesterday - YOUNG
        starts = [str(item.get("startTimeLocal", ""))[:10] for item in listed(answer)]
        return all(start and date.fromisoformat(start) < first for start in starts[-1:])

    def _note(self, activity: str, item: dict[str, Any]) -> None:
        """Remember an activity that was sent, and put it on the lists if it is new or changed."""
        mark = mark_of(item)
        is_news = self.seen.get(activity) != mark
        self.seen[activity] = mark
        if is_news:
            self._tap.put_on_lists([activity])

    @override
    def _close(self, *, complete: bool) -> None:
        super()._close(complete=complete and self._walked)


def mark_of(item: dict[str, Any]) -> str:
    """Sum up an activity of the list: ``1a2b3c4d@1772348400ps``.

    Eight hex digits that change when it does; its start in seconds since 1970; a letter for each part of
    :data:`PARTS` that it has.
    """
    content = {name: value for name, value in sorted(item.items()) if name not in NOISE}
    digits = hashlib.sha256(dumps(content)).hexdigest()[:8]
    try:
        start = int(datetime.fromisoformat(f"{item['startTimeGMT']}+00:00").timestamp())
    except (KeyError, ValueError):
        start = None
    parts = "".join(letter for letter, fields in PARTS.items() if any(item.get(name) for name in fields))
    return f"{digits}@{'' if start is None else start}{parts}"


def add_to(todo: list[str], activities: Iterable[str]) -> list[str]:
    """Append to a list of ids what it lacks."""
    waiting = set(todo)
    return todo + [activity for activity in activities if activity not in waiting]
