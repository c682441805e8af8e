"""Lists that are read whole, once a day: they have no ``since``, and change rarely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from typing_extensions import override

from tap_kit import Raw
from tap_toggl.base import WHOLE_EVERY, TogglStream
from tap_toggl.moments import is_due

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_toggl.client import Answer

INVITATIONS = ("/invitation_code", "/invite_url")


class WholeList(TogglStream):
    """A list without ``since``; what is not in it any more is gone."""

    path: ClassVar[str]
    absence: ClassVar[Literal["never", "full", "window"]] = "full"

    @override
    def read(self) -> Iterator[Raw]:
        if not is_due(self.stream_state.get("read_whole"), self.account.now, WHOLE_EVERY):
            self.logger.info("Read whole less than %s ago; not due.", WHOLE_EVERY)
            return
        answer = self.ask()
        yield from self.records(answer)
        self._read_whole = True
        self.remember(read_whole=answer.date.isoformat())

    def ask(self) -> Answer:
        """Ask for the list."""
        return self.toggl.get(self.path)


class Goals(WholeList):
    """Goals (``GET /sync-server/me/goals``)."""

    name = "goals"
    path = "/sync-server/me/goals"
    keys = ("goal_id",)
    volatile = ("/current_recurrence_tracked_seconds",)


class Organizations(WholeList):
    """Organizations of the user (``GET /me/organizations``)."""

    name = "organizations"
    path = "/me/organizations"
    keys = ("id",)
    source_timestamp = "at"
    secrets = INVITATIONS


class Preferences(TogglStream):
    """The user's preferences (``GET /me/preferences``): one wide object, identified by the user.

    It holds no id; the provenance's ``raw_id`` gives the user's. Other targets, which know no ``raw_id``, get the
    member that was seen in every recorded answer.
    """

    name = "preferences"
    keys = ("BeginningOfWeek",)

    @override
    def read(self) -> Iterator[Raw]:
        if is_due(self.stream_state.get("read_whole"), self.account.now, WHOLE_EVERY):
            user_id = self.account.user_id
            answer = self.toggl.get("/me/preferences")
            if answer.content:
                yield Raw(answer.content, {**answer.provenance, "raw_id": str(user_id)})
            self.remember(read_whole=answer.date.isoformat())


class Timesheets(WholeList):
    """Timesheets (``GET /me/timesheets``, paid plans).

    The documentation does not fix their members, so each differing content is a record of its own.
    """

    name = "timesheets"
    path = "/me/timesheets"
    absence = "never"


class TrackReminders(WholeList):
    """Reminders to track time (``GET /me/track_reminders``); identified by content, as timesheets are."""

    name = "track_reminders"
    path = "/me/track_reminders"
    absence = "never"


class User(TogglStream):
    """The user of the token (``GET /me``)."""

    name = "user"
    keys = ("id",)
    source_timestamp = "updated_at"
    volatile = ("/at",)
    """``at`` moves with almost every request."""
    secrets = ("/api_token", "/intercom_hash")

    @override
    def read(self) -> Iterator[Raw]:
        yield Raw(self.account.me.content, self.account.me.provenance)


class Workspaces(TogglStream):
    """Workspaces of the user (``GET /me/workspaces``), read whole in each run, as other streams need them."""

    name = "workspaces"
    keys = ("id",)
    source_timestamp = "at"
    absence: ClassVar[Literal["never", "full", "window"]] = "full"
    secrets = ("/api_token", "/ical_url", *INVITATIONS)

    @override
    def read(self) -> Iterator[Raw]:
        for record in self.records(self.account.workspaces_answer):
            self._warn_of_retention(record)
            yield record
        self._read_whole = True

    def _warn_of_retention(self, workspace: dict[str, Any]) -> None:
        """Say so where Toggl keeps history from a free workspace."""
        days = workspace.get("max_data_retention_days") or 0
        if days > 0:
            self.logger.warning(
                "Workspace %s shows the last %s days only (max_data_retention_days); older history is out of reach.",
                workspace["id"],
                days,
            )
