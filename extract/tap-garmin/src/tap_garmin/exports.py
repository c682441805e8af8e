"""The account export ("Export your data"): which file holds what.

Source: two real exports of private persons, compared by layout. Sub-folders come and go, so files are told by name. An
export requested later may lack records that an earlier one had and carry other values: what is not in it is not
gone. Most kinds have no unique key, and neighbouring files share a day, so records are told by their content.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any

from typing_extensions import override

from tap_kit.export import ExportStream, Found, Member, Rule, json_items

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_garmin.tap import TapGarmin

Parser = Callable[[Member], Iterator[Found]]

_DATES = r"\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d"
_DAYS = r"\d{8}_\d{8}_\d+"

FOLDERS = r"DI_[A-Z_]+|IT_[A-Z_]+|INREACH|customer_data|GARMIN"
"""Folders of the export and of a watch: a JSON file of an unknown name is Garmin's in these, and beside known names."""

OTHER = r".*\.json"

KINDS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    # file name, stream, where the list lies, key
    (rf"UDSFile_{_DATES}\.json", "export_daily_summaries", (), ()),
    (rf"HydrationLogFile_{_DATES}\.json", "export_hydration", (), ()),
    (r".+_sleepData\.json", "export_sleep", (), ()),
    (r".+_healthStatusData\.json", "export_health_status", (), ()),
    (r".*fitnessAgeData\.json", "export_fitness_age", (), ()),
    (r".*userBioMetrics\.json", "export_biometrics", (), ()),
    (r".*bioMetrics_latest\.json", "export_biometrics_latest", (), ()),
    (r".*heartRateZones\.json", "export_heart_rate_zones", (), ()),
    (r".*powerZones\.json", "export_power_zones", (), ()),
    (r".*LifestyleLogging\.json", "export_lifestyle", (), ()),
    (r".*nutritionLogs\.json", "export_nutrition", (), ()),
    (r".*AbnormalHrEvents\.json", "export_abnormal_heart_rates", (), ()),
    (r"BloodPressureFile_.*\.json", "export_blood_pressure", (), ()),
    (rf"TrainingReadinessDTO_{_DAYS}\.json", "export_training_readiness", (), ()),
    (rf"MetricsAcuteTrainingLoad_{_DAYS}\.json", "export_acute_training_load", (), ()),
    (rf"MetricsMaxMetData_{_DAYS}\.json", "export_vo2max", (), ()),
    (rf"ActivityVo2Max_{_DAYS}\.json", "export_activity_vo2max", (), ()),
    (rf"TrainingHistory_{_DAYS}\.json", "export_training_history", (), ()),
    (rf"RunRacePredictions_{_DAYS}\.json", "export_race_predictions", (), ()),
    (rf"EnduranceScore_{_DAYS}\.json", "export_endurance_score", (), ()),
    (rf"HillScore_{_DAYS}\.json", "export_hill_score", (), ()),
    (
        rf"MetricsHeatAltitudeAcclimation_{_DAYS}\.json",
        "export_heat_altitude",
        (),
        (),
    ),
    (rf"CyclingAbility_{_DAYS}\.json", "export_cycling_ability", (), ()),
    (
        r".*summarizedActivities\.json",
        "export_activities",
        ("summarizedActivitiesExport",),
        ("activityId",),
    ),
    (r".*personalRecord\.json", "export_personal_records", ("personalRecords",), ("personalRecordId",)),
    (r".*gear\.json", "export_gear", (), ()),
    (r".*workout\.json", "export_workouts", (), ()),
    (r".*trainingPlan\.json", "export_training_plans", (), ()),
    (r".*courses_.*\.json", "export_courses", (), ()),
    (r"CalendarItems\.json", "export_calendar", (), ()),
    (r"UserGoal_.*\.json", "export_goals", (), ()),
    (r"user_profile\.json|.*social-profile\.json", "export_profile", (), ()),
    (r"user_settings\.json", "export_settings", (), ()),
    (r"devicesandcontent\.json", "export_devices", (), ()),
    (r"customer\.json", "export_customer", (), ()),
    (OTHER, "export_other", (), ()),
)
"""One line per kind; the last one takes what Garmin adds to its own folders, so that nothing is left behind."""

LEFT_OUT = (
    (
        r".*\.(?:txt|csv|pdf|html?|css|js)",
        "a text for people, not data of the watch",
    ),
    (
        r".*\.(?:xml|img|gmap|prg|set|bin|gcd|rgn|str|ln[0-9a-z]|kdb|idx|sys|msk|iq|log)",
        "of the watch's own system: software, maps, language, description",
    ),
    (r".*\.(?:jpe?g|png|gif|webp|heic|mp4|mov)", "a picture or film; kept in the export itself"),
    (r".*\.(?:tcx|gpx|kml)", "an upload of another make; kept in the export itself"),
)

_MOMENTS = (
    "calendarDate",
    "timestamp",
    "startTimeGmt",
    "sleepStartTimestampGMT",
    "prStartTimeGMT",
    "timestampGMT",
    "createDate",
)
"""Fields that tell when a record happened; the first that is there and readable counts."""


