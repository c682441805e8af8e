"""The tap: settings, streams, and in which order they share the hourly quota."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError
from typing_extensions import override

from tap_kit import RawTap
from tap_kit.client import Client
from tap_toggl import changes, lists
from tap_toggl.account import Account
from tap_toggl.client import PACE, Toggl
from tap_toggl.moments import parse
from tap_toggl.reports import ReportTimeEntries
from tap_toggl.time_entries import TimeEntries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from singer_sdk import Stream

    from tap_kit import RawStream

_THIS_MACHINE = {"127.0.0.1", "localhost", "::1"}

ORDER = (
    "user",
    "workspaces",
    "time_entries",
    "projects",
    "clients",
    "tags",
    "tasks",
    "favorites",
    "organizations",
    "preferences",
    "goals",
    "track_reminders",
    "timesheets",
    "report_time_entries",
)
"""What changes most comes first, the long history last: an hourly quota may end the run."""


class TapToggl(RawTap):
    """Singer tap for Toggl Track."""

    name = "tap-toggl"
    package_name = "tap-toggl"

    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property(
            "api_token",
            th.StringType(nullable=False),
            required=True,
            secret=True,
            title="API token",
            description="Toggl's API token, from the bottom of the profile settings (TOGGL_API_KEY in .env).",
        ),
        th.Property(
            "api_url",
            th.StringType,
            default="https://api.track.toggl.com",
            title="API address",
            description="Where both APIs lie; a server on this machine may be named by http.",
        ),
        th.Property(
            "start_date",
            th.DateType,
            title="Start date",
            description="First day of the history, such as 2020-01-31. Left out: everything since 2006.",
        ),
        th.Property(
            "quota_max_wait",
            th.IntegerType(minimum=0),
            default=60,
            title="Longest wait for a quota",
            description="Seconds that a run may wait in all for Toggl's hourly quotas before it ends cleanly.",
        ),
    ).to_dict()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`singer_sdk.Tap`."""
        self.failures: list[str] = []
        super().__init__(*args, **kwargs)

    @override
    def discover_streams(self) -> Sequence[RawStream]:
        return [
            changes.Clients(self),
            changes.Favorites(self),
            lists.Goals(self),
            lists.Organizations(self),
            lists.Preferences(self),
            changes.Projects(self),
            ReportTimeEntries(self),
            changes.Tags(self),
            changes.Tasks(self),
            TimeEntries(self),
            lists.Timesheets(self),
            lists.TrackReminders(self),
            lists.User(self),
            lists.Workspaces(self),
        ]

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        if self._streams is None:
            found = super().streams
            self._streams = {name: found[name] for name in ORDER}
        return self._streams

    @cached_property
    @override
    def client(self) -> Client:
        """Keep Toggl's pace; a stand-in on this machine needs none."""
        local = urlsplit(self.config["api_url"]).hostname in _THIS_MACHINE
        return Client(min_interval=0 if local else PACE)

    @cached_property
    def toggl(self) -> Toggl:
        """The connection that all streams share."""
        return Toggl(
            self.client,
            self.config["api_url"].rstrip("/"),
            self.config["api_token"],
            float(self.config["quota_max_wait"]),
        )

    @cached_property
    def account(self) -> Account:
        """User and workspaces, asked once."""
        return Account(self.toggl)

    @property
    def start(self) -> datetime | None:
        """First moment of the history that is wanted; None is all of it."""
        return parse(self.config.get("start_date"))

    def reread_reports(self, moment: str) -> None:
        """Let whole readings of the reports before *moment* (ISO 8601, UTC) count no more."""
        self.streams[ReportTimeEntries.name].stream_state["stale_before"] = moment

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        general = super()._validate_config(raise_errors=False)  # fills in the defaults
        errors = self._setting_errors() or general
        if errors and raise_errors:
            raise ConfigValidationError(" ".join(errors), errors=errors)
        return errors

    def _setting_errors(self) -> list[str]:
        """Say what is wrong with the settings beyond their types, the remedy included."""
        errors = []
        token, url, start = (self._config.get(name) for name in ("api_token", "api_url", "start_date"))
        if not token:
            errors.append(
                "The setting api_token is missing. Copy the token from the Toggl profile page (Profile settings, "
                "API Token) and set TOGGL_API_KEY in .env."
            )
        parts = urlsplit(str(url))
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
            errors.append("The setting api_url has to start with https:// (http:// only for this machine).")
        if start and parse(str(start)) is None:
            errors.append("The setting start_date is no date; write it as 2020-01-31.")
        return errors
