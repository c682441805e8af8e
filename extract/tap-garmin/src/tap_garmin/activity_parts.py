"""What is asked for activity by activity: details, splits, zones, weather, sets, gear, the original file.

Each stream has its own list of activities that are due (``todo``, youngest first as the list gave them), so that an
interruption or a refusal costs one request and no activity.
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_garmin.activities import Activities, add_to
from tap_garmin.base import ConnectStream, listed, odd_shape, whole
from tap_garmin.connect import NotAvailableError
from tap_garmin.daystream import OUTAGE, named
from tap_garmin.originals import Originals, unpacked
from tap_kit import AnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_garmin.connect import Answer
    from tap_garmin.tap import TapGarmin
    from tap_kit import Raw

REREAD = timedelta(days=90)
"""Once a month the details of these days are read again: text, gear and images are not in the list."""


class PartStream(ConnectStream):
    """A part of each activity. State: ``todo`` (ids that are due) and ``failed`` (ids and how often)."""

    path: ClassVar[str]
    """With ``{id}``."""

    letter: ClassVar[str] = ""
    """What the mark of an activity has to have (see ``activities.PARTS``); empty: each activity is asked for it."""

    def put_on_list(self, activities: Sequence[str]) -> None:
        """Make activities due that have such a part; a stream that never ran takes them all when it does."""
        due = [each for each in activities if not self.letter or self._activities.has(each, self.letter)]
        self.stream_state["todo"] = add_to(self.stream_state.get("todo", []), due)

    @override
    def read(self) -> Iterator[Raw]:
        if "todo" not in self.stream_state:
            self.put_on_list(list(self._activities.seen))
        self._plan()
        in_a_row = 0
        for activity in list(self.stream_state["todo"]):
            try:
                records = whole(self.parts(activity))
            except NotAvailableError as error:  # someone else's activity: asking again would not help
                self.settle(error)
                records = []
            except (FatalAPIError, RetriableAPIError) as error:
                self._put_last(activity)
                in_a_row += 1
                if in_a_row >= OUTAGE:
                    raise
                self.settle(error)
                continue
            in_a_row = 0
            yield from records
            self.sent()
            self.stream_state["todo"].remove(activity)
            self.remember()
        self.close()

    def _put_last(self, activity: str) -> None:
        """Let an activity that failed wait for the others, so that it does not hold them up in each run."""
        self.stream_state["todo"].remove(activity)
        self.stream_state["todo"].append(activity)

    def sent(self) -> None:
        """Do what has to follow the records of an activity, before the state says that it is done."""

    @property
    def _activities(self) -> Activities:
        stream = self._tap.streams[Activities.name]
        assert isinstance(stream, Activities)  # noqa: S101 - the tap made it
        return stream

    def _plan(self) -> None:
        """Make more activities due, where time alone is a reason."""

    def parts(self, activity: str) -> Iterator[Raw]:
        """Yield the records of an activity; one that has no such part, or is gone, has none."""
        try:
            answer = self.ask(activity)
        except AnswerError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return
        yield from self.items(answer, activity)

    def ask(self, activity: str) -> Answer:
        """Ask for the part of an activity."""
        return self.connect.get(self.path.format(id=activity))

    def items(self, answer: Answer, activity: str) -> Iterator[Raw]:
        """Yield the records of an answer: the object that it is."""
        if answer.content in (None, {}, []):
            return
        if not isinstance(answer.content, dict):
            raise odd_shape(answer)
        yield self.part(answer, answer.content, activity)

    def part(self, answer: Answer, item: Any, activity: str, *names: str) -> Raw:
        """Wrap an object of an activity; it is named by the activity and *names*."""
        provenance: dict[str, Any] = {"raw_id": "/".join((activity, *names)), "activity_id": activity}
        if start := self._activities.start_of(activity):
            provenance["source_timestamp"] = start.isoformat()
        return self.record(answer, item, **provenance)


class PartListStream(PartStream):
    """A part that is a list; each element is a record, named by some of its fields."""

    naming: ClassVar[Sequence[str]]

    @override
    def items(self, answer: Answer, activity: str) -> Iterator[Raw]:
        for item in listed(answer):
            yield self.part(answer, item, activity, named(item, self.naming))


class ActivityDetails(PartStream):
    """An activity with everything but its course; the parts of a multisport activity are read with it.

    State besides: ``updated`` (last change of each young activity), ``reread`` (month of the last second reading).
    """

    name = "activity_details"
    source_timestamp = "/summaryDTO/startTimeGMT"
    path = "/activity-service/activity/{id}"
    keys = ("activityId",)
    volatile = ("/metadataDTO/activityImages/*/url", "/userRoles")

    @override
    def _plan(self) -> None:
        month = f"{self.account.now:%Y-%m}"
        former = self.stream_state.get("reread")
        if former is not None and former != month:
            self.put_on_list([each for each in self._activities.seen if self._is_young(each)])
        self.stream_state["reread"] = month

    @override
    def items(self, answer: Answer, activity: str) -> Iterator[Raw]:
        yield from super().items(answer, activity)
        content = answer.content if isinstance(answer.content, dict) else {}
        metadata = content.get("metadataDTO") or {}
        self._note_change(activity, metadata.get("lastUpdateDate"))
        children = [str(child) for child in metadata.get("childIds") or []]
        for child in children:
            yield from self.parts(child)
        if children:
            self._tap.put_on_lists(children, but=self.name)

    def _note_change(self, activity: str, updated: Any) -> None:
        """Make the other parts due, the original file included, when an activity was changed since."""
        marks = self.stream_state.setdefault("updated", {})
        if activity in marks and marks[activity] != updated:
            self._tap.put_on_lists([activity], but=self.name)
        marks.pop(activity, None)
        if updated and self._is_young(activity):
            marks[activity] = updated

    def _is_young(self, activity: str) -> bool:
        start = self._activities.start_of(activity)
        return start is not None and self.account.now - start <= REREAD


class ActivitySplits(PartStream):
    """Laps."""

    name = "activity_splits"
    path = "/activity-service/activity/{id}/splits"
    keys = ("activityId",)


class ActivityTypedSplits(PartStream):
    """Splits by kind."""

    name = "activity_typed_splits"
    path = "/activity-service/activity/{id}/typedsplits"
    keys = ("activityId",)


class ActivitySplitSummaries(PartStream):
    """Splits by kind, summed up."""

    name = "activity_split_summaries"
    path = "/activity-service/activity/{id}/split_summaries"
    keys = ("activityId",)


class ActivityHeartRateZones(PartListStream):
    """Seconds in each heart rate zone."""

    name = "activity_hr_zones"
    path = "/activity-service/activity/{id}/hrTimeInZones"
    keys = ("zoneNumber",)
    naming = keys


class ActivityPowerZones(PartListStream):
    """Seconds in each power zone."""

    name = "activity_power_zones"
    path = "/activity-service/activity/{id}/powerTimeInZones"
    letter = "p"
    keys = ("zoneNumber",)
    naming = keys


class ActivityWeathers(PartStream):
    """Weather at the start (temperatures in Fahrenheit)."""

    name = "activity_weather"
    path = "/activity-service/activity/{id}/weather"
    keys = ("issueDate",)


class ActivityExerciseSets(PartStream):
    """Sets of strength training."""

    name = "activity_exercise_sets"
    path = "/activity-service/activity/{id}/exerciseSets"
    letter = "s"
    keys = ("activityId",)


class ActivityGears(PartListStream):
    """The gear that was used."""

    name = "activity_gear"
    path = "/gear-service/gear/filterGear"
    keys = ("uuid",)
    naming = keys

    @override
    def ask(self, activity: str) -> Answer:
        return self.connect.get(self.path, {"activityId": activity})


class ActivityFiles(PartStream):
    """The original file of an activity, as it was uploaded: FIT, TCX or GPX; manual activities have none.

    A record has ``activity_id``, ``sha256``, ``name``, ``size`` and ``content`` (base64). A FIT file goes to the stream
    ``fit_messages`` too.
    """

    name = "activity_files"
    path = "/download-service/files/activity/{id}"
    keys = ("activity_id", "sha256")

    def __init__(self, tap: TapGarmin) -> None:
        """Keep no file yet."""
        super().__init__(tap)
        self._originals = Originals(tap)

    @override
    def parts(self, activity: str) -> Iterator[Raw]:
        answer = self.connect.download(self.path.format(id=activity))
        if answer is None:
            return
        for original in unpacked(answer.body, f"the original of activity {activity}"):
            payload = {"activity_id": int(activity), **original.payload}
            yield self._originals.told(self.part(answer, payload, activity, original.sha256), original)

    @override
    def sent(self) -> None:
        self._originals.sent()


ALL = (
    ActivityDetails,
    ActivitySplits,
    ActivityTypedSplits,
    ActivitySplitSummaries,
    ActivityHeartRateZones,
    ActivityPowerZones,
    ActivityWeathers,
    ActivityExerciseSets,
    ActivityGears,
    ActivityFiles,
)
