"""The tap: settings, streams, and which of its three routes a run takes."""

from __future__ import annotations

import logging
import re
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError
from typing_extensions import override

from tap_garmin import activity_parts, exports, lists, ranges, wellness
from tap_garmin.account import Account
from tap_garmin.activities import Activities
from tap_garmin.activity_parts import PartStream
from tap_garmin.base import ConnectStream
from tap_garmin.connect import PACE, Connect
from tap_garmin.dayfiles import WellnessFiles
from tap_garmin.fitfiles import FitMessages, FitRemains
from tap_garmin.fitpool import FitReader
from tap_garmin.tokens import FILE_NAME, TokenFile, post_form
from tap_kit.client import Client
from tap_kit.export import EXPORT_SETTINGS, ExportTap, Files, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk import Stream

    from tap_garmin.tokens import Post
    from tap_kit import RawStream
    from tap_kit.export import Member

_THIS_MACHINE = {"127.0.0.1", "localhost", "::1"}
_STORE = "~/.garminconnect"
_SHORTEST_LOOKBACK = 3
_LONGEST = 3650
"""Days that may be read again and again."""

_EARLIEST = date(1990, 1, 1)
"""No watch wrote anything before, and each day costs requests."""

_PERSONAL = (
    (re.compile(r"[^\s/,;:'\"]+@[^\s/,;:'\"_]+"), "[e-mail]"),
    (re.compile(r"_\d{5,12}(?=[_.][A-Za-z])"), "_[id]"),
)


