"""Which exports have been read before: the state of the tap, by content and never by date."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_kit.export import ExportTap
    from tap_kit.export_members import Export
    from tap_kit.export_streams import Files


class Newest(NamedTuple):
    """Moments of the newest exports with records of a stream.

    Attributes:
        dated: By what their content says; empty if there was none.
        filed: By the times of their files.
    """

    dated: str = ""
    filed: str = ""

    def is_newer_than(self, export: Export) -> bool:
        """Tell whether *export* is older than these, or may be.

        Copying a folder changes the times of its files: they do not show that it is newer than what content has dated.
        """
        if export.is_dated:
            return export.moment < self.dated
        is_loose = not export.files
        return (is_loose and bool(self.dated)) or export.moment < max(self.dated, self.filed)


class Seen:
    """The exports of one account that have been read; kept in the state of `Files`."""

    def __init__(self, tap: ExportTap, files: Files) -> None:
        """Look at what *tap* has read before."""
        self._tap = tap
        self._files = files
        self._account = str(tap.config.get("account") or "")

    def key(self, hashes: Iterable[str]) -> str:
        """Name an export by the hashes of its files."""
        digest = sha256("\n".join(hashes).encode()).hexdigest()
        return f"{self._account}:{digest}" if self._account else digest

    def __contains__(self, key: str) -> bool:
        """Tell whether it has been read, by these parsers."""
        return self._entries.get(key, {}).get("parsers") == self._tap.parser_version

    def newest(self, stream: str) -> Newest:
        """Return when the newest exports were made that had records of *stream*."""
        newest = Newest()
        for entry in self._entries.values():
            if stream not in entry.get("streams", [stream]):  # older states do not say which streams
                continue
            moment = str(entry.get("moment", ""))
            # Older states do not say whether the content told the moment; only the times of files have a "T" there.
            if entry.get("dated", bool(moment) and "T" not in moment):
                newest = Newest(max(newest.dated, moment), newest.filed)
            else:
                newest = Newest(newest.dated, max(newest.filed, moment))
        return newest

    def remember(self, export: Export, keys: Iterable[str], streams: Iterable[str]) -> None:
        """Put it into the state that an export has been read, and send the state.

        Args:
            export: The export, with its moment.
            keys: Its names.
            streams: Those that it had records of.
        """
        entry = {
            "path": export.path,
            "moment": export.moment,
            "dated": export.is_dated,
            "parsers": self._tap.parser_version,
            "read": datetime.now(UTC).isoformat(timespec="seconds"),
            "streams": sorted(streams),
        }
        self._keep(keys, entry)

    def repeat(self, known: str, keys: Iterable[str]) -> None:
        """Give what is in the state as *known* further names."""
        self._keep(keys, self._entries[known])

    def _keep(self, keys: Iterable[str], entry: dict[str, Any]) -> None:
        self._files.stream_state.setdefault("exports", {}).update(dict.fromkeys(keys, entry))
        self._tap.send_state()

    @property
    def _entries(self) -> dict[str, dict[str, Any]]:
        entries: dict[str, dict[str, Any]] = self._files.stream_state.setdefault("exports", {})
        return {key: entry for key, entry in entries.items() if key.rpartition(":")[0] == self._account}
