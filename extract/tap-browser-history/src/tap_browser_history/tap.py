"""The tap: settings, streams, and the life of the private copies."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th
from typing_extensions import override

from tap_browser_history import bookmarks, chromium, firefox, qutebrowser, safari
from tap_browser_history.base import HistoryStream
from tap_browser_history.copies import Copies
from tap_browser_history.library import Library
from tap_browser_history.profiles import Profile, profiles_of_machine, profiles_of_settings
from tap_kit import TapError
from tap_kit.export import ExportStream, ExportTap, Files
from tap_kit.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_kit.export import Member


class TapBrowserHistory(ExportTap):
    """History of the browsers on this machine."""

    name = "tap-browser-history"
    path_required = False
    config_jsonschema = th.PropertiesList(
        th.Property(
            "profiles",
            th.ArrayType(
                th.ObjectType(
                    th.Property("path", th.StringType(nullable=False), required=True),
                    th.Property("label", th.StringType(nullable=False)),
                )
            ),
            title="Profiles",
            description="Databases or folders with databases, each with path and perhaps label. Default: all of this machine.",
        ),
        th.Property(
            "path",
            th.StringType(nullable=False),
            title="Copy",
            description="A copied profile: its folder, a zip or tar of it, or a database. Without profiles, only it is read.",
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
            title="Label",
            description="Of the copy, such as chrome/Default. Default: the folder that the database lies in.",
        ),
        th.Property(
            "scratch_dir",
            th.StringType(nullable=False),
            title="Folder for copies",
            description="Where private copies lie during a run. Default: data/scratch of the project.",
        ),
    ).to_dict()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`singer_sdk.Tap`."""
        self.warnings: set[str] = set()
        super().__init__(*args, **kwargs)
        self.rules = self._copies.rules  # type: ignore[misc] # they feed the streams of this tap

    @property
    def reads_profiles(self) -> bool:
        """Whether profiles are read that browsers use, those of this machine or those that the settings name."""
        return self.is_told_what_to_read or not self.config.get("path")

    @property
    def is_told_what_to_read(self) -> bool:
        """Whether the settings name profiles, so that one which cannot be read is no matter of course."""
        return bool(self.config.get("profiles"))

    @cached_property
    def profiles(self) -> list[Profile]:
        """The profiles to read.

        Raises:
            TapError: There is none, or one that the settings name does not exist.
        """
        if self.is_told_what_to_read:
            known = {
                (label, path)
                for stream in self.history_streams
                for label, paths in stream.stream_state.get("profiles", {}).items()
                for path in paths
            }
            return profiles_of_settings(self.config["profiles"], self._project, known)
        found = profiles_of_machine(sys.platform, Path.home(), os.environ)
        if not found:
            raise TapError(
                f"No browser's history was found below {Path.home()}. Name databases in the setting 'profiles'."
            )
        return found

    @cached_property
    def library(self) -> Library:
        """The profiles, copied when first needed."""
        return Library(self.profiles, self.scratch, self.logger)

    @cached_property
    def scratch(self) -> Scratch:
        """The folder for private copies."""
        named = self.config.get("scratch_dir")
        if named:
            return Scratch(self._project / Path(named).expanduser(), self.name)
        inside = os.environ.get("MELTANO_PROJECT_ROOT")
        return Scratch(
            self._project / "data" / "scratch" if inside else Path(tempfile.gettempdir()), self.name
        )

    @cached_property
    def history_streams(self) -> list[HistoryStream]:
        """The streams but the one of files."""
        return [stream for stream in self.streams.values() if isinstance(stream, HistoryStream)]

    @cached_property
    def _copies(self) -> Copies:
        return Copies(self)

    @override
    def provenance_of(self, member: Member) -> dict[str, Any]:
        return {**super().provenance_of(member), "account": self._copies.label(member)}

    @property
    def _project(self) -> Path:
        return Path(os.environ.get("MELTANO_PROJECT_ROOT") or Path.cwd())

    @override
    def discover_streams(self) -> Sequence[ExportStream]:
        return [
            bookmarks.ChromiumBookmarks(self),
            chromium.ChromiumDownloads(self),
            chromium.ChromiumSearchTerms(self),
            chromium.ChromiumUrls(self),
            chromium.ChromiumVisits(self),
            Files(self),
            firefox.FirefoxAndroidVisits(self),
            firefox.FirefoxAnnotations(self),
            firefox.FirefoxBookmarks(self),
            firefox.FirefoxInputHistory(self),
            firefox.FirefoxItemAnnotations(self),
            firefox.FirefoxKeywords(self),
            firefox.FirefoxMetadata(self),
            firefox.FirefoxPlaces(self),
            firefox.FirefoxVisits(self),
            qutebrowser.QutebrowserHistory(self),
            bookmarks.SafariBookmarks(self),
            safari.SafariItems(self),
            safari.SafariTombstones(self),
            safari.SafariVisits(self),
        ]
