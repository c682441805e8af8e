"""The invented account: a person with one watch, scales, and a habit of running."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tap_garmin.standin.fitmaker import activity_zip

if TYPE_CHECKING:
    from tap_garmin.standin.clock import Clock

PROFILE = 70000001
NAME = "0f00d0aa-1111-4222-8333-444455556666"
DEVICE = 3900000001
ZONE = ZoneInfo("Europe/Berlin")
DETAIL = timedelta(days=140)
"""How long the series inside a day are served."""


@dataclass
class Account:
    """What the stand-in serves; may be changed between requests."""

    clock: Clock
    first_day: date
    """First day with a watch."""

    synced: datetime
    """When the watch synced last: later days are not there yet."""

    activities: dict[int, dict[str, Any]] = field(default_factory=dict)
    updated: dict[int, datetime] = field(default_factory=dict)
    """When each activity was changed last."""

    weights: dict[int, dict[str, Any]] = field(default_factory=dict)
    pressures: list[dict[str, Any]] = field(default_factory=list)
    unworn: set[date] = field(default_factory=set)
    """Days on which the watch lay in a drawer."""

    corrections: dict[tuple[str, date], dict[str, Any]] = field(default_factory=dict)
    """What people changed after the fact: endpoint and day, and the fields that differ."""

    reloaded: set[date] = field(default_factory=set)
    """Old days whose detail is served again."""

    @property
    def today(self) -> date:
        """The date where the person lives."""
        return self.clock.now().astimezone(ZONE).date()

    def has_data(self, day: date) -> bool:
        """Tell whether the watch was worn on a day, and has synced it, at least in part."""
        return self.first_day <= day <= self.synced.astimezone(ZONE).date() and day not in self.unworn

    def has_detail(self, day: date) -> bool:
        """Tell whether the series of a day are served."""
        return self.has_data(day) and (self.today - day <= DETAIL or day in self.reloaded)

    def sync(self) -> None:
        """Let the watch sync now."""
        self.synced = self.clock.now()

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """Give the beginning and end of a day, as moments."""
        return tuple(
            datetime.combine(each, time(), ZONE).astimezone(UTC) for each in (day, day + timedelta(days=1))
        )  # type: ignore[return-value] # of two

    # Activities

    def add_activity(self, start: datetime, *, kind: str = "running", seconds: int = 1800) -> int:
        """Let an activity be uploaded; gives its id. Ids grow with uploads, not with starts."""
        number = 20_000_000_000 + len(self.updated)
        local = start.astimezone(ZONE)
        self.activities[number] = {
            "activityId": number,
            "activityName": f"Invented {kind}",
            "startTimeLocal": f"{local:%Y-%m-%d %H:%M:%S}",
            "startTimeGMT": f"{start:%Y-%m-%d %H:%M:%S}",
            "beginTimestamp": int(start.timestamp() * 1000),
            "activityType": {"typeId": 1, "typeKey": kind, "parentTypeId": 17},
            "distance": round(seconds * 2.8, 2),
            "duration": float(seconds),
            "calories": seconds / 5,
            "averageHR": 141.0,
            "deviceId": DEVICE,
            "ownerId": PROFILE,
            "userRoles": ["SCOPE_CONNECT_READ"],
            "parent": False,
            "manualActivity": kind == "manual",
        }
        self.updated[number] = self.clock.now()
        return number

    def edit_activity(self, number: int, **fields: Any) -> None:
        """Let a person change an activity."""
        self.activities[number].update(fields)
        self.updated[number] = self.clock.now()

    def delete_activity(self, number: int) -> None:
        """Let a person delete an activity."""
        del self.activities[number]

    def sorted_activities(self) -> list[dict[str, Any]]:
        """List the activities as the service does: by start, the youngest first."""
        return sorted(self.activities.values(), key=lambda item: item["beginTimestamp"], reverse=True)

    def original(self, number: int) -> bytes | None:
        """Give the download of an activity: a zip, or nothing for one that was entered by hand."""
        item = self.activities[number]
        if item["manualActivity"]:
            return None
        start = datetime.fromtimestamp(item["beginTimestamp"] / 1000, UTC)
        return activity_zip(number, start, int(item["duration"]))

    # Entries

    def add_weight(self, moment: datetime, grams: float) -> int:
        """Let the person step on the scales; gives the entry's number."""
        number = 1_700_000_000_000 + len(self.weights)
        local = moment.astimezone(ZONE)
        self.weights[number] = {
            "samplePk": number,
            "date": int(local.replace(tzinfo=UTC).timestamp() * 1000),
            "calendarDate": local.date().isoformat(),
            "weight": grams,
            "bmi": None,
            "bodyFat": None,
            "sourceType": "MANUAL",
            "timestampGMT": int(moment.timestamp() * 1000),
            "weightDelta": 100.0,
        }
        return number


def invented_account(
    clock: Clock, *, days: int = 200, activities: int = 12, lived_until: datetime | None = None
) -> Account:
    """Make an account whose watch was synced an hour ago.

    Args:
        clock: Its clock.
        days: How long before *lived_until* the watch was first worn.
        activities: How many there are.
        lived_until: The last moment of what the person did on purpose (activities, scales); default: now. A fixed one
            makes the same account every time.
    """
    synced = clock.now() - timedelta(hours=1)
    now = lived_until or clock.now()
    account = Account(clock, (now - timedelta(days=days)).date(), synced)
    for number in range(activities):
        account.add_activity(now - timedelta(days=activities - number, hours=5))
    for number in range(3):
        account.add_weight(now - timedelta(days=3 * number, hours=4), 71_000.0 + 100 * number)
    account.pressures.append(
        {
            "version": 1760000000001,
            "systolic": 118,
            "diastolic": 76,
            "pulse": 55,
            "measurementTimestampGMT": f"{now - timedelta(days=2):%Y-%m-%dT%H:%M:%S}.0",
            "measurementTimestampLocal": f"{(now - timedelta(days=2)).astimezone(ZONE):%Y-%m-%dT%H:%M:%S}.0",
            "sourceType": "MANUAL",
            "notes": None,
        }
    )
    return account
