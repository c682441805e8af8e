"""The files that a watch wrote on a day, from Garmin: the way to the series that its answers have forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from tap_garmin.daystream import DayStream
from tap_garmin.originals import Originals, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tap_garmin.connect import Answer
    from tap_garmin.tap import TapGarmin
    from tap_kit import Raw


class WellnessFiles(DayStream):
    """The files of a day (monitoring, sleep and the like), for old days too.

    A record has ``day``, ``sha256``, ``name``, ``size`` and ``content`` (base64); the FIT files go to ``fit_messages`` too. By
    the word of one project's users; so it is off until the setting ``wellness_files`` is on.
    """

    name = "wellness_files"
    path = "/download-service/files/wellness/{day}"
    keys: ClassVar[Sequence[str]] = ("day", "sha256")
    lasting = True

    def __init__(self, tap: TapGarmin) -> None:
        """Keep no file yet."""
        super().__init__(tap)
        self._originals = Originals(tap)

    @property
    @override
    def selected(self) -> bool:
        """Not, unless the setting says so."""
        return bool(self.config["wellness_files"]) and super().selected

    @selected.setter
    def selected(self, value: bool | None) -> None:
        DayStream.selected.fset(self, value)  # type: ignore[attr-defined] # the base class's property

    @override
    def ask(self, day: date) -> Answer | None:
        return self.connect.download(self._filled(self.path, day))

    @override
    def items(self, answer: Answer, day: date) -> Iterator[Raw]:
        for original in unpacked(answer.body, f"the files of {day}"):
            payload = {"day": day.isoformat(), **original.payload}
            raw_id = f"{day}/{original.sha256}"
            yield self._originals.told(self.day_record(answer, payload, day, None, raw_id=raw_id), original)

    @override
    def sent(self) -> None:
        self._originals.sent()
