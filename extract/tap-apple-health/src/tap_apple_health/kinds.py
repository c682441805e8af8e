"""Which stream an element of the export belongs to, and by what it is known there.

The fact: samples are immutable, so all that is in one belongs to its identity (`tap_apple_health.identity`). Workouts are
told by who recorded them when, because later versions of the export say more of the same workout, or say it elsewhere
(from version 12 on totals are statistics). An element that may come twice gets a number from the second one on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_apple_health.elements import canonical
from tap_apple_health.identity import identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_apple_health.elements import Element

_WORKOUT = ("workoutActivityType", "sourceName", "creationDate", "startDate", "endDate")


def _of_content(element: Element) -> str:
    return identity(element.identity_text())


def _of_attributes(*names: str) -> Callable[[Element], str]:
    """Identify by these attributes, dates as instants; without any of them by content."""

    def identify(element: Element) -> str:
        if not any(name in element.attributes for name in names):
            return _of_content(element)
        values = [_canonical(element, name) for name in names]
        return " ".join(values)

    return identify


def _canonical(element: Element, name: str) -> str:
    value = element.attributes.get(name, "").encode("utf-8", "surrogatepass")
    return canonical(element.name.encode(), name.encode(), value).decode("utf-8", "replace")


def _of_workout(element: Element) -> str:
    return identity("\x1f".join(_canonical(element, name) for name in _WORKOUT).encode("utf-8", "replace"))


def _of_clinical_record(element: Element) -> str:
    file = element.attributes.get("resourceFilePath", "").rpartition("/")[2]
    parts = [element.attributes.get("identifier", ""), element.attributes.get("sourceURL", ""), file]
    return identity("\x1f".join(parts).encode("utf-8", "replace"))


KINDS: dict[str, tuple[str, Callable[[Element], str], bool]] = {
    "Record": ("records", _of_content, False),
    "Correlation": ("correlations", _of_content, False),
    "Audiogram": ("audiograms", _of_content, False),
    "Workout": ("workouts", _of_workout, True),
    "ActivitySummary": ("activity_summaries", _of_attributes("dateComponents"), True),
    "VisionPrescription": ("vision_prescriptions", _of_attributes("type", "dateIssued"), True),
    "ClinicalRecord": ("clinical_records", _of_clinical_record, True),
    "Me": ("me", lambda _element: "me", True),
}
"""By element: stream, identity, and whether equal ones have to be numbered here (the loader numbers those that are
identified by content)."""

OTHER = "other_elements"
DAMAGED = "damaged_elements"
EXPORT_DATE = "ExportDate"


def found_in(element: Element) -> tuple[str, str, bool, dict[str, Any]]:
    """Return stream, identity, whether to number it, and the payload of a child of the root."""
    stream, identify, numbered = KINDS.get(element.name, (OTHER, _of_content, False))
    payload = element.record()
    if stream == OTHER:
        payload = {element.name: payload}
    return stream, identify(element), numbered, payload
