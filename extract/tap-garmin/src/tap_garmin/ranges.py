"""Streams of many days per request: aggregates that last, and what is entered one by one.

Source for the longest ranges: tried out by others (28 days is answered, 29 refused); where nothing is known a cautious
length is taken.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_garmin.base import listed, whole
from tap_garmin.daystream import RangeStream, named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_garmin.connect import Answer
    from tap_garmin.days import Span
    from tap_kit import Raw

YEAR = 364


class Aggregates(RangeStream):
    """A figure or some a day, from the statistics service."""

    source_timestamp = "calendarDate"


class BodyBatteryAggregates(Aggregates):
    """Body battery of the day."""

    name = "body_battery_daily"
    path = "/usersummary-service/stats/bodybattery/daily/{start}/{end}"


class FloorsAggregates(Aggregates):
    """Floors of the day."""

    name = "floors_daily"
    path = "/usersummary-service/stats/floors/daily/{start}/{end}"


class HeartRateAggregates(Aggregates):
    """Heart rate of the day."""

    name = "heart_rate_daily"
    path = "/usersummary-service/stats/heartRate/daily/{start}/{end}"


class HrvAggregates(Aggregates):
    """Heart rate variability of the night, without the readings."""

    name = "hrv_daily"
    path = "/hrv-service/hrv/daily/{start}/{end}"

    @override
    def items(self, answer: Answer) -> Iterator[Raw]:
        for item in listed(answer, "hrvSummaries"):
            yield self.record(answer, item)


class HydrationAggregates(Aggregates):
    """Hydration of the day."""

    name = "hydration_daily"
    path = "/usersummary-service/stats/hydration/daily/{start}/{end}"


class IntensityMinutesAggregates(Aggregates):
    """Intensity minutes of the day."""

    name = "intensity_minutes_daily"
    path = "/usersummary-service/stats/im/daily/{start}/{end}"


class RacePredictions(Aggregates):
    """Predicted race times of the day (s)."""

    name = "race_predictions"
    path = "/metrics-service/metrics/racepredictions/daily/{name}"
    parameters: ClassVar[dict[str, str]] = {"fromCalendarDate": "{start}", "toCalendarDate": "{end}"}
    longest = YEAR


class RespirationAggregates(Aggregates):
    """Breaths of the day."""

    name = "respiration_daily"
    path = "/usersummary-service/stats/respiration/daily/{start}/{end}"


class RestingHeartRates(Aggregates):
    """Resting heart rate of the day."""

    name = "resting_heart_rate"
    path = "/userstats-service/wellness/daily/{name}"
    parameters: ClassVar[dict[str, str]] = {"fromDate": "{start}", "untilDate": "{end}", "metricId": "60"}
    longest = YEAR

    @override
    def items(self, answer: Answer) -> Iterator[Raw]:
        for item in listed(answer, "allMetrics", "metricsMap", "WELLNESS_RESTING_HEART_RATE"):
            yield self.record(answer, item)


class SleepAggregates(Aggregates):
    """Sleep of the night."""

    name = "sleep_daily"
    path = "/sleep-service/stats/sleep/daily/{start}/{end}"

    @override
    def items(self, answer: Answer) -> Iterator[Raw]:
        for item in listed(answer, "individualStats"):
            yield self.record(answer, item)


class StepsAggregates(Aggregates):
    """Steps and distance of the day."""

    name = "steps_daily"
    path = "/usersummary-service/stats/steps/daily/{start}/{end}"


class StressAggregates(Aggregates):
    """Stress of the day."""

    name = "stress_daily"
    path = "/usersummary-service/stats/stress/daily/{start}/{end}"


class MaxMets(RangeStream):
    """VO2max by sport, on days when it changed; the dates lie in the parts."""

    name = "vo2max"
    path = "/metrics-service/metrics/maxmet/daily/{start}/{end}"
    longest = YEAR

    @override
    def items(self, answer: Answer) -> Iterator[Raw]:
        for item in listed(answer):
            parts = [item.get(name) for name in ("generic", "cycling", "heatAltitudeAcclimation")]
            dates = [part.get("calendarDate") if isinstance(part, dict) else None for part in parts]
            day = next((date for date in dates if date), None)
            raw_id = "/".join(date or "" for date in dates)
            yield self.record(answer, item, raw_id=raw_id, source_timestamp=day)


class Entries(RangeStream):
    """What is entered one by one, at any time after the fact, and deleted.

    Entries inside a range that were there before and are not now are gone. Ranges are dates at the owner's, moments are
    UTC: a day at each end is read and not judged, today included. A range without any entry is not judged, as that
    may be an outage.
    """

    absence = "window"
    overlap = 1
    longest = 90
    lookback = 30
    list_steps: ClassVar[tuple[str, str]]
    """The list in the answer, and the list in each of its elements."""

    @override
    def fetch(self, span: Span) -> Iterator[Raw]:
        records = whole(self.items(self.ask(span)))
        if not records:
            return
        end = min(span.last + timedelta(days=1), self.account.today)
        with self.window(_midnight(span.first), _midnight(end)):
            yield from records

    @override
    def items(self, answer: Answer) -> Iterator[Raw]:
        outer, inner = self.list_steps
        for group in listed(answer, outer):
            for item in group.get(inner) or []:
                yield self.entry(answer, item)

    def entry(self, answer: Answer, item: Any) -> Raw:
        """Make the record of an entry."""
        return self.record(answer, item)


class BloodPressures(Entries):
    """Blood pressure."""

    name = "blood_pressure"
    path = "/bloodpressure-service/bloodpressure/range/{start}/{end}"
    parameters: ClassVar[dict[str, str]] = {"includeAll": "true"}
    keys = ("measurementTimestampGMT", "version")
    source_timestamp = "measurementTimestampGMT"
    list_steps = ("measurementSummaries", "measurements")

    @override
    def entry(self, answer: Answer, item: Any) -> Raw:
        record = self.record(answer, item)
        record.provenance["raw_id"] = named(item, self.keys)
        return record


class Weights(Entries):
    """Weight and body composition (g, %)."""

    name = "weight"
    path = "/weight-service/weight/range/{start}/{end}"
    parameters: ClassVar[dict[str, str]] = {"includeAll": "true"}
    keys = ("samplePk",)
    source_timestamp = "timestampGMT"
    volatile = ("/weightDelta",)
    list_steps = ("dailyWeightSummaries", "allWeightMetrics")


ALL = (
    Weights,
    BloodPressures,
    RestingHeartRates,
    MaxMets,
    RacePredictions,
    StepsAggregates,
    SleepAggregates,
    StressAggregates,
    HrvAggregates,
    HeartRateAggregates,
    BodyBatteryAggregates,
    IntensityMinutesAggregates,
    RespirationAggregates,
    FloorsAggregates,
    HydrationAggregates,
)


def _midnight(day: Any) -> str:
    return datetime.combine(day, time(), UTC).isoformat()
