"""The profiles of a run, each copied once, however many streams read it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_kit.sqlite import Snapshot, SnapshotError, tables, take

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    from tap_browser_history.profiles import Profile
    from tap_kit.scratch import Scratch

KINDS = {
    "chromium": {"urls", "visits", "keyword_search_terms"},
    "firefox": {"moz_places", "moz_historyvisits"},
    "safari": {"history_items", "history_visits"},
    "firefox_android": {"history", "visits"},
    "qutebrowser": {"History", "CompletionMetaInfo"},
}
"""Tables by which a database is recognised; file names say less, and copies have any."""

_VERSIONS = {"chromium": "SELECT value FROM meta WHERE key = 'version'"}
_VERSION = "PRAGMA user_version"


class NoHistoryError(SnapshotError):
    """A database is of no browser that is known here."""


@dataclass(frozen=True)
class Book:
    """A profile's history, ready to read."""

    profile: Profile
    snapshot: Snapshot
    kind: str
    version: str
    """Of the tables' layout, as the browser numbers it."""

    encoding: str
    """Of the texts in it."""

    @property
    def layout(self) -> str:
        """Kind and version, such as ``chromium 70``."""
        return f"{self.kind} {self.version}"

    def provenance(self) -> dict[str, Any]:
        """Say where its records come from."""
        return {
            "account": self.profile.label,
            "file_path": str(self.profile.path),
            "file_hash": self.snapshot.sha256,
            "file_size": self.snapshot.size,
            "layout": self.layout,
            "encoding": self.encoding,
        }


class Library:
    """Copies the profiles when the first stream asks for them."""

    def __init__(self, profiles: Sequence[Profile], scratch: Scratch, logger: logging.Logger) -> None:
        """Take the profiles; nothing is read yet."""
        self._profiles = profiles
        self._scratch = scratch
        self._logger = logger

    @cached_property
    def contents(self) -> tuple[list[Book], list[str]]:
        """The profiles that can be read, and a sentence for each that cannot."""
        books: list[Book] = []
        failures: list[str] = []
        for profile in self._profiles:
            try:
                book = open_book(profile, take(profile.path, self._scratch.new_folder()))
                self._logger.info(
                    "Profile %s: copied from %s (%s).", profile.label, profile.path, book.layout
                )
                books.append(book)
            except SnapshotError as error:
                failures.append(f"Profile {profile.label}: {error}")
        return books, failures


def open_book(profile: Profile, snapshot: Snapshot) -> Book:
    """Find out which browser a copy is of.

    Raises:
        NoHistoryError: It is of none that is known here.
    """
    with closing(snapshot.connect()) as connection:
        present = tables(connection)
        kind = next((kind for kind, needed in KINDS.items() if needed <= present), None)
        if kind is None:
            raise NoHistoryError(
                f"{profile.path} is a database, but of no browser known here. Name the file that holds the history."
            )
        (encoding,) = connection.execute("PRAGMA encoding").fetchone()
        return Book(profile, snapshot, kind, _version(connection, kind), str(encoding))


def _version(connection: sqlite3.Connection, kind: str) -> str:
    try:
        found = connection.execute(_VERSIONS.get(kind, _VERSION)).fetchone()
    except sqlite3.Error:
        found = None
    return str(found[0]) if found else "unknown"
