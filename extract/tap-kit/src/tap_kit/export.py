"""The tap of export files: a table of patterns and parsers, state by content, every member accounted for.

The export is the unit: it is read as a whole, its records go out, then what it ended, then the state that it has been
read. Broken off anywhere, the next run reads that export again and the loader knows what it has.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_kit.errors import TapError
from tap_kit.export_items import json_items
from tap_kit.export_members import (
    Envelope,
    Export,
    Found,
    LeftOutError,
    Lines,
    LockedError,
    Member,
    MemberError,
    Rule,
)
from tap_kit.export_progress import Progress
from tap_kit.export_reader import ExportReader
from tap_kit.export_streams import ExportStream, Files
from tap_kit.tap import RawTap
from tap_kit.text import PRINTABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "EXPORT_SETTINGS",
    "Envelope",
    "Export",
    "ExportStream",
    "ExportTap",
    "Files",
    "Found",
    "LeftOutError",
    "Lines",
    "LockedError",
    "Member",
    "MemberError",
    "Rule",
    "json_items",
]

EXPORT_SETTINGS = (
    th.Property(
        "path",
        th.StringType(nullable=False),
        title="Export",
        description="An export as it came (zip, folder or file), or a folder with several; from the project's folder or absolute.",
    ),
    th.Property(
        "password",
        th.StringType(nullable=False),
        secret=True,
        title="Password",
        description="Password of the zip, if it has one.",
    ),
    th.Property(
        "account",
        th.StringType(nullable=False),
        title="Account",
        description="Whose export it is, where those of several people land in one database.",
    ),
)
"""Settings that every tap of exports has."""


class ExportTap(RawTap):
    """A tap that reads export files; see the README, "Export files"."""

    rules: ClassVar[Sequence[Rule]] = ()
    """The table: the first line that matches a member counts."""

    parser_version: ClassVar[int] = 1
    """Raised when the parsers find more than before: exports that were read before are read once more."""

    fail_on_gaps = True  # an export that was named and cannot be read whole is not a success

    path_required: ClassVar[bool] = True
    """Whether the tap has nothing to do without an export."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`singer_sdk.Tap`."""
        self._read = False
        super().__init__(*args, **kwargs)

    # What a source may decide

    def split(self, members: Sequence[Member]) -> list[list[Member]]:
        """Tell which loose files of the named folder belong to one export; by default they are one together."""
        return [list(members)]

    def moment_of(self, export: Export) -> str:
        """Return the newest moment that the content of an export shows, as text that sorts by time; empty if it shows none.

        It decides which of two exports is newer. Without it the times of the files do, which copying changes.
        """
        del export
        return ""

    # The course of a run

    @cached_property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(self.logger)

    def read_exports(self) -> None:
        """Read what is new, once per run."""
        path = self._path()
        if self._read or path is None:
            return
        self._read = True
        for logger in (self.logger, *(stream.logger for stream in self.streams.values())):
            logger.addFilter(PRINTABLE)  # names of members are foreign text
        files = next(stream for stream in self.export_streams() if isinstance(stream, Files))
        ExportReader(self, files).read(path)

    def _path(self) -> Path | None:
        """Return the path that is named; None: there is none, and the tap has something else to do.

        Raises:
            TapError: There is none, or nothing at it.
        """
        named = self.config.get("path")
        if not named and not self.path_required:
            return None
        if not named:
            variable = f"{self.name.upper().replace('-', '_')}_PATH"
            raise TapError(
                f"No export is named. Set {variable} to one, or drop it into data/inbox and run: bronze inbox"
            )
        path = Path(os.environ.get("MELTANO_PROJECT_ROOT") or Path.cwd()) / Path(named).expanduser()
        if not path.exists():
            raise TapError(f"{path}: nothing there. Name an export, or a folder with exports, as 'path'.")
        return path

    def export_streams(self) -> list[ExportStream]:
        """List the streams that are fed from exports."""
        return [stream for stream in self.streams.values() if isinstance(stream, ExportStream)]

    def provenance_of(self, member: Member) -> dict[str, Any]:
        """Return what the records of *member* have in common: the file and the account."""
        return {**member.provenance, **self.account_provenance}

    @property
    def account_provenance(self) -> dict[str, str]:
        """The account as a part of the provenance of every record, if the setting names one."""
        account = self.config.get("account")
        return {"account": str(account)} if account else {}

    def write(self, lines: bytes) -> None:
        """Put whole lines on stdout."""
        buffer = getattr(sys.stdout, "buffer", None)
        if buffer is None:  # a test's StringIO
            sys.stdout.write(lines.decode())
        else:
            buffer.write(lines)

    def send_state(self) -> None:
        """Send the state."""
        self._state_writer.write_state(self.state)
