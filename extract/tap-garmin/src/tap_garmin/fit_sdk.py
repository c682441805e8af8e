"""Reading a FIT file with Garmin's SDK: decoded values, stored values, units, developer fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from garmin_fit_sdk import Decoder, Profile, Stream

from tap_garmin.fit import plain, record_of

if TYPE_CHECKING:
    from collections.abc import Callable

_DESCRIBING = frozenset({206, 207})
"""Numbers of the messages that the SDK looks up later: field_description and developer_data_id."""

_AS_STORED: dict[str, Any] = {
    "apply_scale_and_offset": False,
    "convert_datetimes_to_dates": False,
    "convert_types_to_strings": False,
    "enable_crc_check": False,
    "expand_sub_fields": False,
    "expand_components": False,
}


@dataclass
class Reading:
    """What one run of the SDK found, what went wrong, and where what it read ends."""

    messages: list[dict[Any, Any] | None] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    end: int = 0


@dataclass
class Records:
    """The messages of a file as records, in its order; the rest as in :class:`Reading`."""

    records: list[dict[str, Any]]
    problems: list[str]
    end: int


def read(content: bytes) -> Records:
    """Read all messages.

    Heart rates are not merged from ``hr`` into ``record`` messages: both stay as they were written.
    """
    decoded = _read(content)
    problems = decoded.problems
    if any("CRC" in problem for problem in problems):  # the SDK stops there; files chained behind it are good
        decoded = _read(content, enable_crc_check=False)
        problems = list(dict.fromkeys(problems + decoded.problems))
    meant = decoded.messages
    descriptions: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []

    def take(number: int, raw: dict[Any, Any]) -> None:
        place = len(records)
        # if the decoding failed before, the stored values have to do
        values = (meant[place] if place < len(meant) else None) or raw
        record = _record(number, values, raw)
        if developer := values.get("developer_fields"):
            record["developer_fields"] = [
                _developer_field(descriptions, key, value) for key, value in developer.items()
            ]
        if record["message"] == "field_description":
            descriptions.append(record["fields"])
        records.append(record)
        if number not in _DESCRIBING:  # the SDK keeps every message until it has read all of them
            raw.clear()
        if place < len(meant):
            meant[place] = None

    stored = _read(content, take, **_AS_STORED)
    return Records(records, problems, stored.end)


def _read(
    content: bytes, take: Callable[[int, dict[Any, Any]], None] | None = None, **options: Any
) -> Reading:
    """Run the SDK once, over a stream of its own: one that was read gives nothing a second time.

    Args:
        content: The file.
        take: Called for each message; without it they are collected.
        options: Of the SDK.
    """
    reading = Reading()
    stream = Stream.from_byte_array(bytearray(content))

    def listen(number: int, message: dict[Any, Any]) -> None:
        reading.end = stream.position()
        if take is None:
            reading.messages.append(message)
        else:
            take(number, message)

    _, errors = Decoder(stream).read(mesg_listener=listen, merge_heart_rates=False, **options)
    reading.problems = [f"{type(error).__name__}: {error}" for error in errors]
    if not errors:
        reading.end = len(content)
    return reading


def _record(number: int, values: dict[Any, Any], raw: dict[Any, Any]) -> dict[str, Any]:
    name, units = _profile(number)
    fields = {str(key): plain(value) for key, value in values.items() if key not in _APART}
    return record_of(
        number,
        name,
        fields,
        {str(key): plain(value) for key, value in raw.items() if key not in _APART},
        {key: units[key] for key in fields if key in units},
    )


_APART = {"developer_fields"}


def _developer_field(descriptions: list[dict[str, Any]], key: int, value: Any) -> dict[str, Any]:
    """Name a developer field by its description, which came earlier in the file."""
    described = descriptions[key] if key < len(descriptions) else {}
    named = {
        "name": described.get("field_name", described.get("name")),
        "developer_data_index": described.get("developer_data_index"),
        "field_definition_number": described.get("field_definition_number"),
        "units": described.get("units"),
    }
    return {**{name: part for name, part in named.items() if part is not None}, "value": plain(value)}


@cache
def _profile(number: int) -> tuple[str, dict[str, str]]:
    """Give the name of a kind of message and the units of its fields, sub-fields included."""
    profile = Profile["messages"].get(number)
    if profile is None:
        return str(number), {}
    units: dict[str, str] = {}
    for described in profile["fields"].values():
        for part in (described, *described["sub_fields"]):
            unit = part["units"]
            unit = unit[0] if isinstance(unit, list) and len(unit) == 1 else unit
            if isinstance(unit, str) and unit:
                units[part["name"]] = unit
    return profile["name"], units
