"""The stand-in's Track API v9: who sees what, and which parameters are refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_toggl.standin.answers import Answer, Refused, Request, fine_seconds, whole_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_toggl.standin.account import Account, Entry

MOST_ENTRIES = 1000
"""``/me/time_entries`` cuts its answer here, without a word."""

_FINE_SINCE = datetime(2024, 9, 1, tzinfo=UTC)
"""Until mid-2024 ``at`` came in whole seconds."""


def handle(account: Account, request: Request) -> Answer:
    """Answer a request below ``/api/v9``."""
    path = request.path.removeprefix("/api/v9")
    if found := re.fullmatch(r"/workspaces/(\d+)/clients", path):
        return _workspace_clients(account, request, int(found[1]))
    handler = _HANDLERS.get(path)
    if handler is None or request.method != "GET":
        return Answer(404, "Not Found", plain=True)
    return Answer(200, handler(account, request))


def floor(account: Account) -> datetime:
    """Give the earliest moment that ``since``, ``start_date`` and ``before`` may name: three calendar months ago."""
    now = account.clock.now()
    month = now.month - 3
    year, month = (now.year, month) if month > 0 else (now.year - 1, month + 12)
    return now.replace(
        year=year, month=month, day=min(now.day, 28), hour=0, minute=0, second=0, microsecond=0
    )


def _since(account: Account, request: Request) -> datetime | None:
    if "since" not in request.query:
        return None
    since = datetime.fromtimestamp(int(request.query["since"]), UTC)
    if since < floor(account):
        raise Refused(400, f"since must not be earlier than {floor(account):%Y-%m-%d}")
    return since


# Time entries


def _time_entries(account: Account, request: Request) -> list[dict[str, Any]]:
    query = request.query
    if "since" in query and query.keys() & {"before", "start_date", "end_date"}:
        raise Refused(400, "since and before or dates can not be present simultaneously")
    if ("start_date" in query) != ("end_date" in query):
        raise Refused(400, "start_date and end_date need each other")
    since = _since(account, request)
    if since is not None:
        chosen = [entry for entry in _own(account) if entry.at >= since]
    else:
        start, end = (_parse(account, name, query) for name in ("start_date", "end_date"))
        chosen = [e for e in _own(account) if e.deleted_at is None and start <= e.start <= end]
    chosen.sort(key=lambda entry: entry.start, reverse=True)
    return [entry_json(account, entry) for entry in chosen[:MOST_ENTRIES]]


def _parse(account: Account, name: str, query: dict[str, str]) -> datetime:
    try:
        moment = datetime.fromisoformat(query[name])
    except (KeyError, ValueError):
        raise Refused(400, f"{name} is not a date") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment < floor(account):
        raise Refused(400, f"{name} must not be earlier than {floor(account):%Y-%m-%d}")
    return moment


def _own(account: Account) -> list[Entry]:
    return [entry for entry in account.entries.values() if entry.user_id == account.user_id]


def _current(account: Account, _: Request) -> dict[str, Any] | None:
    for entry in _own(account):
        if entry.running:
            full = entry_json(account, entry)
            return {name: full[name] for name in full if name not in {"uid", "wid", "pid", "tid"}}
    return None


def entry_json(account: Account, entry: Entry) -> dict[str, Any]:
    """Write an entry as the list endpoints do: twins of null fields are left out."""
    tags = {tag["id"]: tag["name"] for tag in account.tags}
    result: dict[str, Any] = {
        "id": entry.id,
        "workspace_id": entry.workspace_id,
        "project_id": entry.project_id,
        "task_id": entry.task_id,
        "billable": entry.billable,
        "start": whole_seconds(entry.start),
        "stop": whole_seconds(entry.stop),
        "duration": _duration(entry),
        "description": entry.description,
        "tags": [tags[tag] for tag in entry.tag_ids],
        "tag_ids": entry.tag_ids,
        "duronly": True,
        "at": fine_seconds(entry.at) if entry.at >= _FINE_SINCE else whole_seconds(entry.at),
        "server_deleted_at": whole_seconds(entry.deleted_at),
        "user_id": entry.user_id,
        "uid": entry.user_id,
        "wid": entry.workspace_id,
    }
    twins = {"pid": entry.project_id, "tid": entry.task_id}
    return result | {name: value for name, value in twins.items() if value is not None}


def _duration(entry: Entry) -> int:
    if entry.seconds is not None:
        return entry.seconds
    if entry.stop is None:
        return -int(entry.start.timestamp())
    return int((entry.stop - entry.start).total_seconds())


# Lists


def _changed(
    account: Account, request: Request, items: list[dict[str, Any]], deleted: str, changed: str = "at"
) -> list[dict[str, Any]]:
    """Give what changed, deleted ones included; without ``since`` what is there today."""
    since = _since(account, request)
    if since is None:
        return [item for item in items if not item.get(deleted)]
    return [item for item in items if datetime.fromisoformat(item.get(deleted) or item[changed]) >= since]


def _clients(account: Account, request: Request) -> list[dict[str, Any]]:
    changed = _changed(account, request, account.clients, "server_deleted_at")
    return changed if "since" in request.query else [client for client in changed if not client["archived"]]


def _workspace_clients(account: Account, request: Request, workspace_id: int) -> Answer:
    if account.organization_of(workspace_id) is None:
        return Answer(403, "Forbidden", plain=True)
    status = request.query.get("status", "active")
    found = [
        client
        for client in account.clients
        if client["wid"] == workspace_id
        and not client.get("server_deleted_at")
        and status in {"both", "archived" if client["archived"] else "active"}
    ]
    return Answer(200, found or None)


def _projects(account: Account, request: Request) -> list[dict[str, Any]]:
    changed = _changed(account, request, account.projects, "server_deleted_at")
    if "since" in request.query or request.query.get("include_archived") == "true":
        return [_with_actuals(account, project) for project in changed]
    return [_with_actuals(account, project) for project in changed if project["active"]]


def _with_actuals(account: Account, project: dict[str, Any]) -> dict[str, Any]:
    """Count the tracked time, which moves without ``at`` moving."""
    seconds = sum(
        _duration(entry)
        for entry in account.entries.values()
        if entry.project_id == project["id"] and entry.stop is not None and entry.deleted_at is None
    )
    return {**project, "actual_seconds": seconds, "actual_hours": seconds // 3600}


def _tasks(account: Account, request: Request) -> list[dict[str, Any]] | None:
    tasks = _changed(account, request, account.tasks, "server_deleted_at")
    if "since" in request.query or request.query.get("include_not_active") == "true":
        return tasks or None
    return [task for task in tasks if task["active"]] or None


def _user(account: Account, _: Request) -> dict[str, Any]:
    return {**account.user, "at": fine_seconds(account.clock.now() - timedelta(seconds=3))}


def _timesheets(_account: Account, _request: Request) -> list[dict[str, Any]]:
    raise Refused(402, "This feature is available only for premium plans")


_HANDLERS: dict[str, Callable[[Account, Request], Any]] = {
    "/me": _user,
    "/me/clients": _clients,
    "/me/favorites": lambda a, r: _changed(a, r, a.favorites, "deleted_at", "created_at"),
    "/me/organizations": lambda a, _: a.organizations,
    "/me/preferences": lambda a, _: a.preferences,
    "/me/projects": _projects,
    "/me/tags": lambda a, r: _changed(a, r, a.tags, "deleted_at"),
    "/me/tasks": _tasks,
    "/me/time_entries": _time_entries,
    "/me/time_entries/current": _current,
    "/me/timesheets": _timesheets,
    "/me/track_reminders": lambda a, _: a.reminders,
    "/me/workspaces": lambda a, r: _changed(a, r, a.workspaces, "server_deleted_at"),
    "/sync-server/me/goals": lambda a, _: a.goals,
}
