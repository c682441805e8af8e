"""The stand-in's Reports API v3: the detailed search."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tap_toggl.standin.answers import Answer, Refused, Request, whole_seconds

if TYPE_CHECKING:
    from tap_toggl.standin.account import Account, Entry

LONGEST_RANGE = 366
LARGEST_PAGE = 1000


def handle(account: Account, request: Request) -> Answer:
    """Answer a request below ``/reports/api/v3``."""
    found = re.fullmatch(r"/reports/api/v3/workspace/(\d+)/search/time_entries", request.path)
    if found is None or request.method != "POST":
        return Answer(404, "Not Found", plain=True)
    workspace_id = int(found[1])
    if account.organization_of(workspace_id) is None or workspace_id in account.closed_reports:
        return Answer(403, "User cannot access this workspace", plain=True)
    body = request.body
    if not isinstance(body, dict) or not body:
        raise Refused(400, "At least one parameter must be set")
    first, last = _range(body)
    rows = [
        _row(account, number, entry, rounded="rounding" not in body)
        for number, entry in enumerate(_chosen(account, workspace_id, body, first, last), start=1)
    ]
    return _page(rows, body, first, last)


def _range(body: dict[str, Any]) -> tuple[date, date]:
    """Read the days asked for; without an end the service reports seven days, and says so in a header only."""
    if "start_date" not in body:
        raise Refused(400, "start_date is required")
    first = date.fromisoformat(body["start_date"])
    last = date.fromisoformat(body["end_date"]) if "end_date" in body else first + timedelta(days=6)
    if (last - first).days + 1 > LONGEST_RANGE:
        raise Refused(400, "The date range must not exceed one year")
    return first, last


def _chosen(
    account: Account, workspace_id: int, body: dict[str, Any], first: date, last: date
) -> list[Entry]:
    zone = ZoneInfo(account.user["timezone"])
    users = body.get("user_ids")
    chosen = [
        entry
        for entry in account.entries.values()
        if entry.workspace_id == workspace_id
        and entry.deleted_at is None
        and first <= entry.start.astimezone(zone).date() <= last
        and (users is None or entry.user_id in users)
    ]
    by_update = body.get("order_by") == "last_update"
    descending = body.get("order_dir", "ASC") == "DESC"
    return sorted(chosen, key=lambda e: (e.at if by_update else e.start, e.id), reverse=descending)


def _row(account: Account, number: int, entry: Entry, *, rounded: bool) -> dict[str, Any]:
    zone = ZoneInfo(account.user["timezone"])
    seconds = int(-1 if entry.stop is None else (entry.stop - entry.start).total_seconds())
    if rounded and seconds > 0:
        seconds = -(-seconds // 60) * 60  # the workspace rounds up to the minute unless told otherwise
    own = entry.user_id == account.user_id
    return {
        "user_id": entry.user_id,
        "username": account.user["fullname"] if own else "A Colleague",
        "project_id": entry.project_id,
        "task_id": entry.task_id,
        "billable": entry.billable,
        "description": entry.description,
        "tag_ids": entry.tag_ids,
        "billable_amount_in_cents": None,
        "hourly_rate_in_cents": None,
        "currency": "EUR",
        "time_entries": [
            {
                "id": entry.id,
                "seconds": seconds,
                "start": _local(entry.start, zone),
                "stop": _local(entry.stop, zone),
                "at": whole_seconds(entry.at),
                "at_tz": _local(entry.at, zone),
            }
        ],
        "row_number": number,
    }


def _local(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return None if moment is None else moment.astimezone(zone).replace(microsecond=0).isoformat()


def _page(rows: list[dict[str, Any]], body: dict[str, Any], first: date, last: date) -> Answer:
    size = min(int(body.get("page_size", 50)), LARGEST_PAGE)
    begin = int(body.get("first_row_number", 1)) - 1
    page, rest = rows[begin : begin + size], rows[begin + size :]
    headers = {
        "X-Page-Size": str(size),
        "X-Range-Start": first.isoformat(),
        "X-Range-End": last.isoformat(),
    }
    if rest:
        inner = rest[0]["time_entries"][0]
        headers |= {
            "X-Next-ID": str(inner["id"]),
            "X-Next-Row-Number": str(rest[0]["row_number"]),
            "X-Next-Timestamp": str(int(datetime.fromisoformat(inner["start"]).timestamp())),
        }
    return Answer(200, page, headers)
