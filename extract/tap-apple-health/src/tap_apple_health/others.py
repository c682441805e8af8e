"""The other members of an export: routes (GPX), electrocardiograms (CSV), clinical records (FHIR).

Layouts as real exports have them; their names, and the date of the export inside them, differ in every export, so what
they are known by is taken from what was measured.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

from tap_apple_health.elements import Element, ElementError, read_elements
from tap_apple_health.identity import identity, instant
from tap_kit import jsontext
from tap_kit.export import Found, Member, MemberError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 64 << 20
_LISTS = frozenset({"trk", "trkseg", "trkpt", "rte", "rtept", "wpt", "link"})
"""Elements of GPX 1.1 that may come several times."""
_PROLOGUE = re.compile(rb"\A\s*(?:<\?xml[^>]*\?>)?\s*(?:<!--.*?-->\s*)*", re.DOTALL)
_DOCTYPE = re.compile(rb"<!DOCTYPE", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")
_MODEL = re.compile(r"[A-Za-z]+\d+,\d+")
_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}")


def read_route(member: Member) -> Iterator[Found]:
    """Yield the route of a GPX file, known by its first and last point and their number."""
    content = _PROLOGUE.sub(b"", member.read(_LARGEST))
    if _DOCTYPE.match(content):
        raise MemberError(f"{member.path}: has a document type, as no export has. Not read.")
    try:
        elements, _mended = read_elements(content)
    except ElementError as error:
        raise MemberError(f"{member.path}: no GPX ({error}). Make the export anew if you can.") from None
    root = next((element for element in elements if element.name == "gpx"), None)
    if root is None:
        raise MemberError(f"{member.path}: no GPX: there is no <gpx> in it.")
    points = [
        point
        for track in _all(root, "trk")
        for part in _all(track, "trkseg")
        for point in _all(part, "trkpt")
    ]
    times = [time.text for point in points for time in _all(point, "time")]
    first, last = (times[0], times[-1]) if times else ("", "")
    yield Found(
        "workout_routes",
        gpx_record(root),
        {
            "raw_id": f"{first} {last} {len(points)}" if times else identity(root.identity_text()),
            **({"source_timestamp": first} if first else {}),
        },
    )


def gpx_record(element: Element) -> dict[str, Any]:
    """Return an element of GPX as the payload: attributes and children by name, text where there is only text."""
    record: dict[str, Any] = dict(element.attributes)
    for child in element.children:
        leaf = not child.attributes and not child.children
        value = child.text if leaf else gpx_record(child)
        if child.name in _LISTS:
            record.setdefault(child.name, []).append(value)
        elif child.name in record:  # twice against the rules: nothing is dropped
            held = record[child.name]
            record[child.name] = [*held, value] if isinstance(held, list) else [held, value]
        else:
            record[child.name] = value
    if element.text.strip():
        record["#text"] = element.text
    return record


def _all(element: Element, name: str) -> list[Element]:
    return [child for child in element.children if child.name == name]


def read_ecg(member: Member) -> Iterator[Found]:
    """Yield an electrocardiogram, known by the moment of its recording and the device.

    Values are one a line; with a decimal comma they are not quoted, so only the head is read as CSV.
    """
    text = member.read(_LARGEST).decode("utf-8-sig", "surrogateescape")
    lines = text.splitlines()
    start = _first_value(lines)
    head = [row for row in csv.reader(lines[:start]) if row]
    values = [line for line in lines[start:] if line.strip()]
    if not head or not values:
        raise MemberError(f"{member.path}: no electrocardiogram: a head and values are expected.")
    moment = next((cell for row in head for cell in row[1:] if _DATE.fullmatch(cell)), None)
    known_by = [instant(moment.encode()).decode() if moment else "", *_stable(head)]
    yield Found(
        "electrocardiograms",
        {"head": head, "values": values},
        {
            "raw_id": identity("\x1f".join(known_by).encode("utf-8", "surrogatepass")),
            **({"source_timestamp": moment} if moment else {}),
        },
    )


def _first_value(lines: list[str]) -> int:
    """Return where the values begin: after the last line that is no number."""
    place = len(lines)
    while place and (not lines[place - 1].strip() or _NUMBER.fullmatch(lines[place - 1].strip())):
        place -= 1
    return place


def _stable(head: list[list[str]]) -> list[str]:
    """Return what of the head identifies the device, whatever language the head is in: the model, such as ``Watch6,7``.

    The line is found by the form of its value; in an English head also by its name.
    """
    values = [(row[0].strip().casefold(), ",".join(row[1:])) for row in head]
    models = [value for _, value in values if _MODEL.fullmatch(value)]
    return models[:1] or [value for name, value in values if name == "device"][:1]


def read_clinical_resource(member: Member) -> Iterator[Found]:
    """Yield a clinical record; known by type and id, without them by the file's name."""
    try:
        resource = jsontext.loads(member.read(_LARGEST))
    except (ValueError, RecursionError) as error:
        raise MemberError(f"{member.path}: {error}. Make the export anew if you can.") from None
    if not isinstance(resource, dict):
        raise MemberError(f"{member.path}: no FHIR resource: an object is expected.")
    kind, name = resource.get("resourceType"), resource.get("id")
    file = member.name.rpartition("/")[2].removesuffix(".json")
    raw_id = f"{kind}/{name}" if isinstance(kind, str) and isinstance(name, str) else file
    yield Found("clinical_resources", resource, {"raw_id": raw_id})
