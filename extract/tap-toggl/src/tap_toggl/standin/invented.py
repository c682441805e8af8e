"""The invented account: one person, two workspaces, work from 2014 to the stand-in's today.

Everything follows from counting, so that two stand-ins hold the same account to the last digit.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from tap_toggl.standin.account import Account, Entry
from tap_toggl.standin.answers import fine_seconds, whole_seconds
from tap_toggl.standin.dimensions import add_dimensions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_toggl.standin.clock import Clock

TOKEN = "stand-in-token"  # noqa: S105 - it opens nothing but the stand-in
USER_ID = 9_100_001
COLLEAGUE_ID = 9_100_777
STUDIO, CHOIR = 7_000_001, 7_000_002
FIRST_ENTRY_ID = 3_900_000_000

PAUSE = 2022
"""A year without entries amid the others."""

_T = TypeVar("_T")
_TASKS = ("Reading", "Planning the week", "Letter to Mira", "Bookkeeping", "Rehearsal", "Garden", None, "")


def small_account(clock: Clock) -> Account:
    """Invent an account of some hundred entries, begun in 2024."""
    return _account(clock, begin=datetime(2024, 10, 1, tzinfo=UTC), every_days=2)


def years_account(clock: Clock) -> Account:
    """Invent an account of six years and about 4000 entries, imports of 2014 and a pause of a year included."""
    account = _account(clock, begin=datetime(2020, 1, 2, tzinfo=UTC), every_days=1)
    for index in range(40):
        start = datetime(2014, 3, 3, 9, 0, tzinfo=UTC) + timedelta(days=index)
        account.add(start, 45, description="Imported", at=datetime(2020, 1, 2, 8, 0, tzinfo=UTC))
    return account


def _account(clock: Clock, *, begin: datetime, every_days: int) -> Account:
    account = Account(
        clock=clock,
        user=_user(begin),
        organizations=[_organization(501, "Rowan's organization"), _organization(502, "Harbour choir")],
        workspaces=[_workspace(STUDIO, 501, "Studio"), _workspace(CHOIR, 502, "Choir")],
        closed_reports={CHOIR},
    )
    add_dimensions(account, STUDIO, CHOIR)
    for entry in _entries(account, begin, every_days):
        account.entries[entry.id] = entry
    _add_oddities(account)
    return account


def _pick(options: Sequence[_T], *seed: object) -> _T:
    return options[zlib.crc32(repr(seed).encode()) % len(options)]


def _entries(account: Account, begin: datetime, every_days: int) -> Iterator[Entry]:
    """Invent the finished entries: two or three on a working day, none in the year of the pause."""
    projects = [project["id"] for project in account.projects if project["workspace_id"] == STUDIO]
    tags = [tag["id"] for tag in account.tags if tag["workspace_id"] == STUDIO]
    day, number = begin, 0
    while day < account.clock.now() - timedelta(days=1):
        if day.weekday() < 5 and day.year != PAUSE:  # noqa: PLR2004 - Saturday is day 5
            for part in range(_pick((2, 3, 4), "count", day.date())):
                number += 1
                start = day + timedelta(hours=7 + 3 * part, minutes=_pick(range(50), "minute", number))
                stop = start + timedelta(seconds=_pick(range(600, 9000), "length", number))
                choir = _pick(range(40), "choir", number) == 0
                yield Entry(
                    id=FIRST_ENTRY_ID + number * 7,
                    workspace_id=CHOIR if choir else STUDIO,
                    user_id=USER_ID,
                    start=start,
                    stop=stop,
                    at=_stamp(stop, number),
                    description=_pick(_TASKS, "task", number),
                    project_id=None if choir else _pick([None, *projects], "project", number),
                    tag_ids=[] if choir else _pick([[], [tags[0]], tags[:2]], "tags", number),
                    billable=number % 9 == 0,
                )
        day += timedelta(days=every_days)


def _stamp(stop: datetime, number: int) -> datetime:
    """Say when an entry was changed last: at its stop, with 0, 4, 5 or 6 digits of fraction."""
    return stop + timedelta(seconds=2, microseconds=_pick((0, 123_400, 123_450, 123_456), "at", number))


def _add_oddities(account: Account) -> None:
    """Add a running entry, deleted ones, one without length, one of tomorrow, and a colleague's."""
    now = account.clock.now().replace(microsecond=0)
    two_days_ago = now - timedelta(days=2)
    account.add(two_days_ago, 20, description="A colleague's", user_id=COLLEAGUE_ID, at=two_days_ago)
    for days in (10, 40):
        account.add(
            now - timedelta(days=days),
            description="Deleted later",
            at=now - timedelta(days=days - 1),
            deleted_at=now - timedelta(days=days - 1),
        )
    account.add(now + timedelta(days=1), 60, description="Tomorrow's rehearsal", at=now - timedelta(hours=3))
    empty = account.add(now - timedelta(hours=2), 0, description=None, at=now - timedelta(hours=2))
    empty.stop, empty.seconds = None, 0
    running = account.start(description="Writing")
    running.start, running.at = now - timedelta(minutes=50), now - timedelta(minutes=50)


