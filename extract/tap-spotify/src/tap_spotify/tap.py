"""The tap: settings, streams, and the API beside the exports."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from singer_sdk import typing as th
from typing_extensions import override

from tap_kit import TapError
from tap_kit.client import Client
from tap_kit.export import EXPORT_SETTINGS, ExportTap, Files, Member
from tap_spotify import exports, parsers
from tap_spotify.api import API, PACE, Spotify
from tap_spotify.recent import RecentlyPlayed
from tap_spotify.tokens import ACCOUNTS, App, LoginFile, Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_kit import RawStream
    from tap_kit.export import Export, Rule

TOKEN_FILE = "data/tap-spotify/login.json"  # noqa: S105 - a path
_THIS_MACHINE = {"127.0.0.1", "localhost", "::1"}


class TapSpotify(ExportTap):
    """What was played on Spotify."""

    name = "tap-spotify"
    rules: ClassVar[Sequence[Rule]] = parsers.RULES
    path_required = False
    parser_version = 3  # names of second downloads, text that is not JSON
    config_jsonschema = th.PropertiesList(
        *EXPORT_SETTINGS,
        th.Property(
            "technical_log",
            th.BooleanType(nullable=False),
            default=False,
            title="Technical log",
            description="Read the events of the apps too. They are very personal.",
        ),
        th.Property(
            "client_id",
            th.StringType(nullable=False),
            title="Client id",
            description="Of an app made on developer.spotify.com/dashboard; for recently played tracks.",
        ),
        th.Property(
            "client_secret",
            th.StringType(nullable=False),
            secret=True,
            title="Client secret",
            description="Of the same app. Left out: the login was made without (PKCE).",
        ),
        th.Property(
            "refresh_token",
            th.StringType(nullable=False),
            secret=True,
            title="Refresh token",
            description="Of a login made elsewhere. Default: that of the login file.",
        ),
        th.Property(
            "token_file",
            th.StringType(nullable=False),
            default=TOKEN_FILE,
            title="Login file",
            description="Where tap-spotify-login keeps the login; from the project's folder or absolute.",
        ),
        th.Property(
            "max_wait",
            th.IntegerType(minimum=0),
            default=300,
            title="Longest wait",
            description="Seconds that a run waits when Spotify limits the rate of requests.",
        ),
        th.Property(
            "api_url",
            th.StringType(nullable=False),
            default=API,
            title="API address",
            description="Of the Web API; http only for a server on this machine.",
        ),
        th.Property(
            "accounts_url",
            th.StringType(nullable=False),
            default=ACCOUNTS,
            title="Sign-in address",
            description="Of the accounts service; http only for a server on this machine.",
        ),
    ).to_dict()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`singer_sdk.Tap`."""
        super().__init__(*args, **kwargs)
        if self.config["technical_log"]:
            # Other parsers: exports that were read without them are read once more.
            self.rules = (parsers.LOG_READ, *parsers.RULES)  # type: ignore[misc] # of this tap alone
            self.parser_version = 4  # type: ignore[misc] # likewise

    @override
    def discover_streams(self) -> Sequence[RawStream]:
        return [
            exports.AccountFiles(self),
            exports.ExportPlaylists(self),
            Files(self),
            exports.Library(self),
            RecentlyPlayed(self),
            exports.SearchQueries(self),
            exports.StreamingHistory(self),
            exports.ShortAudiobook(self),
            exports.ShortMusic(self),
            exports.ShortPodcast(self),
            exports.ShortVideo(self),
            exports.TechnicalLog(self),
        ]

    @override
    def split(self, members: Sequence[Member]) -> list[list[Member]]:
        """Take each folder as an export of its own: an older one beside it holds the same plays."""
        folders: dict[str, list[Member]] = {}
        for member in members:
            folders.setdefault(member.name.rpartition("/")[0], []).append(member)
        return list(folders.values())

    @override
    def moment_of(self, export: Export) -> str:
        """Return the newest play, search or change of a playlist: copying a folder changes the times of its files."""
        return parsers.newest_moment(export.members)

    @override
    def read_exports(self) -> None:
        if not self.config.get("path") and not self.config.get("client_id"):
            raise TapError(
                "Neither an export nor an app of Spotify is named. Set TAP_SPOTIFY_PATH to an export, or "
                "TAP_SPOTIFY_CLIENT_ID for recently played tracks (see the README)."
            )
        super().read_exports()

    @cached_property
    @override
    def client(self) -> Client:
        """Keep Spotify's pace; a server on this machine needs none."""
        local = _is_local(self.config["api_url"])
        return Client(min_interval=0 if local else PACE, longest_wait=float(self.config["max_wait"]))

    @cached_property
    def spotify(self) -> Spotify | None:
        """The Web API; None where the settings name no app."""
        client_id = self.config.get("client_id")
        if not client_id:
            return None
        tokens = Tokens(
            App(client_id, self.config.get("client_secret") or ""),
            self.client,
            LoginFile(self._project / Path(self.config["token_file"]).expanduser()),
            setting=self.config.get("refresh_token") or "",
            url=self._address("accounts_url"),
            logger=self.logger,
        )
        return Spotify(self.client, tokens, self._address("api_url"))

    @property
    def _project(self) -> Path:
        return Path(os.environ.get("MELTANO_PROJECT_ROOT") or Path.cwd())

    def _address(self, setting: str) -> str:
        address: Any = self.config[setting]
        if not address.startswith("https://") and not (address.startswith("http://") and _is_local(address)):
            raise TapError(
                f"Setting '{setting}' has to start with https:// (http:// only for this machine). Correct it."
            )
        return str(address).rstrip("/")


def _is_local(address: str) -> bool:
    return urlsplit(address).hostname in _THIS_MACHINE
