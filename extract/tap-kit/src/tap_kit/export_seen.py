"""Which exports have been read before: the state of the tap, by content and never by date."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_kit.export import ExportTap
    from tap_kit.export_streams import Files


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

    def newest(self, stream: str) -> str:
        """Tell when the newest export was made that had records of *stream*; empty if none had."""
        return max(
            (
                str(entry.get("moment", ""))
                for entry in self._entries.values()
                if stream in entry.get("streams", [stream])  # older states do not say which streams
            ),
            default="",
        )

    def remember(self, path: str, moment: str, keys: Iterable[str], streams: Iterable[str]) -> None:
        """Put it into the state that an export has been read, and send the state.

        Args:
            path: Where it lies.
            moment: When it was made.
            keys: Its names.
            streams: Those that it had records of.
        """
        entry = {
            "path": path,
            "moment": moment,
            "parsers": self._tap.parser_version,
            "read": datetime.now(UTC).isoformat(timespec="seconds"),
            "streams": sorted(streams),
        }
        self._files.stream_state.setdefault("exports", {}).update(dict.fromkeys(keys, entry))
        self._tap.send_state()

    def repeat(self, known: str, keys: Iterable[str]) -> None:
        """Give what is in the state as *known* further names."""
        entry = self._entries[known]
        self.remember(entry["path"], str(entry.get("moment", "")), keys, entry.get("streams", []))

    @property
    def _entries(self) -> dict[str, dict[str, Any]]:
        entries: dict[str, dict[str, Any]] = self._files.stream_state.setdefault("exports", {})
        return {key: entry for key, entry in entries.items() if key.rpartition(":")[0] == self._account}
