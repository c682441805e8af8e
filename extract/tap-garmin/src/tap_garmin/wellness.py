"""Streams of one request a day: what the watch measures around the clock, and what people log by hand.

Garmin serves the series inside a day for four to five months; later the same question is answered without them, and
with zeros for steps. Each class knows how its answer looks then; such a record is marked as degraded, so that it
never takes the place of a full one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_garmin.daystream import DayListStream, DayStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tap_garmin.connect import Answer
    from tap_kit import Raw

LOGGED = 30
"""Days for which people are known to add and correct what they log by hand."""


class BodyBatteryReports(DayListStream):
    """Body battery charged and drained, with about six points; the curve is in ``stress``."""

    name = "body_battery"
    path = "/wellness-service/wellness/bodyBattery/reports/daily"
    parameters: ClassVar[dict[str, str]] = {"startDate": "{day}", "endDate": "{day}"}
    keys = ("date",)
    naming = ("date",)

    @override
    def has_details(self, found: list[dict[str, Any]]) -> bool | None:
        rows = [row for item in found for row in item.get("bodyBatteryValuesArray") or []]
        return any(isinstance(row, list) and any(value is not None for value in row[1:]) for row in rows)


class DailySummaries(DayStream):
    """The day in figures; old days stay complete."""

    name = "daily_summary"
    path = "/usersummary-service/usersummary/daily/{name}"
    parameters: ClassVar[dict[str, str]] = {"calendarDate": "{day}"}
    lasting = True

    @override
    def has_detail(self, content: dict[str, Any]) -> bool | None:
        """Count a summary without any data as degraded: it comes before the watch has synced."""
        parts = ("includesWellnessData", "includesActivityData", "includesCalorieConsumedData")
        return False if all(content.get(part) is False for part in parts) else None

    @override
    def items(self, answer: Answer, day: date) -> Iterator[Raw]:
        if isinstance(answer.content, dict) and answer.content.get("privacyProtected") is True:
            raise FatalAPIError(
                f"{answer.provenance['api_endpoint']} answered for someone else, or the day is hidden "
                "(privacyProtected). Its zeros are not taken for data."
            )
        yield from super().items(answer, day)


class EnduranceScores(DayStream):
    """Endurance score."""

    name = "endurance_score"
    path = "/metrics-service/metrics/endurancescore"
    parameters: ClassVar[dict[str, str]] = {"calendarDate": "{day}"}


class Events(DayListStream):
    """Moves that the watch noticed by itself."""

    name = "events"
    path = "/wellness-service/wellness/dailyEvents"
    parameters: ClassVar[dict[str, str]] = {"calendarDate": "{day}"}
    keys = ("startTimestampGMT", "deviceId")
    naming = keys
    source_timestamp = "startTimestampGMT"


class FitnessAges(DayStream):
    """Fitness age."""

    name = "fitness_age"
    path = "/fitnessage-service/fitnessage/{day}"


class Floors(DayStream):
    """Floors climbed and descended, in 15 minutes; the answer does not name its day."""

    name = "floors"
    path = "/wellness-service/wellness/floorsChartData/daily/{day}"
    series = ("floorValuesArray",)


class HeartRates(DayStream):
    """Heart rate, every two minutes."""

    name = "heart_rate"
    path = "/wellness-service/wellness/dailyHeartRate/{name}"
    parameters: ClassVar[dict[str, str]] = {"date": "{day}"}
    series = ("heartRateValues",)


class HillScores(DayStream):
    """Hill score."""

    name = "hill_score"
    path = "/metrics-service/metrics/hillscore"
    parameters: ClassVar[dict[str, str]] = {"calendarDate": "{day}"}


class HeartRateVariabilities(DayStream):
    """Heart rate variability of the night, every five minutes."""

    name = "hrv"
    path = "/hrv-service/hrv/{day}"
    series = ("hrvReadings",)


class Hydrations(DayStream):
    """What was drunk, as logged; all null where nothing was."""

    name = "hydration"
    path = "/usersummary-service/usersummary/hydration/daily/{day}"
    lasting = True
    shortest_lookback = LOGGED


class IntensityMinutes(DayStream):
    """Intensity minutes."""

    name = "intensity_minutes"
    path = "/wellness-service/wellness/daily/im/{day}"

    @override
    def has_detail(self, content: dict[str, Any]) -> bool | None:
        return None if "imValuesArray" not in content else bool(content["imValuesArray"])


class LifestyleLogs(DayStream):
    """Lifestyle logging."""

    name = "lifestyle"
    path = "/lifestylelogging-service/dailyLog/{day}"
    shortest_lookback = LOGGED
    lasting = True


class Naps(DayListStream):
    """Naps."""

    name = "naps"
    path = "/sleep-service/sleep/naps/{day}"
    keys = ("napStartTimestampGMT",)
    naming = keys

    @override
    def items(self, answer: Answer, day: date) -> Iterator[Raw]:
        """Take the list, or the object that holds it: both were described, neither recorded."""
        if isinstance(answer.content, dict):
            yield from DayStream.items(self, answer, day)
        else:
            yield from super().items(answer, day)


class NutritionLogs(DayStream):
    """What was eaten, as logged."""

    name = "nutrition_logs"
    path = "/nutrition-service/food/logs/{day}"
    lasting = True
    shortest_lookback = LOGGED


class NutritionMeals(DayStream):
    """The meals of a day."""

    name = "nutrition_meals"
    path = "/nutrition-service/meals/{day}"
    lasting = True
    shortest_lookback = LOGGED


class OxygenSaturations(DayStream):
    """Blood oxygen saturation (SpO2), by the hour."""

    name = "spo2"
    path = "/wellness-service/wellness/daily/spo2/{day}"
    series = ("spO2HourlyAverages", "spO2SingleValues", "continuousReadingDTOList")


class Respirations(DayStream):
    """Breaths, every two minutes."""

    name = "respiration"
    path = "/wellness-service/wellness/daily/respiration/{day}"
    series = ("respirationValuesArray",)


class Sleeps(DayStream):
    """The night that ended on a day: stages, movement, heart rate, breath, about 230 kB."""

    name = "sleep"
    path = "/sleep-service/sleep/dailySleepData"
    parameters: ClassVar[dict[str, str]] = {"date": "{day}", "nonSleepBufferMinutes": "60"}
    lasting = True

    @override
    def has_detail(self, content: dict[str, Any]) -> bool | None:
        """Tell whether there is a night, with its series; the id of the night is null where there was none."""
        night = content.get("dailySleepDTO") or {}
        return night.get("id") is not None and bool(content.get("sleepLevels"))


class Steps(DayListStream):
    """Steps in 15 minutes. What is not loaded looks like a day in bed: all zeros, level ``none``."""

    name = "steps"
    path = "/wellness-service/wellness/dailySummaryChart/{name}"
    parameters: ClassVar[dict[str, str]] = {"date": "{day}"}
    keys = ("startGMT",)
    naming = keys
    source_timestamp = "startGMT"

    @override
    def has_details(self, found: list[dict[str, Any]]) -> bool | None:
        return any(item.get("primaryActivityLevel") != "none" or item.get("steps") for item in found)


class Stresses(DayStream):
    """Stress and body battery, every three minutes."""

    name = "stress"
    path = "/wellness-service/wellness/dailyStress/{day}"
    series = ("stressValuesArray",)


class TrainingReadinesses(DayListStream):
    """Training readiness; several a day."""

    name = "training_readiness"
    path = "/metrics-service/metrics/trainingreadiness/{day}"
    keys: ClassVar[Sequence[str]] = ("calendarDate", "timestamp")
    naming = ("calendarDate", "timestamp", "deviceId", "inputContext")
    source_timestamp = "timestamp"
    lasting = True


class TrainingStatuses(DayStream):
    """Training status and load by device. Its parts carry dates of their own, often not the day that was asked for."""

    name = "training_status"
    path = "/metrics-service/metrics/trainingstatus/aggregated/{day}"
    lasting = True


DETAILED = (
    HeartRates,
    Stresses,
    Sleeps,
    HeartRateVariabilities,
    Steps,
    Respirations,
    OxygenSaturations,
    Floors,
    IntensityMinutes,
    BodyBatteryReports,
)
"""What expires, in the order in which it is read."""

OTHERS = (
    DailySummaries,
    TrainingReadinesses,
    TrainingStatuses,
    Events,
    Naps,
    Hydrations,
    LifestyleLogs,
    NutritionLogs,
    NutritionMeals,
    EnduranceScores,
    HillScores,
    FitnessAges,
)
