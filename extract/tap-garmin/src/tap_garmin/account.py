"""What several streams need to know of the account: who it is, which day it is there, when a device last synced."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_garmin.connect import NotAvailableError, StoppedError

if TYPE_CHECKING:
    from tap_garmin.connect import Answer, Connect

_EASTERNMOST = timedelta(hours=14)
_WESTERNMOST = timedelta(hours=-12)


_FAILURES = (NotAvailableError, FatalAPIError, RetriableAPIError)


class Account:
    """The account of the token; each question is asked once in a run."""

    def __init__(self, connect: Connect) -> None:
        """Ask nothing yet."""
        self._connect = connect

    @cached_property
    def social_profile(self) -> Answer:
        """The answer that names the account: an object with ``profileId`` and ``displayName``.

        Raises:
            StoppedError: There is none, and nothing else can be read.
        """
        try:
            answer = self._connect.get("/userprofile-service/socialProfile")
        except _FAILURES as error:
            raise StoppedError(
                f"{error} Without the profile nothing can be read; run again later."
            ) from error
        content = answer.content
        if not isinstance(content, dict) or not content.get("profileId") or not content.get("displayName"):
            raise StoppedError(
                "GET /userprofile-service/socialProfile answered without a profile; does api_url lead to Garmin Connect?"
            )
        return answer

    @cached_property
    def personal_information(self) -> Answer:
        """The answer with the account's time zone."""
        return self._connect.get("/userprofile-service/userprofile/personal-information")

    @property
    def id(self) -> str:
        """The profile's number, part of every record's identity."""
        return str(self.social_profile.content["profileId"])

    @property
    def name(self) -> str:
        """The name that paths take, quoted."""
        return quote(str(self.social_profile.content["displayName"]), safe="")

    @cached_property
    def zone(self) -> ZoneInfo | None:
        """The account's time zone, where it is told."""
        try:
            content: Any = self.personal_information.content
        except _FAILURES:
            return None
        information = content.get("userInfo") if isinstance(content, dict) else None
        for holder in (information, content):
            name = holder.get("timeZone", holder.get("timezone")) if isinstance(holder, dict) else None
            if isinstance(name, str):
                try:
                    return ZoneInfo(name)
                except (ZoneInfoNotFoundError, ValueError):
                    continue
        return None

    @cached_property
    def now(self) -> datetime:
        """The moment at which the run looked at the clock first: a day does not change within a run."""
        return self._connect.client.now()

    @property
    def today(self) -> date:
        """The date at the owner's; where the zone is not known, the date in the east: no day is missed."""
        return self._date(self.now, _EASTERNMOST)

    @property
    def yesterday(self) -> date:
        """The last day that is over for certain."""
        return self._date(self.now, _WESTERNMOST) - timedelta(days=1)

    @cached_property
    def last_upload(self) -> int | None:
        """When a device last synced (milliseconds since 1970), by Garmin's word; None where it does not tell."""
        try:
            content = self._connect.get("/device-service/deviceservice/mylastused").content
        except _FAILURES:
            return None  # the next run sees it, and reads as far back
        moment = content.get("lastUsedDeviceUploadTime") if isinstance(content, dict) else None
        latest = (self.now + timedelta(days=1)).timestamp() * 1000
        # one that lies ahead would hide each sync until then
        return moment if isinstance(moment, int) and 0 <= moment <= latest else None

    def date_of(self, milliseconds: int) -> date:
        """Give the owner's date of a moment; where the zone is not known, the earlier one."""
        return self._date(datetime.fromtimestamp(milliseconds / 1000, UTC), _WESTERNMOST)

    def _date(self, moment: datetime, otherwise: timedelta) -> date:
        return (moment.astimezone(self.zone) if self.zone else moment + otherwise).date()
