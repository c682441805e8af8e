"""Copies of profiles that were handed in: a folder, a zip or tar of one, or a database alone.

Which files of a profile hold history, and which are left out. Names: what Chrome, Firefox and Safari keep in a profile, as
their sources and the folders themselves tell.
"""

from __future__ import annotations

import re
import sqlite3
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tap_browser_history.bookmarks import FileBookmarks
from tap_browser_history.labels import browser_label, choose
from tap_browser_history.library import NoHistoryError, open_book
from tap_browser_history.profiles import DATABASES, Profile
from tap_kit.export import Files, LeftOutError, MemberError, Rule
from tap_kit.sqlite import SnapshotError, take_member

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_browser_history.tap import TapBrowserHistory
    from tap_kit.export import Found, Member

_DATABASES = {name.lower() for name in DATABASES}
_NAMES = "|".join(map(re.escape, DATABASES))
_MAGIC = rb"\ASQLite format 3\x00"

_NEVER = 1 << 62
"""Bytes of a record, for files that give none of their own."""

_FORMER = "a former copy that the browser made itself"
_CACHE = "cache, storage of sites or extensions"
_SETTINGS = "settings, sign-ins and the like; no history"

_CACHES = (
    r"[\w ]*cache2?",
    r"blob_storage|databases|indexeddb|file system|service worker|[\w ]*storage|shared dictionary",
    r"[\w ]*extension (settings|state|rules|scripts)|extensions|web applications|browser-extension-data",
    r"sync (data|app settings)|sessions|sessionstore-backups|gcm store|\w+_db|[\w ]*database|segmentation platform",
    r"crash(pad|es| reports)|minidumps|datareporting|saved-telemetry-pings|security_state|settings|gmp[-\w]*|features|weave",
    r"thumbnails|safebrowsing|platform notifications|download service|feature engagement tracker|optimization\w*",
    r"favicon cache|template icons|touch icons( cache)?|tab snapshots|remotenotifications|localstorage",
)
_CHROMIUM = (
    r"preferences|secure preferences|local state|visited links|transportsecurity|top sites|favicons|[\w ]*cookies",
    r"login data( for account)?|web data|account web data|shortcuts|network action predictor|dips|trust tokens|quotamanager",
    r"network persistent state|reporting and nel|(current|last) (session|tabs|version|browser)|first run|readme|lock|log(\.old)?",
    r"current|manifest-\d+|\d+\.(log|ldb|sst)|sct auditing pending reports|affiliation database|bookmarkmergedsurfaceordering",
    r"translate ranker model|preferredapps|variations|servercertificate|mediadevicesalts|google profile\.ico|[^/]*\.(pma|pb|png)",
    r"singleton(lock|cookie|socket)",
)
_FIREFOX = (
    r"(prefs|user)\.js|(cert|key)\d\.db|pkcs11\.txt|(compatibility|profiles|installs)\.ini|\.?parent-?\.?lock|lock|alternateservices\.(bin|txt)",
    r"sitesecurityservicestate\.(bin|txt)|serviceworker\.txt|[^/]*\.(lz4|jsonlz4|mozlz4|baklz4|little|final)|search\.json|[^/]*\.css",
    r"(addons|addonstartup|containers|extensions|extension-(preferences|settings)|handlers|logins(-backup)?|sessioncheckpoints)\.json",
    r"(shield-preference-experiments|times|xulstore|targeting\.snapshot|broadcast-listeners|experimentstoredata|notificationstore)\.json",
    r"(signedinuser|credentialstate|shield-recipe|sessionstore|permissions|protections|enumerate_devices)\.(json|txt)",
)
_SAFARI = (
    r"[^/]*\.(plist|binarycookies|savedstate)",
    r"(favicons|peruserdata|cloudtabs|closeautofill|safaritabs|passwordbreachstore)\.db",
)


