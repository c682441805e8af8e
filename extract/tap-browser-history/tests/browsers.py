"""Invented databases of browsers, in the layouts that they write."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

JUNE = 13_425_072_000_000_001
"""2026-06-04 18:40:00.000001 UTC in µs since 1601: no float holds it."""

HOUR = 3_600_000_000

_CHROMIUM_COMMON = """
CREATE TABLE meta (key LONGVARCHAR NOT NULL UNIQUE PRIMARY KEY, value LONGVARCHAR);
CREATE TABLE urls (id INTEGER PRIMARY KEY AUTOINCREMENT, url LONGVARCHAR, title LONGVARCHAR,
    visit_count INTEGER DEFAULT 0 NOT NULL, typed_count INTEGER DEFAULT 0 NOT NULL, last_visit_time INTEGER NOT NULL,
    hidden INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE visit_source (id INTEGER PRIMARY KEY, source INTEGER NOT NULL);
CREATE TABLE keyword_search_terms (keyword_id INTEGER NOT NULL, url_id INTEGER NOT NULL, term LONGVARCHAR NOT NULL,
    normalized_term LONGVARCHAR NOT NULL);
CREATE TABLE downloads (id INTEGER PRIMARY KEY, guid VARCHAR NOT NULL, target_path LONGVARCHAR NOT NULL,
    start_time INTEGER NOT NULL, hash BLOB NOT NULL, opened INTEGER NOT NULL);
CREATE TABLE downloads_url_chains (id INTEGER NOT NULL, chain_index INTEGER NOT NULL, url LONGVARCHAR NOT NULL,
    PRIMARY KEY (id, chain_index));
"""
CHROMIUM = {
    43: _CHROMIUM_COMMON
    + """
CREATE TABLE visits (id INTEGER PRIMARY KEY, url INTEGER NOT NULL, visit_time INTEGER NOT NULL, from_visit INTEGER,
    transition INTEGER DEFAULT 0 NOT NULL, segment_id INTEGER, visit_duration INTEGER DEFAULT 0 NOT NULL,
    incremented_omnibox_typed_score BOOLEAN DEFAULT FALSE NOT NULL, publicly_routable BOOLEAN DEFAULT FALSE NOT NULL);
""",
    70: _CHROMIUM_COMMON
    + """
CREATE TABLE visits (id INTEGER PRIMARY KEY AUTOINCREMENT, url INTEGER NOT NULL, visit_time INTEGER NOT NULL,
    from_visit INTEGER, external_referrer_url TEXT, transition INTEGER DEFAULT 0 NOT NULL, segment_id INTEGER,
    visit_duration INTEGER DEFAULT 0 NOT NULL, opener_visit INTEGER, originator_cache_guid TEXT,
    originator_visit_id INTEGER, is_known_to_sync BOOLEAN DEFAULT FALSE NOT NULL, app_id TEXT);
CREATE TABLE content_annotations (visit_id INTEGER PRIMARY KEY, visibility_score NUMERIC, categories VARCHAR,
    search_terms LONGVARCHAR);
CREATE TABLE context_annotations (visit_id INTEGER PRIMARY KEY, total_foreground_duration INTEGER NOT NULL);
CREATE TABLE edge_visits (id INTEGER PRIMARY KEY, anything TEXT);
""",
}
FIREFOX = """
PRAGMA user_version = 77;
CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url LONGVARCHAR, title LONGVARCHAR, visit_count INTEGER DEFAULT 0,
    frecency INTEGER DEFAULT -1 NOT NULL, last_visit_date INTEGER, guid TEXT);
CREATE TABLE moz_historyvisits (id INTEGER PRIMARY KEY, from_visit INTEGER, place_id INTEGER, visit_date INTEGER,
    visit_type INTEGER, session INTEGER, source INTEGER DEFAULT 0 NOT NULL, triggeringPlaceId INTEGER);
