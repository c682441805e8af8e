"""Bookmarks that lie in a file beside the history: ``Bookmarks`` (JSON) of Chromium, ``Bookmarks.plist`` of Safari.

Both are trees, and both are replaced as a whole by their browser, so reading the bytes once is reading one state.
Each bookmark and folder leaves as its own object without the branch below it, which follows as records of its own.
"""

from __future__ import annotations

import base64
import hashlib
import plistlib
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from xml.parsers.expat import ExpatError

from typing_extensions import override

from tap_browser_history.base import HistoryStream
from tap_browser_history.clocks import since_1601
from tap_browser_history.columns import part, schema
from tap_kit.export import Found
from tap_kit.jsontext import loads
from tap_kit.sqlite_rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tap_browser_history.library import Book

_PLACE: dict[str, Any] = {
    "root": {"type": ["string", "null"], "description": "Part of the tree, such as the bookmark bar."},
    "folders": {
        "type": "array",
        "items": {"type": ["string", "null"]},
        "description": "Names of the folders that it is in, outermost first.",
    },
}


class FileBookmarks(HistoryStream):
    """Bookmarks and folders of a file beside the history; a profile without the file has none."""

    primary_keys = ("node",)
    parts = ()

    file: ClassVar[str]
    children: ClassVar[str]
    """Member of a folder that holds what is in it."""

    @override
    def origin(self, book: Book) -> dict[str, Any]:
        path = self._path(book)
        if not path.is_file():
            return {}
        content = path.read_bytes()
        told = {
            "file_path": str(path),
            "file_hash": hashlib.sha256(content).hexdigest(),
            "file_size": len(content),
            "encoding": "UTF-8",
        }
        return {**book.provenance(), **told}

    @override
    def rows(self, book: Book) -> Iterator[Row]:
        path = self._path(book)
        if path.is_file():
            yield from self._rows_of(path.read_bytes())

    def found_in_file(self, content: bytes) -> Iterator[Found]:
        """Give all records of a file that was handed in.

        Raises:
            ValueError: It is not in the form that the browser writes.
        """
        for name, row in self._named(self._rows_of(content), frozenset()):
            yield Found(self.name, row.record, self._provenance(name, row))

    @override
    def _tell_new_columns(self, record: Mapping[str, Any], unseen: set[str]) -> None:
        super()._tell_new_columns(record, set(unseen))  # nodes differ, so each is looked at

    def _rows_of(self, content: bytes) -> Iterator[Row]:
        for number, (root, folders, node) in enumerate(self._nodes(content)):
            row = Row(number, {"root": root, "folders": folders}, [])
            own = {name: value for name, value in node.items() if name != self.children}
            row.record["node"] = _as_json(own, "/node", row)
            yield row

    def roots(self, content: bytes) -> list[tuple[str, Any]]:
        """Read the file; gives the trees in it with their names.

        Raises:
            ValueError: It is not in the form that the browser writes.
        """
        raise NotImplementedError

    def title(self, node: dict[str, Any]) -> str | None:
        """Give a folder's name."""
        raise NotImplementedError

    def _path(self, book: Book) -> Path:
        return book.profile.path.parent / self.file

    def _nodes(self, content: bytes) -> Iterator[tuple[str, list[str | None], dict[str, Any]]]:
        """Walk the trees, a folder before what is in it."""
        waiting: list[tuple[str, list[str | None], Any]]
        waiting = [(root, [], tree) for root, tree in reversed(self.roots(content))]
        while waiting:
            root, folders, node = waiting.pop()
            if not isinstance(node, dict):
                continue
            yield root, folders, node
            inside = [*folders, self.title(node)]
            waiting += [(root, inside, child) for child in reversed(node.get(self.children) or [])]


class ChromiumBookmarks(FileBookmarks):
    """Bookmarks and folders of ``Bookmarks``; numbers are texts there, and moments µs since 1601."""

    name = "chromium_bookmarks"
    kind = "chromium"
    file = "Bookmarks"
    children = "children"
    identity = ("/node/guid", "/node/date_added")
    clock = ("/node/date_added", since_1601)
    volatile = ("/node/id", "/node/date_last_used", "/node/date_modified")
    _SINCE_1601: ClassVar[dict[str, Any]] = {
        "type": ["string", "null"],
        "description": "Microseconds since 1601-01-01 UTC.",
    }
    schema = schema(
        _PLACE
        | {
            "node": part(
                {
                    name: {"type": ["string", "null"]}
                    for name in ("guid", "id", "name", "type", "url", "source")
                }
                | dict.fromkeys(("date_added", "date_last_used", "date_modified"), _SINCE_1601)
                | {"meta_info": {"type": ["object", "null"]}, "show_icon": {"type": ["boolean", "null"]}},
                "The bookmark or folder.",
            )
        },
        required=("node",),
    )

    @override
    def roots(self, content: bytes) -> list[tuple[str, Any]]:
        found = loads(content)
        roots = found.get("roots") if isinstance(found, dict) else None
        if not isinstance(roots, dict):
            raise ValueError(f"{self.file} has no member 'roots'")  # noqa: TRY004 - one kind of error for all that is wrong
        return [(name, tree) for name, tree in roots.items() if isinstance(tree, dict)]

    @override
    def title(self, node: dict[str, Any]) -> str | None:
        return node.get("name")


class SafariBookmarks(FileBookmarks):
    """Bookmarks, the reading list and folders of ``Bookmarks.plist``."""

    name = "safari_bookmarks"
    kind = "safari"
    file = "Bookmarks.plist"
    children = "Children"
    identity = ("/node/WebBookmarkUUID",)
    schema = schema(
        _PLACE
        | {
            "node": part(
                {
                    name: {"type": ["string", "null"]}
                    for name in (
                        "WebBookmarkType",
                        "WebBookmarkUUID",
                        "URLString",
                        "Title",
                        "WebBookmarkIdentifier",
                    )
                }
                | {
                    name: {"type": ["object", "null"]}
                    for name in ("URIDictionary", "ReadingList", "ReadingListNonSync", "Sync")
                }
                | {"WebBookmarkFileVersion": {"type": ["integer", "null"]}},
                "The bookmark or folder; dates in ISO 8601, bytes in base64.",
            )
        },
        required=("node",),
    )
    volatile = ("/node/Sync", "/node/ReadingListNonSync")

    @override
    def roots(self, content: bytes) -> list[tuple[str, Any]]:
        try:
            return [("", plistlib.loads(content))]
        except (plistlib.InvalidFileException, ExpatError, ValueError, RecursionError):
            raise ValueError(f"{self.file} is no property list") from None

    @override
    def title(self, node: dict[str, Any]) -> str | None:
        return node.get("Title")


def _as_json(value: Any, pointer: str, row: Row) -> Any:
    """Write what JSON lacks as text: dates in ISO 8601, bytes in base64, which *row* notes."""
    if isinstance(value, dict):
        return {name: _as_json(item, f"{pointer}/{name}", row) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item, f"{pointer}/{index}", row) for index, item in enumerate(value)]
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    if isinstance(value, bytes):
        row.base64.append(pointer)
        return {"base64": base64.b64encode(value).decode("ascii")}
    return int(value) if isinstance(value, plistlib.UID) else value
