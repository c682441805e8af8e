"""What several streams need to know of the account: user and workspaces, asked once in a run."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_kit import TapError

if TYPE_CHECKING:
    from datetime import datetime

    from tap_toggl.client import Answer, Toggl


class Account:
    """The account of the token."""

    def __init__(self, toggl: Toggl) -> None:
        """Ask nothing yet."""
        self._toggl = toggl

    @cached_property
    def me(self) -> Answer:
        """The answer to ``GET /me``: an object.

        Raises:
            CredentialsError: The token is refused.
            TapError: There is no usable answer; nothing else can be read then.
        """
        try:
            answer = self._toggl.get("/me")
        except (FatalAPIError, RetriableAPIError) as error:
            raise TapError(f"{error} Without the user nothing can be read. Run again later.") from error
        if not isinstance(answer.content, dict) or not isinstance(answer.content.get("id"), int):
            raise TapError(
                "GET /me answered without a user. Check that api_url is the address of Toggl Track."
            )
        return answer

    @cached_property
    def workspaces_answer(self) -> Answer:
        """The answer to ``GET /me/workspaces``: a list."""
        self.me  # noqa: B018 - a refused token shows in /me alone
        answer = self._toggl.get("/me/workspaces")
        self._toggl.organizations = {
            workspace["id"]: workspace["organization_id"]
            for workspace in answer.items()
            if "organization_id" in workspace
        }
        return answer

    @property
    def workspace_ids(self) -> list[int]:
        """Ids of the workspaces that the user is a member of."""
        return [workspace["id"] for workspace in self.workspaces_answer.items()]

    @property
    def name(self) -> str:
        """The account as records name it: the user's id, which no other account has and which does not change."""
        return str(self.user_id)

    @property
    def user_id(self) -> int:
        """Id of the user."""
        return int(self.me.content["id"])

    @property
    def time_zone(self) -> str | None:
        """The profile's IANA time zone: the days of the reports are days there."""
        zone: Any = self.me.content.get("timezone")
        return zone if isinstance(zone, str) else None

    @property
    def now(self) -> datetime:
        """The server's clock at the beginning of the run."""
        return self.me.date
