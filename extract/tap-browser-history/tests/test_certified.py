"""What every source is certified for: copies of profiles that were handed in, and profiles that browsers use.

Of profiles in use the tests of archives mean nothing: another packing, unknown members, empty and cut archives, pieces, and the
record of each file. Everything else is asked of both.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar

from browsers import CHROMIUM, FIREFOX, HOUR, JUNE, SAFARI
from typing_extensions import override

from tap_browser_history.tap import TapBrowserHistory
from tap_kit.export_suite import NEW, ExportSuite
from tap_kit.source_suite import SourceSuite

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def database(layout: str, pages: str, visits: str, rows: Sequence[int], text: str, new_in: str = "") -> bytes:
    """Make the file of a database with one page and one visit of it for each moment.

    Args:
        layout: Statements that make the tables.
        pages: Statement that makes the page: of ``:url`` and ``:text``.
        visits: Statement that makes a visit: of ``:moment`` and ``:text``.
        rows: Moments.
        text: Title.
        new_in: Table that has a column which no schema describes.
    """
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(layout)
        if new_in:
            connection.execute(f"ALTER TABLE {new_in} ADD COLUMN {NEW} INTEGER DEFAULT 1")
        connection.execute(pages, {"url": "https://example.org/", "text": text})
        connection.executemany(visits, ({"moment": moment, "text": text} for moment in rows))
        connection.commit()
        return connection.serialize()


def chromium(facts: Sequence[int], text: str = "", new_in: str = "") -> bytes:
    """Make a ``History``."""
    pages = f"INSERT INTO urls (url, title, last_visit_time) VALUES (:url, :text, {JUNE})"
    visits = "INSERT INTO visits (url, visit_time) VALUES (1, :moment)"
    return database(CHROMIUM[70], pages, visits, [JUNE + fact * HOUR for fact in facts], text, new_in)


NO_HALVES = {"half": "SQLite keeps UTF-8, which has no halves of pairs"}


class CopiedProfile(ExportSuite):
    """All of it, on a copy of one kind of profile."""

    tap_class = TapBrowserHistory
    impossible: ClassVar[dict[str, str]] = NO_HALVES
    unpacks = "SQLite reads nothing but files: a database goes into the private folder"


class TestCopiedChromium(CopiedProfile):
    """Chrome and its relatives."""

    stream = "chromium_visits"

    @override
    def members(self, facts: Sequence[int], text: str = "") -> dict[str, bytes]:
        return {"Default/History": chromium(facts, text)}

    @override
    def drifted(self, facts: Sequence[int]) -> dict[str, bytes]:
        return {"Default/History": chromium(facts, new_in="visits")}


class TestCopiedFirefox(CopiedProfile):
    """Firefox."""

    stream = "firefox_visits"
    many = 1000

    def _members(self, facts: Sequence[int], text: str = "", new_in: str = "") -> dict[str, bytes]:
        pages = "INSERT INTO moz_places (url, title, guid) VALUES (:url, :text, 'guid')"
        visits = "INSERT INTO moz_historyvisits (place_id, visit_date, visit_type) VALUES (1, :moment, 1)"
        moments = [1_780_598_400_000_001 + fact * HOUR for fact in facts]
        content = database(FIREFOX, pages, visits, moments, text, new_in)
        return {"ab12.default/places.sqlite": content}

    @override
    def members(self, facts: Sequence[int], text: str = "") -> dict[str, bytes]:
        return self._members(facts, text)

    @override
    def drifted(self, facts: Sequence[int]) -> dict[str, bytes]:
        return self._members(facts, new_in="moz_places")


class TestCopiedSafari(CopiedProfile):
    """Safari."""

    stream = "safari_visits"
    many = 1000

    def _members(self, facts: Sequence[int], text: str = "", new_in: str = "") -> dict[str, bytes]:
        pages = "INSERT INTO history_items (url, visit_count, daily_visit_counts) VALUES (:url, 1, x'00')"
        visits = (
            "INSERT INTO history_visits (history_item, visit_time, title) VALUES (1, :moment + 0.5, :text)"
        )
        content = database(SAFARI, pages, visits, [802_291_200 + fact for fact in facts], text, new_in)
        return {"Safari/History.db": content}

    @override
    def members(self, facts: Sequence[int], text: str = "") -> dict[str, bytes]:
        return self._members(facts, text)

    @override
    def drifted(self, facts: Sequence[int]) -> dict[str, bytes]:
        return self._members(facts, new_in="history_visits")


class TestProfilesInUse(SourceSuite):
    """Profiles that the settings name, as those that are found: read in each run, and what changed is sent."""

    tap_class = TapBrowserHistory
    stream = "chromium_visits"
    impossible: ClassVar[dict[str, str]] = NO_HALVES

    @override
    def write(self, place: Path, facts: Sequence[int], text: str = "", *, drifted: bool = False) -> Path:
        place.mkdir()
        (place / "History").write_bytes(chromium(facts, text, new_in="visits" if drifted else ""))
        return place

    @override
    def settings(self, path: Path) -> dict[str, Any]:
        return {"profiles": [{"path": str(path), "label": "chrome/Default"}]}