class TapGarmin(ExportTap):
    """Singer tap for Garmin: Connect, account exports, FIT files."""

    name = "tap-garmin"
    package_name = "tap-garmin"
    path_required = False
    fail_on_gaps = False  # a feature that the account lacks is no failure; other gaps set it

    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property(
            "token_store",
            th.StringType(nullable=False),
            default=_STORE,
            title="Token store",
            description="Folder or file with the token that tap-garmin-login wrote; it is replaced at each renewal.",
        ),
        th.Property(
            "start_date",
            th.DateType,
            title="Start date",
            description="First day of the history, such as 2016-01-31. Left out: ten years of aggregates, 150 days of detail.",
        ),
        th.Property(
            "lookback_days",
            th.IntegerType(minimum=_SHORTEST_LOOKBACK, maximum=_LONGEST),
            default=14,
            title="Days to read again",
            description="Days before the last complete one that each run reads again, since watches sync late.",
        ),
        th.Property(
            "sweep_days",
            th.IntegerType(minimum=0, maximum=_LONGEST),
            default=130,
            title="Days of the monthly sweep",
            description="Days that are read again once a month, before Garmin forgets their detail; 0 for none.",
        ),
        th.Property(
            "wellness_files",
            th.BooleanType,
            default=False,
            title="Files of each day",
            description="Fetch the files that the watch wrote on each day, for detail that Garmin has forgotten; a request a day.",
        ),
        th.Property(
            "api_url",
            th.StringType(nullable=False),
            default="https://connectapi.garmin.com",
            title="Data address",
            description="Where the data lies; a server on this machine may be named by http.",
        ),
        th.Property(
            "auth_url",
            th.StringType(nullable=False),
            default="https://diauth.garmin.com",
            title="Renewal address",
            description="Where the token is renewed; a server on this machine may be named by http.",
        ),
        *EXPORT_SETTINGS,
    ).to_dict()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`singer_sdk.Tap`."""
        self._fits = FitReader(self)
        self._state_sent: float | None = None
        self.rules = (Rule(exports.FIT, self._fits), *exports.RULES)  # type: ignore[misc] # the reader is this tap's
        super().__init__(*args, **kwargs)

    @override
    def discover_streams(self) -> Sequence[RawStream]:
        connect = (*wellness.DETAILED, *wellness.OTHERS, Activities, *activity_parts.ALL, WellnessFiles)
        return [
            *(stream(self) for stream in (*connect, *ranges.ALL, *lists.ALL)),
            FitMessages(self),
            FitRemains(self),
            *exports.streams(self),
            Files(self),
        ]

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        """Files first, then lists, then what was not read to its end for the longest time.

        Files cannot be refused, and runs that Garmin stops early come to every stream in turn.
        """
        if self._streams is None:
            found = super().streams
            first = (*lists.ALL, Activities, *wellness.DETAILED, *wellness.OTHERS)
            order = [stream.name for stream in (*first, *activity_parts.ALL, *ranges.ALL, WellnessFiles)]
            self._streams = {**{name: found[name] for name in order}, **found}
            for logger in (self.logger, *(stream.logger for stream in found.values())):
                logger.addFilter(_DISCREET)
        return dict(sorted(self._streams.items(), key=lambda item: _rank(item[1])))

    @cached_property
    def uses_connect(self) -> bool:
        """Whether Garmin Connect is read: always, unless files are named and there is no token."""
        place = Path(self.config["token_store"]).expanduser()
        default = self.config["token_store"] == _STORE
        return not (self.config.get("path") and default and not (place / FILE_NAME).exists())

    # What the streams of Garmin Connect share

    post: Post = staticmethod(post_form)

    state_interval: ClassVar[float] = 60.0
    """Seconds between two states; so much work is repeated after a crash."""

    def is_state_due(self) -> bool:
        """Tell whether the last state is old; then the next one counts as sent now."""
        now = self.client.clock()
        if self._state_sent is not None and now - self._state_sent < self.state_interval:
            return False
        self._state_sent = now
        return True

    @cached_property
    @override
    def client(self) -> Client:
        """Keep a pace that nobody was refused for; a stand-in on this machine needs none."""
        return Client(min_interval=0 if self._is_local else PACE, attempts=3)

    @cached_property
    def connect(self) -> Connect:
        """The connection that all streams share."""
        tokens = TokenFile(
            Path(self.config["token_store"]).expanduser(),
            self.config["auth_url"].rstrip("/"),
            self.post,
            self.client.now,
            self.logger.warning,
        )
        connect = Connect(self.client, self.config["api_url"].rstrip("/"), tokens)
        if self._is_local:
            connect.jitter = 0
        return connect

    @cached_property
    def account(self) -> Account:
        """The account, asked once."""
        return Account(self.connect)

    @property
    def start_date(self) -> date | None:
        """First day of the history that is wanted."""
        text = self.config.get("start_date")
        return date.fromisoformat(text) if text else None

    @property
    def _is_local(self) -> bool:
        return urlsplit(self.config["api_url"]).hostname in _THIS_MACHINE

    # What streams do for each other

    def put_on_lists(self, activities: Sequence[str], but: str = "") -> None:
        """Make activities due in the streams of details that have a list; one that never ran takes all when it does."""
        for stream in self.streams.values():
            if isinstance(stream, PartStream) and stream.name != but and "todo" in stream.stream_state:
                stream.put_on_list(activities)

    @property
    def fit_messages(self) -> FitMessages:
        """The stream of all FIT messages."""
        stream = self.streams[FitMessages.name]
        assert isinstance(stream, FitMessages)  # noqa: S101 - the tap made it
        return stream

    @property
    def fit_remains(self) -> FitRemains:
        """The stream of what damaged FIT files keep to themselves."""
        stream = self.streams[FitRemains.name]
        assert isinstance(stream, FitRemains)  # noqa: S101 - the tap made it
        return stream

    @property
    def files(self) -> Files:
        """The stream that accounts for files."""
        stream = self.streams[Files.name]
        assert isinstance(stream, Files)  # noqa: S101 - the tap made it
        return stream

    # Exports

    @override
    def read_exports(self) -> None:
        before = len(self.gaps)
        try:
            super().read_exports()
        finally:
            self._fits.close()
        if len(self.gaps) > before:
            self.fail_on_gaps = True  # type: ignore[misc] # this run's alone

    @override
    def split(self, members: Sequence[Member]) -> list[list[Member]]:
        return exports.by_month(members)

    # Settings

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        self._config = {name: value for name, value in self._config.items() if value is not None}  # left out
        general = super()._validate_config(raise_errors=False)  # fills in the defaults
        errors = self._setting_errors() or general
        if errors and raise_errors:
            raise ConfigValidationError(" ".join(errors), errors=errors)
        return errors

    def _setting_errors(self) -> list[str]:
        """Say what is wrong with the settings beyond their types, the remedy included."""
        errors = []
        store = str(self._config.get("token_store", ""))
        if store.lstrip().startswith("{"):
            errors.append(
                "The setting token_store is the token itself. Name the folder or file that holds it: a renewed token could "
                "not be written back, and the log-in would end within 30 days."
            )
        elif not _is_place(store):
            errors.append("The setting token_store starts with the home folder of nobody here; name another.")
        errors += [
            f"The setting {name} has to be an address that starts with https:// (http:// only for this machine)."
            for name in ("api_url", "auth_url")
            if not _is_safe(str(self._config.get(name, "https://host")))
        ]
        start = self._config.get("start_date")
        if start and not _is_date(start):
            errors.append(
                f"The setting start_date is no date from {_EARLIEST.year} on; write it as 2016-01-31."
            )
        return errors


def _is_place(text: str) -> bool:
    try:
        Path(text).expanduser()
    except RuntimeError:
        return False
    return True


def _is_safe(url: str) -> bool:
    """Tell whether a token may be sent there."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)
    )


def _is_date(text: Any) -> bool:
    try:
        return date.fromisoformat(text) >= _EARLIEST
    except (TypeError, ValueError):
        return False


def _rank(stream: Stream) -> tuple[int, str]:
    if not isinstance(stream, ConnectStream):
        return 0, ""
    if not stream.takes_turns:
        return 1, ""
    # Not by stream_state, which makes an entry where there is none.
    return 2, str(stream.tap_state.get("bookmarks", {}).get(stream.name, {}).get("closed", ""))


class Discreet(logging.Filter):
    """Keeps e-mail addresses and profile numbers, which stand in names of exported files, out of the log."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        for pattern, instead in _PERSONAL:
            message = pattern.sub(instead, message)
        record.msg, record.args = message, ()
        return True


_DISCREET = Discreet()