CREATE TABLE moz_bookmarks (id INTEGER PRIMARY KEY, type INTEGER, fk INTEGER DEFAULT NULL, parent INTEGER,
    position INTEGER, title LONGVARCHAR, dateAdded INTEGER, lastModified INTEGER, guid TEXT);
CREATE TABLE moz_anno_attributes (id INTEGER PRIMARY KEY, name VARCHAR(32) UNIQUE NOT NULL);
CREATE TABLE moz_annos (id INTEGER PRIMARY KEY, place_id INTEGER NOT NULL, anno_attribute_id INTEGER,
    content LONGVARCHAR, dateAdded INTEGER DEFAULT 0);
CREATE TABLE moz_places_metadata (id INTEGER PRIMARY KEY, place_id INTEGER NOT NULL, created_at INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL DEFAULT 0, total_view_time INTEGER NOT NULL DEFAULT 0, search_query_id INTEGER);
"""
SAFARI = """
PRAGMA user_version = 15;
CREATE TABLE history_items (id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT NOT NULL UNIQUE, visit_count INTEGER NOT NULL,
    daily_visit_counts BLOB NOT NULL);
CREATE TABLE history_visits (id INTEGER PRIMARY KEY AUTOINCREMENT, history_item INTEGER NOT NULL, visit_time REAL NOT NULL,
    title TEXT NULL, redirect_source INTEGER NULL UNIQUE, redirect_destination INTEGER NULL UNIQUE,
    origin INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 0);
CREATE TABLE history_tombstones (id INTEGER PRIMARY KEY AUTOINCREMENT, start_time REAL NOT NULL, end_time REAL NOT NULL,
    url TEXT, generation INTEGER NOT NULL DEFAULT 0);
CREATE TABLE metadata (key TEXT NOT NULL UNIQUE, value);
"""
QUTEBROWSER = """
PRAGMA user_version = 4;
CREATE TABLE History (url TEXT NOT NULL, title TEXT NOT NULL, atime INTEGER NOT NULL, redirect INTEGER NOT NULL);
CREATE TABLE CompletionMetaInfo (key TEXT PRIMARY KEY, value INTEGER);
"""
FIREFOX_ANDROID = """
PRAGMA user_version = 39;
CREATE TABLE history (_id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT, url TEXT NOT NULL, visits INTEGER NOT NULL DEFAULT 0,
    date INTEGER, guid TEXT NOT NULL);
CREATE TABLE visits (_id INTEGER PRIMARY KEY AUTOINCREMENT, history_guid TEXT NOT NULL, visit_type INTEGER NOT NULL,
    date INTEGER NOT NULL, is_local INTEGER NOT NULL);
"""


class Database:
    """A database that a test writes as its browser would."""

    def __init__(self, path: Path, layout: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._urls = 0
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(layout)

    def do(self, sql: str, *values: Any) -> None:
        """Execute one statement and commit."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(sql, values)

    def add(self, table: str, **row: Any) -> int:
        """Insert a row and give its number."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            cursor = connection.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values())
            )
            return cursor.lastrowid or 0


class Chromium(Database):
    def __init__(self, path: Path, version: int = 70) -> None:
        super().__init__(path, CHROMIUM[version])
        self.add("meta", key="version", value=str(version))

    def url(self, address: str = "https://example.org/", **more: Any) -> int:
        row = {"url": address, "title": "Example", "last_visit_time": JUNE, **more}
        return self.add("urls", **row)

    def visit(self, url: int, time: int = JUNE, **more: Any) -> int:
        return self.add("visits", url=url, visit_time=time, **more)


class Firefox(Database):
    def __init__(self, path: Path) -> None:
        super().__init__(path, FIREFOX)

    def place(self, address: str = "https://example.org/", **more: Any) -> int:
        row = {"url": address, "title": "Example", "guid": f"guid-{address}", **more}
        return self.add("moz_places", **row)

    def visit(self, place: int, date: int, **more: Any) -> int:
        return self.add("moz_historyvisits", place_id=place, visit_date=date, visit_type=1, **more)