class Copies:
    """What reads the files of a copied profile."""

    def __init__(self, tap: TapBrowserHistory) -> None:
        """Feed the streams of *tap*."""
        self._tap = tap
        files = [stream for stream in tap.history_streams if isinstance(stream, FileBookmarks)]
        side = "-(journal|wal)"
        self.rules = (
            Rule(_NAMES, self.database),
            Rule(
                f"({_NAMES}|[^/]*\\.(sqlite|db)){side}", _read_with_its_database, record_bytes=_NEVER
            ),  # a part of what the copy says
            *(Rule(re.escape(stream.file), self.bookmarks, encoding="UTF-8") for stream in files),
            Rule(r"bookmarks\.(bak|msbak)|bookmarkbackups/[^/]*|history-journal\.bak", None, _FORMER),
            Rule(f"({'|'.join(_CACHES)})/.*", None, _CACHE),
            Rule(r"[^/]*-(journal|wal|shm)", None, "beside a database"),
            Rule("|".join((*_CHROMIUM, *_FIREFOX, *_SAFARI)), None, _SETTINGS),
            Rule(r"[^/]*", self.database, content=_MAGIC),
        )

    def label(self, member: Member) -> str:
        """Return the label of a file's profile: the setting, else browser and folder, else the folder, else the archive."""
        if account := self._tap.config.get("account"):
            return str(account)
        named = Path(self._tap.config["path"]).expanduser()
        place = (named if named.is_dir() else named.parent).resolve()
        return choose(self._folder(member), browser_label((place / member.name).parent), self._taken)

    @cached_property
    def _taken(self) -> dict[str, str] | None:
        """Labels without a browser that rows may have been loaded under; see `choose`."""
        state = self._tap.streams[Files.name].stream_state
        if "labels" not in state:
            state["labels"] = {} if state.get("exports") else None
        taken: dict[str, str] | None = state["labels"]
        return taken

    def _folder(self, member: Member) -> str:
        if folder := PurePosixPath(member.name).parent.name:
            return folder
        if member.export and member.export.files:
            return re.sub(
                r"(\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz))+$", "", PurePosixPath(member.export.path).name
            )
        path = Path(self._tap.config["path"]).expanduser()
        return (path if path.is_dir() else path.parent).resolve().name

    def database(self, member: Member) -> Iterator[Found]:
        """Read a database of history, by way of a private copy."""
        profile = Profile(self.label(member), Path(member.path))
        with self._tap.scratch.folder() as folder:
            try:
                book = open_book(profile, take_member(member, folder))
            except NoHistoryError as error:
                if PurePosixPath(member.name).name.lower() in _DATABASES:
                    raise MemberError(str(error)) from None
                raise LeftOutError("a database that holds no history of a browser known here") from None
            except SnapshotError as error:
                raise MemberError(str(error)) from None
            failed = []
            for stream in self._tap.history_streams:
                if stream.kind == book.kind and not isinstance(stream, FileBookmarks):
                    try:
                        yield from stream.found_in(book)
                    except (sqlite3.Error, ValueError) as error:
                        failed.append(f"{stream.name} cannot be read ({error}), layout {book.layout}")
        if failed:
            raise MemberError(
                f"{member.path}: {'; '.join(failed)}. The other streams are read; look for a newer version of the tap."
            )

    def bookmarks(self, member: Member) -> Iterator[Found]:
        """Read a file of bookmarks."""
        name = PurePosixPath(member.name).name.lower()
        for stream in self._tap.history_streams:
            if isinstance(stream, FileBookmarks) and stream.file.lower() == name:
                try:
                    yield from stream.found_in_file(member.read())
                except ValueError as error:
                    raise MemberError(f"{member.path}: {error}. Get it again if you can.") from None


def _read_with_its_database(member: Member) -> Iterator[Found]:
    """Give nothing: a log or journal is read with the database beside it, and counts when telling whether a copy is new."""
    del member
    yield from ()
