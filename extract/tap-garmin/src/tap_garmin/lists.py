"""Small lists and single objects, read whole in each run: profile, devices, gear, records, goals, badges."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from typing_extensions import override

from tap_garmin.base import ConnectStream, listed
from tap_garmin.daystream import named
from tap_kit import AnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_garmin.connect import Answer
    from tap_kit import Raw

MOST_PAGES = 1000
"""No list is that long."""


class ListStream(ConnectStream):
    """A list in one answer; what is no longer in it is gone.

    An empty one is not judged: so do an outage and a feature without consent look.
    """

    takes_turns = False

    path: ClassVar[str]
    parameters: ClassVar[dict[str, str]] = {}
    naming: ClassVar[Sequence[str]] = ()
    absence: ClassVar[Literal["never", "full"]] = "full"
    may_lack: ClassVar[bool] = False
    """Whether some accounts have no such list, so that 404 is no error."""

    _is_empty = True

    @override
    def read(self) -> Iterator[Raw]:
        filling = {"name": self.account.name, "id": self.account.id}
        parameters = {name: value.format(**filling) for name, value in self.parameters.items()}
        try:
            answer = self.connect.get(self.path.format(**filling), parameters)
        except AnswerError as error:
            if self.may_lack and error.status == HTTPStatus.NOT_FOUND:
                return
            raise
        yield from self.items(answer)

    def items(self, answer: Answer) -> Iterator[Raw]:
        """Yield the records of an answer."""
        for item in listed(answer):
            self._is_empty = False
            raw_id = named(item, self.naming) if self.naming else None
            yield self.record(answer, item, raw_id=raw_id)

    @override
    def _close(self, *, complete: bool) -> None:
        super()._close(complete=complete and not self._is_empty)


class PagedStream(ListStream):
    """A list in pages; ``start`` is an offset."""

    first: ClassVar[int] = 0
    size: ClassVar[int] = 100
    queries: ClassVar[Sequence[dict[str, str]]] = ({},)
    """The list is read once with each of these."""

    headers: ClassVar[dict[str, str]] = {}

    @override
    def read(self) -> Iterator[Raw]:
        for query in self.queries:
            former: list[dict[str, Any]] = []
            for page in range(MOST_PAGES):
                start = self.first + page * self.size
                paging = {"start": start, "limit": self.size}
                answer = self.connect.get(
                    self.path, {**paging, **self.parameters, **query}, headers=self.headers
                )
                found = listed(answer)
                if found == former:  # the service does not know pages
                    break
                former = found
                yield from self.items(answer)
                if len(found) < self.size:
                    break


class LatestStream(ListStream):
    """What counts now: an object or some, each told by its content; former ones stay. The shape was never recorded."""

    absence = "never"
    may_lack = True

    @override
    def items(self, answer: Answer) -> Iterator[Raw]:
        found = [answer.content] if isinstance(answer.content, dict) and answer.content else listed(answer)
        for item in found:
            yield self.record(answer, item, source_timestamp=item.get("calendarDate"))


class ObjectStream(ConnectStream):
    """One object, which is the record."""

    takes_turns = False

    path: ClassVar[str]

    def ask(self) -> Answer:
        """Ask for the object."""
        return self.connect.get(self.path)

    @override
    def read(self) -> Iterator[Raw]:
        answer = self.ask()
        if answer.content:
            yield self.record(answer, answer.content, raw_id=self.account.id)


class Badges(ListStream):
    """Badges earned."""

    name = "badges"
    path = "/badge-service/badge/earned"
    keys = ("badgeId",)
    source_timestamp = "badgeEarnedDate"


class Challenges(PagedStream):
    """Badge challenges that were completed."""

    name = "challenges"
    path = "/badgechallenge-service/badgeChallenge/completed"
    keys = ("uuid",)
    first = 1


class Devices(ListStream):
    """Registered devices."""

    name = "devices"
    path = "/device-service/deviceregistration/devices"
    keys = ("deviceId",)


class FunctionalThresholdPowers(LatestStream):
    """Functional threshold power on the bicycle (W)."""

    name = "functional_threshold_power"
    path = "/biometric-service/biometric/latestFunctionalThresholdPower/CYCLING"


class Gears(ListStream):
    """Shoes, bicycles and the like."""

    name = "gear"
    path = "/gear-service/gear/filterGear"
    parameters: ClassVar[dict[str, str]] = {"userProfilePk": "{id}"}
    keys = ("uuid",)


class Goals(PagedStream):
    """Goals: active, future and past. Without the header newer kinds are left out of the answer."""

    name = "goals"
    path = "/goal-service/goal/goals"
    parameters: ClassVar[dict[str, str]] = {"sortOrder": "asc"}
    queries = ({"status": "active"}, {"status": "future"}, {"status": "past"})
    headers: ClassVar[dict[str, str]] = {"Sec-Fetch-Site": "same-origin"}
    keys = ("id",)
    first = 1
    size = 30


class HeartRateZones(ListStream):
    """Heart rate zones by sport."""

    name = "heart_rate_zones"
    path = "/biometric-service/heartRateZones"
    keys = ("sport",)


class LactateThresholds(LatestStream):
    """Lactate threshold: speed in one object, heart rate in another."""

    name = "lactate_threshold"
    path = "/biometric-service/biometric/latestLactateThreshold"


class PersonalInformation(ObjectStream):
    """Time zone, birthday, biometric profile."""

    name = "personal_information"
    keys = ("userInfo",)

    @override
    def ask(self) -> Answer:
        return self.account.personal_information


class PersonalRecords(ListStream):
    """Personal records, former ones included."""

    name = "personal_records"
    path = "/personalrecord-service/personalrecord/prs/{name}"
    parameters: ClassVar[dict[str, str]] = {"includeHistory": "true"}
    keys = ("id",)
    source_timestamp = "prStartTimeGmt"


class PowerZones(ListStream):
    """Power zones by sport."""

    name = "power_zones"
    path = "/biometric-service/powerZones/sports/all"
    keys = ("sport",)
    may_lack = True


class Profiles(ObjectStream):
    """The profile as others see it."""

    name = "profile"
    keys = ("profileId",)
    volatile = ("/profileImageUrlLarge", "/profileImageUrlMedium", "/profileImageUrlSmall", "/userRoles")

    @override
    def ask(self) -> Answer:
        return self.account.social_profile


class UserSettings(ObjectStream):
    """Units, thresholds, sleep windows."""

    name = "user_settings"
    path = "/userprofile-service/userprofile/user-settings"
    keys = ("id",)


class Workouts(PagedStream):
    """Planned workouts."""

    name = "workouts"
    path = "/workout-service/workouts"
    keys = ("workoutId",)
    source_timestamp = "updateDate"


ALL = (
    Profiles,
    UserSettings,
    PersonalInformation,
    Devices,
    Gears,
    PersonalRecords,
    Goals,
    Badges,
    Challenges,
    HeartRateZones,
    PowerZones,
    LactateThresholds,
    FunctionalThresholdPowers,
    Workouts,
)