def _user(created: datetime) -> dict[str, object]:
    return {
        "id": USER_ID,
        "api_token": "secret-api-token",
        "email": "rowan@example.test",
        "fullname": "Rowan Example",
        "timezone": "Europe/Vienna",
        "toggl_accounts_id": "acc-rowan",
        "default_workspace_id": STUDIO,
        "beginning_of_week": 1,
        "image_url": "https://example.test/rowan.png",
        "created_at": fine_seconds(created),
        "updated_at": fine_seconds(created),
        "openid_email": None,
        "openid_enabled": False,
        "country_id": None,
        "has_password": True,
        "intercom_hash": "secret-intercom-hash",
        "oauth_providers": ["google"],
    }


def _organization(organization_id: int, name: str) -> dict[str, object]:
    return {
        "id": organization_id,
        "name": name,
        "pricing_plan_id": 0,
        "pricing_plan_name": "Free",
        "pricing_plan_enterprise": False,
        "created_at": "2020-01-02T08:00:00.5Z",
        "at": "2024-10-07T09:30:00.1234Z",
        "server_deleted_at": None,
        "suspended_at": None,
        "is_multi_workspace_enabled": False,
        "is_unified": True,
        "max_workspaces": 20,
        "max_data_retention_days": 0,
        "user_count": 1,
        "admin": True,
        "owner": True,
        "permissions": None,
        "trial_info": {
            "trial": False,
            "trial_available": True,
            "can_have_trial": True,
            "trial_end_date": None,
            "next_payment_date": None,
            "last_pricing_plan_id": None,
            "trial_plan_id": None,
        },
    }


def _workspace(workspace_id: int, organization_id: int, name: str) -> dict[str, object]:
    return {
        "id": workspace_id,
        "organization_id": organization_id,
        "name": name,
        "role": "admin",
        "admin": True,
        "premium": False,
        "business_ws": False,
        "suspended_at": None,
        "server_deleted_at": None,
        "default_hourly_rate": None,
        "rate_last_updated": None,
        "default_currency": "EUR",
        "only_admins_may_create_projects": False,
        "only_admins_may_create_tags": False,
        "only_admins_see_team_dashboard": False,
        "projects_billable_by_default": True,
        "projects_private_by_default": True,
        "reports_collapse": True,
        "rounding": 1,
        "rounding_minutes": 1,
        "api_token": "secret-workspace-token",
        "at": whole_seconds(datetime(2024, 10, 7, 9, 30, tzinfo=UTC)),
        "last_modified": "2026-03-01T00:00:00+00:00",
        "logo_url": "https://example.test/logo.png",
        "ical_url": "/ical/workspace_user/secret-path",
        "ical_enabled": True,
        "csv_upload": None,
        "subscription": None,
        "hide_start_end_times": False,
        "working_hours_in_minutes": None,
        "permissions": None,
    }
