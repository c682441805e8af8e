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
from tap_browser_history.library import Library
from tap_browser_history.profiles import Profile, profiles_of_machine, profiles_of_settings
from tap_browser_history.scratch import Scratch
from tap_kit import RawTap, TapError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_browser_history.base import HistoryStream


class TapBrowserHistory(RawTap):
    """History of the browsers on this machine."""

    name = "tap-browser-history"
    fail_on_gaps = True
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
            description="A database, or a folder with databases, labelled by its folder. Then only it is read.",
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

    @property
    def is_told_what_to_read(self) -> bool:
        """Whether the settings name profiles, so that one which cannot be read is no matter of course."""
        return bool(self._named)

    @property
    def _named(self) -> list[dict[str, str]]:
        path = self.config.get("path")
        return [*(self.config.get("profiles") or []), *([{"path": path}] if path else [])]

    @cached_property
    def profiles(self) -> list[Profile]:
        """The profiles to read.

        Raises:
            TapError: There is none, or one that the settings name does not exist.
        """
        if self._named:
            return profiles_of_settings(self._named, self._project)
        found = profiles_of_machine(sys.platform, Path.home(), os.environ)
        if not found:
            raise TapError(
                f"No browser's history was found below {Path.home()}. Name databases in the setting 'profiles'."
            )
        return found

    @cached_property
    def library(self) -> Library:
        """The profiles, copied when first needed."""
        return Library(self.profiles, self._scratch, self.logger)

    @cached_property
    def _scratch(self) -> Scratch:
        named = self.config.get("scratch_dir")
        if named:
            return Scratch(self._project / Path(named).expanduser())
        inside = os.environ.get("MELTANO_PROJECT_ROOT")
        return Scratch(self._project / "data" / "scratch" if inside else Path(tempfile.gettempdir()))

    @property
    def _project(self) -> Path:
        return Path(os.environ.get("MELTANO_PROJECT_ROOT") or Path.cwd())

    @override
    def discover_streams(self) -> Sequence[HistoryStream]:
        return [
            bookmarks.ChromiumBookmarks(self),
            chromium.ChromiumDownloads(self),
            chromium.ChromiumSearchTerms(self),
            chromium.ChromiumUrls(self),
            chromium.ChromiumVisits(self),
            firefox.FirefoxAndroidVisits(self),
            firefox.FirefoxAnnotations(self),
            firefox.FirefoxBookmarks(self),
            firefox.FirefoxMetadata(self),
            firefox.FirefoxPlaces(self),
            firefox.FirefoxVisits(self),
            qutebrowser.QutebrowserHistory(self),
            bookmarks.SafariBookmarks(self),
            safari.SafariItems(self),
            safari.SafariTombstones(self),
            safari.SafariVisits(self),
        ]
