"""The stand-in's answers about days, full, degraded and empty, in the shapes of recorded ones."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_garmin.standin.account import DEVICE, PROFILE, ZONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_garmin.standin.account import Account

SERIES_STEP = 1800
"""Seconds between two values here; the service has 120 or 180, and nothing hangs on it."""


def answer(account: Account, kind: str, day: date) -> Any:
    """Answer a question about a day: None is an empty answer (204)."""
    found = _ANSWERS[kind](account, day)
    if isinstance(found, dict):
        found |= account.corrections.get((kind, day), {})
    return found


def _head(account: Account, day: date) -> dict[str, Any]:
    begin, end = account.bounds(day)
    return {
        "userProfilePK": PROFILE,
        "calendarDate": day.isoformat(),
        "startTimestampGMT": f"{begin:%Y-%m-%dT%H:%M:%S}.0",
        "endTimestampGMT": f"{end:%Y-%m-%dT%H:%M:%S}.0",
        "startTimestampLocal": f"{day}T00:00:00.0",
        "endTimestampLocal": f"{day + timedelta(days=1)}T00:00:00.0",
    }


def _moments(account: Account, day: date) -> list[int]:
    """List the moments of a day (ms) up to the last sync."""
    begin, end = account.bounds(day)
    last = min(end, account.synced)
    count = max(0, int((last - begin).total_seconds()) // SERIES_STEP)
    return [int(begin.timestamp() + SERIES_STEP * number) * 1000 for number in range(count)]


def _series(account: Account, day: date, value: Callable[[int], list[Any]]) -> list[list[Any]]:
    if not account.has_detail(day):
        return []
    return [[moment, *value(number)] for number, moment in enumerate(_moments(account, day))]


def _heart_rate(account: Account, day: date) -> dict[str, Any]:
    values = _series(account, day, lambda number: [55 + number % 40])
    return {
        **_head(account, day),
        "maxHeartRate": max((value[1] for value in values), default=None),
        "minHeartRate": min((value[1] for value in values), default=None),
        "restingHeartRate": 47 if account.has_data(day) else None,
        "lastSevenDaysAvgRestingHeartRate": 47,
        "heartRateValueDescriptors": [{"key": "timestamp", "index": 0}, {"key": "heartrate", "index": 1}]
        if values
        else None,
        "heartRateValues": values or None,
    }


def _stress(account: Account, day: date) -> dict[str, Any]:
    return {
        **_head(account, day),
        "maxStressLevel": 90 if account.has_data(day) else None,
        "avgStressLevel": 31 if account.has_data(day) else None,
        "stressValueDescriptorsDTOList": [],
        "stressValuesArray": _series(account, day, lambda number: [number % 90 - 1]),
        "bodyBatteryValueDescriptorsDTOList": [],
        "bodyBatteryValuesArray": _series(account, day, lambda number: ["MEASURED", 80 - number, 2.0]),
    }


def _sleep(account: Account, day: date) -> dict[str, Any]:
    begin, _ = account.bounds(day)
    slept = account.has_data(day)
    start = int(begin.timestamp() * 1000) - 3_600_000
    night = {
        "id": start if slept else None,
        "userProfilePK": PROFILE,
        "calendarDate": day.isoformat(),
        "sleepTimeSeconds": 25_200 if slept else None,
        "sleepStartTimestampGMT": start if slept else None,
        "sleepWindowConfirmationType": "enhanced_confirmed_final" if slept else None,
        "deepSleepSeconds": 5_400 if slept else None,
    }
    detail = account.has_detail(day)
    levels = [
        {
            "startGMT": f"{begin:%Y-%m-%dT%H}:{part}0:00.0",
            "endGMT": f"{begin:%Y-%m-%dT%H}:{part}9:00.0",
            "activityLevel": 1.0,
        }
        for part in range(6)
    ]
    return {
        "dailySleepDTO": night,
        "sleepMovement": [],
        "remSleepData": True,
        "sleepLevels": levels if detail else [],
        "restingHeartRate": 47 if slept else None,
    }


def _hrv(account: Account, day: date) -> dict[str, Any] | None:
    if not account.has_data(day):
        return None
    readings = [
        {"hrvValue": 60 + number % 9, "readingTimeGMT": f"{day}T01:{number:02}:00.0"} for number in range(9)
    ]
    return {
        "userProfilePk": PROFILE,
        "hrvSummary": {
            "calendarDate": day.isoformat(),
            "weeklyAvg": 63,
            "lastNightAvg": 64,
            "status": "BALANCED",
        },
        "hrvReadings": readings if account.has_detail(day) else [],
    }


def _steps(account: Account, day: date) -> list[dict[str, Any]]:
    begin, _ = account.bounds(day)
    detail = account.has_detail(day)
    buckets = []
    for number in range(len(_moments(account, day)) * 2 if detail else 95):
        start = begin + timedelta(minutes=15 * number)
        steps = (number * 7) % 90 if detail else 0
        buckets.append(
            {
                "startGMT": f"{start:%Y-%m-%dT%H:%M:%S}.0",
                "endGMT": f"{start + timedelta(minutes=15):%Y-%m-%dT%H:%M:%S}.0",
                "steps": steps,
                "pushes": 0,
                "primaryActivityLevel": ("active" if steps else "sedentary") if detail else "none",
                "activityLevelConstant": detail,
            }
        )
    return buckets


def _floors(account: Account, day: date) -> dict[str, Any]:
    head = _head(account, day)
    del head["calendarDate"], head["userProfilePK"]
    values = _series(account, day, lambda number: [number % 3, 0])
    return {**head, "floorsValueDescriptorDTOList": [], "floorValuesArray": values}


def _respiration(account: Account, day: date) -> dict[str, Any]:
    return {
        **_head(account, day),
        "lowestRespirationValue": 9.0 if account.has_data(day) else None,
        "respirationValuesArray": _series(account, day, lambda number: [12.0 + number % 5]),
    }


def _spo2(account: Account, day: date) -> dict[str, Any]:
    values = _series(account, day, lambda number: [94 + number % 4])
    return {
        **_head(account, day),
        "averageSpO2": 95.0 if account.has_data(day) else None,
        "spO2SingleValues": None,
        "continuousReadingDTOList": None,
        "spO2HourlyAverages": values or None,
    }


def _intensity(account: Account, day: date) -> dict[str, Any]:
    return {
        **_head(account, day),
        "weeklyTotal": 150,
        "imValuesArray": _series(account, day, lambda number: [number % 2]),
    }


def _body_battery(account: Account, day: date) -> list[dict[str, Any]]:
    detail = account.has_detail(day)
    moments = _moments(account, day)[:6]
    values = [[moment, 50 + number if detail else None] for number, moment in enumerate(moments)]
    return [{"date": day.isoformat(), "charged": 60, "drained": 55, "bodyBatteryValuesArray": values}]


def _summary(account: Account, day: date) -> dict[str, Any]:
    worn = account.has_data(day)
    begin, _ = account.bounds(day)
    return {
        "userProfileId": PROFILE,
        "calendarDate": day.isoformat(),
        "privacyProtected": False,
        "wellnessStartTimeGmt": f"{begin:%Y-%m-%dT%H:%M:%S}.0",
        "totalSteps": len(_moments(account, day)) * 200 if worn else None,
        "totalKilocalories": 2210.0 if worn else None,
        "restingHeartRate": 47 if worn else None,
        "includesWellnessData": worn,
        "includesActivityData": worn,
        "includesCalorieConsumedData": False,
        "lastSyncTimestampGMT": None,
    }


def _readiness(account: Account, day: date) -> list[dict[str, Any]]:
    if not account.has_data(day):
        return []
    return [
        {
            "userProfilePK": PROFILE,
            "calendarDate": day.isoformat(),
            "timestamp": f"{day}T{hour:02}:10:00.0",
            "timestampLocal": f"{datetime.fromisoformat(f'{day}T{hour:02}:10:00+00:00').astimezone(ZONE):%Y-%m-%dT%H:%M:%S}.0",
            "deviceId": DEVICE,
            "score": score,
            "inputContext": context,
        }
        for hour, score, context in ((17, 50, "AFTER_POST_EXERCISE_RESET"), (5, 70, "AFTER_WAKEUP_RESET"))
    ]


def _training_status(account: Account, day: date) -> dict[str, Any]:
    newest = min(day, account.synced.astimezone(ZONE).date())
    return {
        "userId": PROFILE,
        "mostRecentVO2Max": {"generic": {"calendarDate": newest.isoformat(), "vo2MaxPreciseValue": 51.3}},
        "mostRecentTrainingStatus": {"latestTrainingStatusData": {str(DEVICE): {"trainingStatus": 4}}},
    }


def _hydration(account: Account, day: date) -> dict[str, Any]:
    del account
    return {"userId": PROFILE, "calendarDate": day.isoformat(), "valueInML": None, "goalInML": None}


def _nothing(account: Account, day: date) -> None:
    del account, day


def _no_list(account: Account, day: date) -> list[Any]:
    del account, day
    return []


_ANSWERS: dict[str, Callable[[Account, date], Any]] = {
    "body_battery": _body_battery,
    "daily_summary": _summary,
    "endurance_score": _nothing,
    "events": _no_list,
    "fitness_age": _nothing,
    "floors": _floors,
    "heart_rate": _heart_rate,
    "hill_score": _nothing,
    "hrv": _hrv,
    "hydration": _hydration,
    "intensity_minutes": _intensity,
    "lifestyle": _nothing,
    "naps": _no_list,
    "nutrition_logs": _nothing,
    "nutrition_meals": _nothing,
    "respiration": _respiration,
    "sleep": _sleep,
    "spo2": _spo2,
    "steps": _steps,
    "stress": _stress,
    "training_readiness": _readiness,
    "training_status": _training_status,
}
