"""The tap of Apple Health exports: which members there are, and what reads them."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from singer_sdk import typing as th
from typing_extensions import override

from tap_apple_health import streams
from tap_apple_health.health_xml import read_health
from tap_apple_health.identity import VERSION, instant
from tap_apple_health.others import read_clinical_resource, read_ecg, read_route
from tap_kit.export import EXPORT_SETTINGS, Export, ExportTap, Files, LockedError, Member, MemberError, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk import Stream

_MAIN = rb"<!DOCTYPE HealthData|<HealthData[\s>]"
_UTF8 = "UTF-8"
_CDA = rb"<ClinicalDocument[\s>]"
_CREATION_DATE = re.compile(rb'\screationDate="(\d[^"]{13,24})"')
_LONGEST_DATE = 64
_GPX = rb"Apple Health Export"
_EXPORT_DATE = re.compile(rb'<ExportDate\s+value="([^"]*)"')


class TapAppleHealth(ExportTap):
    """Exports of Apple's Health app: records, workouts with routes, ECGs, clinical records."""

    name = "tap-apple-health"
    parser_version = VERSION
    config_jsonschema = th.PropertiesList(*EXPORT_SETTINGS).to_dict()
    # The main file has a name in the phone's language, so it is known by its content.
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(r"[^/]*\.xml", read_health, content=_MAIN, encoding=_UTF8, record_bytes=4096),
        Rule(r"[^/]*\.xml", None, "the same measurements once more, as HL7 CDA", content=_CDA),
        Rule(r"[^/]*_cda\.xml", None, "the same measurements once more, as HL7 CDA"),
        Rule(r"workout-routes/[^/]*\.gpx", read_route, encoding=_UTF8),
        Rule(r"route_[^/]*\.gpx", read_route, content=_GPX, encoding=_UTF8),
        Rule(r"electrocardiograms/[^/]*\.csv|ecg_\d{4}-\d\d-\d\d[^/]*\.csv", read_ecg, encoding=_UTF8),
        Rule(r"clinical-records/[^/]*\.json", read_clinical_resource, encoding=_UTF8),
    )

    @override
    def split(self, members: Sequence[Member]) -> list[list[Member]]:
        """Tell unpacked exports in one folder apart: each has a main file, and what lies beside and below it."""
        mains = [member for member in members if self._is_main(member)]
        if len(mains) < 2:  # noqa: PLR2004 - one export
            return [list(members)]
        groups: dict[str, list[Member]] = {main.name: [main] for main in mains}
        for member in members:
            if member.name in groups:
                continue
            above = [main for main in mains if member.name.startswith(_folder(main))]
            owner = max(above, key=lambda main: len(_folder(main)), default=mains[0])
            groups[owner.name].append(member)
        return list(groups.values())

    @override
    def moment_of(self, export: Export) -> str:
        """Return when the phone made it, in UTC.

        A main file without that date was made after its newest element was stored.
        """
        for member in export.members:
            if self._is_main(member):
                if match := _EXPORT_DATE.search(member.head(1 << 18)):
                    return instant(match[1]).decode("utf-8", "replace")
                if newest := _newest_element(member):
                    return newest
        return super().moment_of(export)

    def _is_main(self, member: Member) -> bool:
        """Tell whether it is a main file; one that cannot be read today is told elsewhere."""
        with suppress(LockedError):
            return not member.refused and not member.damage and self.rules[0].matches(member)
        return False

    @override
    def discover_streams(self) -> list[Stream]:
        return [
            Files(self),
            streams.ActivitySummaries(self),
            streams.Audiograms(self),
            streams.ClinicalRecords(self),
            streams.ClinicalResources(self),
            streams.Correlations(self),
            streams.DamagedElements(self),
            streams.Electrocardiograms(self),
            streams.Exports(self),
            streams.Me(self),
            streams.OtherElements(self),
            streams.Records(self),
            streams.VisionPrescriptions(self),
            streams.WorkoutRoutes(self),
            streams.Workouts(self),
        ]


def _newest_element(member: Member) -> str:
    """Return the latest ``creationDate`` in a main file, in UTC; it is read to its end for that. Empty if there is none."""
    newest, rest = b"", b""
    with suppress(MemberError), member.open() as file:
        while chunk := file.read(1 << 20):
            rest = rest[-_LONGEST_DATE:] + chunk
            newest = max([newest, *map(instant, set(_CREATION_DATE.findall(rest)))])
    return newest.decode("utf-8", "replace")


def _folder(member: Member) -> str:
    return member.name.rpartition("/")[0] + "/" if "/" in member.name else ""
