"""The account behind the stand-in, and what its owner does to it between two runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_toggl.standin.clock import Clock


@dataclass
class Entry:
    """A time entry as the service keeps it; moments are aware, ``stop`` is None while it runs."""

    id: int
    workspace_id: int
    user_id: int
    start: datetime
    stop: datetime | None
    at: datetime
    description: str | None = ""
    project_id: int | None = None
    task_id: int | None = None
    tag_ids: list[int] = field(default_factory=list)
    billable: bool = False
    deleted_at: datetime | None = None
    seconds: int | None = None
    """Sent instead of ``stop - start`` where it is set: -1 while running, 0 right after creation."""

    @property
    def running(self) -> bool:
        """Whether its timer runs; an entry without length may lack its stop too."""
        return self.stop is None and self.seconds != 0 and self.deleted_at is None


@dataclass
class Account:
    """One user with everything that they can see.

    The lists hold objects as the API sends them, except that deleted ones stay in the list and carry their
    deletion moment; the handlers decide who sees them.
    """

    clock: Clock
    user: dict[str, Any]
    organizations: list[dict[str, Any]]
    workspaces: list[dict[str, Any]]
    clients: list[dict[str, Any]] = field(default_factory=list)
    projects: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, Any]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    favorites: list[dict[str, Any]] = field(default_factory=list)
    goals: list[dict[str, Any]] = field(default_factory=list)
    reminders: list[dict[str, Any]] = field(default_factory=list)
    preferences: dict[str, Any] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    closed_reports: set[int] = field(default_factory=set)
    """Workspaces whose reports the user may not read (403)."""

    @property
    def user_id(self) -> int:
        """Id of the user."""
        return int(self.user["id"])

    def organization_of(self, workspace_id: int) -> int | None:
        """Find the organization of a workspace; None where there is no such workspace."""
        for workspace in self.workspaces:
            if workspace["id"] == workspace_id:
                return int(workspace["organization_id"])
        return None

    def add(self, start: datetime, minutes: int = 30, **fields: Any) -> Entry:
        """Track a finished entry now; *fields* as in :class:`Entry`."""
        stop = start + timedelta(minutes=minutes)
        return self._put(start=start, stop=stop, **fields)

    def start(self, **fields: Any) -> Entry:
        """Start a timer; the running one is stopped by the server, as Toggl does."""
        for entry in self.entries.values():
            if entry.running:
                self.stop(entry.id)
        return self._put(start=self.clock.now().replace(microsecond=0), stop=None, **fields)

    def stop(self, entry_id: int) -> None:
        """Stop a running entry."""
        entry = self.entries[entry_id]
        entry.stop, entry.at, entry.seconds = self.clock.now().replace(microsecond=0), self.clock.now(), None

    def edit(self, entry_id: int, **fields: Any) -> None:
        """Change fields of an entry; ``at`` moves to now."""
        for name, value in fields.items():
            setattr(self.entries[entry_id], name, value)
        self.entries[entry_id].at = self.clock.now()

    def delete(self, entry_id: int) -> None:
        """Delete an entry: from now on only ``since`` shows it."""
        self.edit(entry_id, deleted_at=self.clock.now())

    def _put(self, **fields: Any) -> Entry:
        fields = {
            "id": max(self.entries, default=3_900_000_000) + 1,
            "workspace_id": self.workspaces[0]["id"],
            "user_id": self.user_id,
            "at": self.clock.now(),
            **fields,
        }
        entry = Entry(**fields)
        self.entries[entry.id] = entry
        return entry
