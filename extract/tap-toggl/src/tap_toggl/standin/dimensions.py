"""The invented account's clients, projects, tags and the smaller lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_toggl.standin.account import Account

_NOTED = "2024-10-07T09:30:00+00:00"
_RECENT = "2026-02-20T17:05:00+00:00"


def add_dimensions(account: Account, studio: int, choir: int) -> None:
    """Add what entries refer to, with one archived, one deleted and one foreign to most lists of each kind."""
    user = account.user_id
    account.clients = [
        _client(4_001, studio, "Library"),
        _client(4_002, studio, "Old mill", archived=True),
        _client(4_003, studio, "Closed shop", at=_RECENT, server_deleted_at=_RECENT),
        _client(4_004, choir, "Harbour"),
    ]
    account.projects = [
        _project(5_001, studio, "Catalogue", 4_001),
        _project(5_002, studio, "Mill wheel", 4_002, active=False, status="archived"),
        _project(
            5_003, studio, "Window display", None, at=_RECENT, server_deleted_at=_RECENT, status="deleted"
        ),
        _project(5_004, choir, "Spring concert", 4_004),
    ]
    account.tags = [
        _tag(6_001, studio, "desk", user),
        _tag(6_002, studio, "outdoors", user),
        {**_tag(6_003, studio, "mistake", user), "deleted_at": _RECENT},
        _tag(6_004, choir, "alto", user),
    ]
    account.tasks = [_task(6_501, studio, 5_001, active=True), _task(6_502, studio, 5_001, active=False)]
    account.favorites = [
        _favorite(8_001, studio, user),
        {**_favorite(8_002, studio, user), "deleted_at": _RECENT},
    ]
    account.goals = [_goal(8_501, studio, user)]
    account.reminders = [
        {"reminder_id": 8_701, "workspace_id": studio, "user_ids": [user], "frequency": 1, "threshold": 4}
    ]
    account.preferences = {
        "BeginningOfWeek": 1,
        "date_format": "DD.MM.YYYY",
        "timeofday_format": "H:mm",
        "duration_format": "improved",
        "pomodoro_break_interval": 5,
        "alpha_features": [{"code": "calendar", "enabled": True}],
    }


def _client(
    client_id: int, workspace: int, name: str, *, archived: bool = False, **more: Any
) -> dict[str, Any]:
    """Make a client; there is no ``workspace_id``."""
    return {"id": client_id, "wid": workspace, "archived": archived, "name": name, "at": _NOTED, **more}


def _project(project_id: int, workspace: int, name: str, client: int | None, **more: Any) -> dict[str, Any]:
    nothing = (
        "auto_estimates",
        "currency",
        "estimated_hours",
        "estimated_seconds",
        "fixed_fee",
        "rate",
        "rate_last_updated",
        "recurring_parameters",
        "template",
        "template_id",
    )
    return {
        "id": project_id,
        "workspace_id": workspace,
        "wid": workspace,
        "client_id": client,
        "cid": client,
        "name": name,
        "is_private": True,
        "active": True,
        "at": _NOTED,
        "created_at": _NOTED,
        "server_deleted_at": None,
        "color": "#c9806b",
        "billable": False,
        "recurring": False,
        "start_date": "2024-10-07",
        "status": "active",
        "can_track_time": True,
        **dict.fromkeys(nothing),
        **more,
    }


def _tag(tag_id: int, workspace: int, name: str, creator: int) -> dict[str, Any]:
    return {
        "id": tag_id,
        "workspace_id": workspace,
        "name": name,
        "at": "2024-10-07T09:30:00.12345Z",
        "creator_id": creator,
    }


def _task(task_id: int, workspace: int, project: int, *, active: bool) -> dict[str, Any]:
    return {
        "id": task_id,
        "workspace_id": workspace,
        "project_id": project,
        "name": f"Shelf {task_id}",
        "at": _NOTED,
        "active": active,
        "recurring": False,
        "user_id": None,
        "estimated_seconds": None,
        "tracked_seconds": 0,
    }


def _favorite(favorite_id: int, workspace: int, user: int) -> dict[str, Any]:
    return {
        "favorite_id": favorite_id,
        "workspace_id": workspace,
        "user_id": user,
        "description": "Reading",
        "project_id": 5_001,
        "task_id": None,
        "tag_ids": [6_001],
        "tags": ["desk"],
        "billable": False,
        "public": False,
        "rank": 1,
        "created_at": _NOTED,
    }


def _goal(goal_id: int, workspace: int, user: int) -> dict[str, Any]:
    return {
        "goal_id": goal_id,
        "name": "Read an hour a day",
        "workspace_id": workspace,
        "user_id": user,
        "recurrence": "daily",
        "comparison": "more_than",
        "target_seconds": 3600,
        "current_recurrence_tracked_seconds": 1200,
        "streak": 4,
        "status": "in_progress",
        "active": True,
        "start_date": "2025-01-01",
        "end_date": None,
        "project_ids": [5_001],
        "task_ids": [],
        "tag_ids": [],
    }