class GarminExports(ExportStream):
    """A kind of file of the account export; its elements leave as they are."""

    _tap: TapGarmin

    def __init__(self, tap: TapGarmin, name: str, keys: Sequence[str]) -> None:
        """Make the stream of one kind.

        Args:
            tap: The tap.
            name: Name of the stream.
            keys: Fields that name a record; none: its content does.
        """
        properties: dict[str, Any] = {key: {"type": "integer"} for key in keys}
        properties |= {
            "calendarDate": {"type": ["string", "integer", "null"], "description": "Owner's date."}
        }
        schema = {
            "type": "object",
            "description": "As in the export; which fields there are depends on device, sport and year.",
            "properties": properties,
            "additionalProperties": True,
        }
        super().__init__(tap, name=name, schema=schema)
        self.primary_keys = tuple(keys)  # type: ignore[misc] # by kind

    @property
    @override
    def selected(self) -> bool:
        """Not, where no file is named: there is nothing to say of exports then."""
        return bool(self.mask.get((), True)) and bool(self._tap.config.get("path"))

    @selected.setter
    def selected(self, value: bool | None) -> None:
        ExportStream.selected.fset(self, value)  # type: ignore[attr-defined] # the base class's property

    @override
    def tell_drift(self, fields: Iterable[str]) -> None:
        """Say nothing: the schema lets in all fields, as they differ by device and sport."""


def streams(tap: TapGarmin) -> list[ExportStream]:
    """Make the streams of all kinds."""
    return [GarminExports(tap, name, keys) for _, name, _, keys in KINDS]


def _parser(stream: str, steps: tuple[str, ...]) -> Parser:
    def parse(member: Member) -> Iterator[Found]:
        for element in json_items(opened(member, steps[0]) if steps else member):
            for record in _inside(element, steps):
                moment = moment_of(record)
                yield Found(stream, record, {"source_timestamp": moment} if moment else {})

    return parse


def opened(member: Member, name: str) -> Member:
    """Let the list called *name* be read as the member itself, where it is all that the member holds.

    Such a file is a list of one object of one list, which may take more than 100 MB: too much to be read as one element.
    """
    head = re.match(rb'\s*\[\s*\{\s*"' + name.encode() + rb'"\s*:\s*(?=\[)', member.head(1024))
    if head is None:
        return member
    return replace(member, opener=lambda: io.BufferedReader(_Inner(member.open(), head.end())))


class _Inner(io.RawIOBase):
    """A file without its first bytes and without the ``}]`` at its end."""

    def __init__(self, file: IO[bytes], skipped: int) -> None:
        super().__init__()
        self._file = file
        self._file.read(skipped)
        self._held = b""
        self._ended = False

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int:
        """Give some bytes, holding back the last ones until more have come."""
        while not self._ended and len(self._held) <= _TAIL:
            more = self._file.read(len(buffer) + _TAIL)
            self._ended = not more
            self._held = self._held + more if more else _END.sub(b"", self._held)
        size = min(len(buffer), len(self._held) - (0 if self._ended else _TAIL))
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size

    @override
    def close(self) -> None:
        self._file.close()
        super().close()


_TAIL = 64
_END = re.compile(rb"(?<=\])\s*\}\s*\]\s*\Z")


def _inside(element: Any, steps: tuple[str, ...]) -> list[dict[str, Any]]:
    """List the objects that lie at *steps*; what is no object is wrapped, so that it is not lost."""
    found = element
    for step in steps:
        found = found.get(step, found) if isinstance(found, dict) else found
    listed = found if isinstance(found, list) else [found]
    return [item if isinstance(item, dict) else {"value": item} for item in listed]


def moment_of(record: dict[str, Any]) -> str | None:
    """Tell when a record of an export happened (ISO 8601, UTC); None where no known field says so.

    Dates are ISO in some kinds, milliseconds in others, and a list of numbers for blood pressure.
    """
    holders = [record, record.get("metaData"), record.get("weight")]
    for holder in holders:
        for name in _MOMENTS:
            if isinstance(holder, dict) and (moment := _moment(holder.get(name))):
                return moment
    return None


def _moment(value: Any) -> str | None:
    try:
        if isinstance(value, list):
            return datetime(*value[:6], tzinfo=UTC).isoformat()  # type: ignore[misc] # checked by the call
        if isinstance(value, int) and not isinstance(value, bool):
            return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)).isoformat()
        return datetime.fromisoformat(value).isoformat() if isinstance(value, str) else None
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        return datetime.strptime(value, "%a %b %d %H:%M:%S %Z %Y").replace(tzinfo=UTC).isoformat()
    except (TypeError, ValueError):
        return None


FIT = r".*\.fit"
RULES: tuple[Rule, ...] = (
    Rule(r"garmin_tokens.*\.json|oauth[12]_token\.json", None, "the token of a log-in, a secret"),
    *(
        Rule(pattern, _parser(stream, steps), inside=FOLDERS if pattern == OTHER else None)
        for pattern, stream, steps, _ in KINDS
    ),
    *(Rule(pattern, None, reason) for pattern, reason in LEFT_OUT),
)


def by_month(members: Sequence[Member]) -> list[list[Member]]:
    """Split loose files into months of their last change.

    A watch's folder grows by the day; so a new file has its month read again, and not the years before.
    """
    months: dict[str, list[Member]] = {}
    for member in members:
        months.setdefault((member.modified or "")[:7], []).append(member)
    return [months[month] for month in sorted(months)]
