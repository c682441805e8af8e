"""Which handler of the stand-in answers which path."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_garmin.standin import wellness
from tap_garmin.standin.account import DEVICE, NAME, PROFILE, ZONE
from tap_garmin.standin.fitmaker import monitoring_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_garmin.standin.account import Account

_LONGEST_RANGE = 28
_LARGEST_PAGE = 1000


@dataclass
class Reply:
    """An answer: JSON, or bytes."""

    status: int = 200
    body: Any = None
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def handle(account: Account, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
    """Answer a signed-in request."""
    if f"/{NAME}" not in path and re.search(
        r"/(?:daily|dailyHeartRate|dailySummaryChart|prs)/[0-9a-f]{8}-", path
    ):
        return Reply(403, {"message": "Forbidden"})
    for pattern, kind in _DAYS:
        if match := re.fullmatch(pattern, path):
            day = match.groupdict().get("day") or query.get("calendarDate") or query.get("date")
            return _found(wellness.answer(account, kind, date.fromisoformat(day or query["startDate"])))
    for pattern, handler in _OTHERS.items():
        if match := re.fullmatch(pattern, path):
            return handler(account, {**match.groupdict(), **query, "site": headers.get("Sec-Fetch-Site", "")})
    return Reply(404, {"message": "Not found"})


def _found(content: Any) -> Reply:
    return Reply(204, None) if content is None else Reply(200, content)


_DAY = r"(?P<day>\d{4}-\d\d-\d\d)"
_DAYS = (
    (rf"/usersummary-service/usersummary/daily/{NAME}", "daily_summary"),
    (rf"/wellness-service/wellness/dailyHeartRate/{NAME}", "heart_rate"),
    (rf"/wellness-service/wellness/dailySummaryChart/{NAME}", "steps"),
    (rf"/wellness-service/wellness/dailyStress/{_DAY}", "stress"),
    (r"/wellness-service/wellness/bodyBattery/reports/daily", "body_battery"),
    (rf"/wellness-service/wellness/floorsChartData/daily/{_DAY}", "floors"),
    (rf"/wellness-service/wellness/daily/spo2/{_DAY}", "spo2"),
    (rf"/wellness-service/wellness/daily/respiration/{_DAY}", "respiration"),
    (rf"/wellness-service/wellness/daily/im/{_DAY}", "intensity_minutes"),
    (r"/wellness-service/wellness/dailyEvents", "events"),
    (r"/sleep-service/sleep/dailySleepData", "sleep"),
    (rf"/sleep-service/sleep/naps/{_DAY}", "naps"),
    (rf"/hrv-service/hrv/{_DAY}", "hrv"),
    (rf"/usersummary-service/usersummary/hydration/daily/{_DAY}", "hydration"),
    (rf"/lifestylelogging-service/dailyLog/{_DAY}", "lifestyle"),
    (rf"/nutrition-service/food/logs/{_DAY}", "nutrition_logs"),
    (rf"/nutrition-service/meals/{_DAY}", "nutrition_meals"),
    (rf"/metrics-service/metrics/trainingreadiness/{_DAY}", "training_readiness"),
    (rf"/metrics-service/metrics/trainingstatus/aggregated/{_DAY}", "training_status"),
    (r"/metrics-service/metrics/endurancescore", "endurance_score"),
    (r"/metrics-service/metrics/hillscore", "hill_score"),
    (rf"/fitnessage-service/fitnessage/{_DAY}", "fitness_age"),
)


# Ranges


def _days_of(account: Account, asked: Mapping[str, str]) -> list[date]:
    first, last = date.fromisoformat(asked["start"]), date.fromisoformat(asked["end"])
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [day for day in days if account.has_data(day)]


def _aggregates(account: Account, asked: Mapping[str, str]) -> Reply:
    first, last = date.fromisoformat(asked["start"]), date.fromisoformat(asked["end"])
    if (last - first).days + 1 > _LONGEST_RANGE:
        return Reply(400, {"message": "Range too wide"})
    items = [{"calendarDate": day.isoformat(), "values": {"figure": 1}} for day in _days_of(account, asked)]
    if asked["kind"] == "sleep":
        return Reply(200, {"individualStats": items})
    if asked["kind"] == "hrv":
        return Reply(200, {"userProfilePk": PROFILE, "hrvSummaries": items}) if items else Reply(204)
    return Reply(200, items)


def _resting(account: Account, asked: Mapping[str, str]) -> Reply:
    days = _days_of(account, {"start": asked["fromDate"], "end": asked["untilDate"]})
    items = [{"calendarDate": day.isoformat(), "value": 47.0} for day in days]
    return Reply(200, {"allMetrics": {"metricsMap": {"WELLNESS_RESTING_HEART_RATE": items}}})


def _weights(account: Account, asked: Mapping[str, str]) -> Reply:
    groups: dict[str, list[Any]] = {}
    for item in account.weights.values():
        if asked["start"] <= item["calendarDate"] <= asked["end"]:
            groups.setdefault(item["calendarDate"], []).append(item)
    summaries = [
        {"summaryDate": day, "numOfWeightEntries": len(items), "allWeightMetrics": items}
        for day, items in sorted(groups.items(), reverse=True)
    ]
    return Reply(200, {"dailyWeightSummaries": summaries, "totalAverage": {}, "previousDateWeight": {}})


def _pressures(account: Account, asked: Mapping[str, str]) -> Reply:
    items = [
        item
        for item in account.pressures
        if asked["start"] <= item["measurementTimestampLocal"][:10] <= asked["end"]
    ]
    return Reply(200, {"measurementSummaries": [{"measurements": items}] if items else []})


def _max_met(account: Account, asked: Mapping[str, str]) -> Reply:
    days = _days_of(account, asked)[::30]
    parts = [{"calendarDate": day.isoformat(), "vo2MaxPreciseValue": 51.3} for day in days]
    return Reply(200, [{"userId": PROFILE, "generic": part, "cycling": None} for part in parts])


def _races(account: Account, asked: Mapping[str, str]) -> Reply:
    days = _days_of(account, {"start": asked["fromCalendarDate"], "end": asked["toCalendarDate"]})
    return Reply(200, [{"calendarDate": day.isoformat(), "time5K": 1400} for day in days[::30]])


# Activities


def _activities(account: Account, asked: Mapping[str, str]) -> Reply:
    start, limit = int(asked["start"]), int(asked["limit"])
    if limit > _LARGEST_PAGE:
        return Reply(400, {"message": "limit"})
    return Reply(200, account.sorted_activities()[start : start + limit])


def _activity(account: Account, asked: Mapping[str, str]) -> Reply:
    number = int(asked["id"])
    if number not in account.activities:
        return Reply(404, {"message": "Not found"})
    item = account.activities[number]
    part = asked.get("part")
    if part == "hrTimeInZones":
        return Reply(200, [{"zoneNumber": zone, "secsInZone": 60.0 * zone} for zone in range(1, 6)])
    if part == "splits":
        return Reply(200, {"activityId": number, "lapDTOs": [{"lapIndex": 1}], "eventDTOs": []})
    if part:
        return Reply(204)
    start = datetime.fromisoformat(item["startTimeGMT"])
    return Reply(
        200,
        {
            "activityId": number,
            "activityName": item["activityName"],
            "description": item.get("description"),
            "summaryDTO": {"startTimeGMT": f"{start:%Y-%m-%dT%H:%M:%S}.0", "duration": item["duration"]},
            "metadataDTO": {
                "lastUpdateDate": f"{account.updated[number]:%Y-%m-%dT%H:%M:%S}.0",
                "childIds": item.get("childIds", []),
                "manualActivity": item["manualActivity"],
            },
        },
    )


def _original(account: Account, asked: Mapping[str, str]) -> Reply:
    number = int(asked["id"])
    content = account.original(number) if number in account.activities else None
    if content is None:
        return Reply(404, {"message": "Not found"})
    return Reply(200, content, "application/x-zip-compressed")


def _day_files(account: Account, asked: Mapping[str, str]) -> Reply:
    day = date.fromisoformat(asked["day"])
    if not account.has_data(day):
        return Reply(404, {"message": "Not found"})
    return Reply(200, monitoring_zip(account.bounds(day)[0]), "application/x-zip-compressed")


# Lists


def _profile(account: Account, asked: Mapping[str, str]) -> Reply:
    del account, asked
    return Reply(200, {"id": 1, "profileId": PROFILE, "displayName": NAME, "fullName": "Invented Person"})


def _information(account: Account, asked: Mapping[str, str]) -> Reply:
    del account, asked
    return Reply(
        200, {"userInfo": {"timeZone": ZONE.key, "locale": "en"}, "biometricProfile": {"userId": PROFILE}}
    )


def _last_used(account: Account, asked: Mapping[str, str]) -> Reply:
    del asked
    return Reply(200, {"lastUsedDeviceUploadTime": int(account.synced.timestamp() * 1000)})


def _goals(account: Account, asked: Mapping[str, str]) -> Reply:
    del account
    if asked["site"] != "same-origin" or asked["status"] != "active" or asked["start"] != "1":
        return Reply(200, [])
    return Reply(200, [{"id": 5, "goalType": "steps", "goalValue": 10000}])


def _constant(content: Any) -> Callable[[Account, Mapping[str, str]], Reply]:
    return lambda _account, _asked: Reply(200, content)


_RANGE = r"(?P<start>[\d-]{10})/(?P<end>[\d-]{10})"
_OTHERS: dict[str, Callable[[Account, Mapping[str, str]], Reply]] = {
    rf"/usersummary-service/stats/(?P<kind>\w+)/daily/{_RANGE}": _aggregates,
    rf"/(?P<kind>sleep)-service/stats/sleep/daily/{_RANGE}": _aggregates,
    rf"/(?P<kind>hrv)-service/hrv/daily/{_RANGE}": _aggregates,
    rf"/userstats-service/wellness/daily/{NAME}": _resting,
    rf"/weight-service/weight/range/{_RANGE}": _weights,
    rf"/bloodpressure-service/bloodpressure/range/{_RANGE}": _pressures,
    rf"/metrics-service/metrics/maxmet/daily/{_RANGE}": _max_met,
    rf"/metrics-service/metrics/racepredictions/daily/{NAME}": _races,
    "/activitylist-service/activities/search/activities": _activities,
    "/activitylist-service/activities/count": lambda account, _: Reply(
        200, {"totalCount": len(account.activities)}
    ),
    r"/activity-service/activity/(?P<id>\d+)(?:/(?P<part>\w+))?": _activity,
    r"/download-service/files/activity/(?P<id>\d+)": _original,
    rf"/download-service/files/wellness/{_DAY}": _day_files,
    "/userprofile-service/socialProfile": _profile,
    "/userprofile-service/userprofile/user-settings": _constant(
        {"id": PROFILE, "userData": {"weight": 71000.0}}
    ),
    "/userprofile-service/userprofile/personal-information": _information,
    "/device-service/deviceservice/mylastused": _last_used,
    "/device-service/deviceregistration/devices": _constant(
        [{"deviceId": DEVICE, "productDisplayName": "Invented 965"}]
    ),
    "/gear-service/gear/filterGear": _constant([{"uuid": "ab12", "gearPk": 9, "displayName": "Shoes"}]),
    rf"/personalrecord-service/personalrecord/prs/{NAME}": _constant(
        [{"id": 77, "typeId": 3, "activityId": 0, "value": 1400.5, "prStartTimeGmt": 1767225600000}]
    ),
    "/goal-service/goal/goals": _goals,
    "/badge-service/badge/earned": _constant(
        [
            {
                "badgeId": 3,
                "badgeKey": "invented",
                "badgeEarnedDate": "2025-11-01T00:00:00.0",
                "badgeEarnedNumber": 2,
            }
        ]
    ),
    "/badgechallenge-service/badgeChallenge/completed": _constant([]),
    "/biometric-service/heartRateZones": _constant([{"sport": "DEFAULT", "zone1Floor": 95}]),
    "/biometric-service/powerZones/sports/all": _constant(
        [{"sport": "CYCLING", "functionalThresholdPower": 240.0, "zone1Floor": 120.0}]
    ),
    "/biometric-service/biometric/latestLactateThreshold": _constant(
        [
            {"userProfilePK": PROFILE, "calendarDate": "2026-02-01T08:00:00.0", "sequence": 1, "speed": 0.33},
            {
                "userProfilePK": PROFILE,
                "calendarDate": "2026-02-01T08:00:00.0",
                "sequence": 2,
                "hearRate": 168,
            },
        ]
    ),
    "/biometric-service/biometric/latestFunctionalThresholdPower/CYCLING": _constant(
        {"userProfilePK": PROFILE, "calendarDate": "2026-02-03T08:00:00.0", "functionalThresholdPower": 240}
    ),
    "/workout-service/workouts": _constant([{"workoutId": 12, "workoutName": "Intervals"}]),
}
