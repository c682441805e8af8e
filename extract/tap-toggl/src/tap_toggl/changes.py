"""Lists that tell what changed since a moment, deleted objects included: clients, projects, tags, tasks, favourites.

Every run asks for the changes, which is one call; once a day the whole list is read too. Changes bring the
deleted ones with their last content, the whole list tells what is gone when nobody asked for too long.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_toggl.base import WHOLE_EVERY, TogglStream
from tap_toggl.client import NotAvailableError
from tap_toggl.moments import is_due, is_gap, next_bookmark, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tap_kit import Raw
    from tap_toggl.client import Answer


class ChangingList(TogglStream):
    """A list with ``since``.

    State: ``replication_key_value`` (changes up to there were sent) and ``read_whole`` (last whole reading).
    """

    path: ClassVar[str]
    whole_parameters: ClassVar[dict[str, str]] = {}
    """What the whole list needs so as not to leave out archived or finished objects."""

    workspace_field: ClassVar[str] = "workspace_id"
    keys = ("id",)
    changed_at: ClassVar[str | None] = "at"
    absence = "window"

    @override
    def read(self) -> Iterator[Raw]:
        account_now = self.account.now
        bookmark = parse(self.stream_state.get("replication_key_value"))
        whole_due = is_gap(bookmark, account_now) or is_due(
            self.stream_state.get("read_whole"), account_now, WHOLE_EVERY
        )
        whole = self.ask_whole() if whole_due else []
        changes = self.ask_since(self.path, bookmark)
        if changes is None and not whole_due:
            whole, whole_due = self.ask_whole(), True
        yield from self._emit(whole, changes)
        date = (changes or (whole[-1] if whole else self.account.me)).date
        values: dict[str, Any] = {
            "replication_key": self.changed_at,
            "replication_key_value": next_bookmark(bookmark, date, date).isoformat(),
        }
        if whole_due:
            values["read_whole"] = date.isoformat()
        self.remember(**values)

    def ask_whole(self) -> list[Answer]:
        """Ask for everything that there is today, archived objects included."""
        self.account.workspaces_answer  # noqa: B018 - tells whose absence may be judged, before the list is read
        return [self.toggl.get(self.path, **self.whole_parameters)]

    def _emit(self, whole: list[Answer], changes: Answer | None) -> Iterator[Raw]:
        """Yield a workspace after the other, each as a window where its whole list is at hand."""
        listed = [(answer, item) for answer in whole for item in answer.items()]
        known = {item.get(self.keys[0]): item for _, item in listed}
        changed = [(changes, item) for item in changes.items()] if changes else []
        pairs = listed + [
            (answer, item) for answer, item in changed if known.get(item.get(self.keys[0])) != item
        ]
        judged = {item.get(self.workspace_field) for item in known.values()}
        for workspace_id in dict.fromkeys(item.get(self.workspace_field) for _, item in pairs):
            with self._judging(workspace_id, judged=judged):
                for answer, item in pairs:
                    if item.get(self.workspace_field) == workspace_id:
                        yield from self.records(answer, [item])

    def _judging(self, workspace_id: Any, judged: set[Any]) -> AbstractContextManager[None]:
        """Let absence be judged in a workspace that is still the user's and answered with something."""
        if workspace_id not in judged or workspace_id not in self.account.workspace_ids:
            return nullcontext()
        return self.window(None, None, {self.workspace_field: workspace_id})  # of all times


class Clients(ChangingList):
    """Clients; whole lists per workspace, as ``/me/clients`` leaves out archived ones."""

    name = "clients"
    path = "/me/clients"
    workspace_field = "wid"
    volatile = ("/total_count",)

    @override
    def ask_whole(self) -> list[Answer]:
        answers = []
        for workspace_id in self.account.workspace_ids:
            try:
                answers.append(self.toggl.get(f"/workspaces/{workspace_id}/clients", status="both"))
            except NotAvailableError as error:
                self.settle(error)
        return answers


class Favorites(ChangingList):
    """Favourite entries."""

    name = "favorites"
    path = "/me/favorites"
    keys = ("favorite_id",)
    changed_at = None
    source_timestamp = "created_at"


class Projects(ChangingList):
    """Projects; the tracked time in them moves without ``at`` moving."""

    name = "projects"
    path = "/me/projects"
    whole_parameters: ClassVar[dict[str, str]] = {"include_archived": "true"}
    volatile = ("/actual_hours", "/actual_seconds", "/total_count")


class Tags(ChangingList):
    """Tags; a deleted one carries ``deleted_at``."""

    name = "tags"
    path = "/me/tags"


class Tasks(ChangingList):
    """Tasks (paid plans), finished ones included."""

    name = "tasks"
    path = "/me/tasks"
    whole_parameters: ClassVar[dict[str, str]] = {"include_not_active": "true"}
    volatile = ("/tracked_seconds",)
