"""FIT files: every message and field, decoded by Garmin's own SDK, with fitdecode for what that cannot read.

Source: the decoders themselves (garmin-fit-sdk 21.218.0, fitdecode 0.11.0), tried with good, cut and odd files. The
SDK raises nothing and returns what it read with a list of errors; it stops at headers with compressed
timestamps, which fitdecode reads.

A file is read twice: once as stored, once decoded. The SDK overwrites the one by the other, and a record is to show
both.
"""

from __future__ import annotations

import base64
import hashlib
import math
import warnings
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from importlib.metadata import version
from io import BytesIO
from typing import TYPE_CHECKING, Any

from tap_garmin.fit_header import mended

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EPOCH = datetime(1989, 12, 31, tzinfo=UTC)
"""Second 0 of FIT timestamps."""

_LOWEST_MOMENT = 0x10000000
"""Below it a FIT timestamp counts seconds since the device was switched on."""

_TIMESTAMP = "253"
"""Number of the timestamp's field, in messages of all kinds."""

_PLAIN = {int, str}
"""Types of nearly all values; asking for them first is half of the time that :func:`plain` takes."""

Message = tuple[int, dict[Any, Any]]
"""Number of the message's kind, and its fields by name (unknown ones by number)."""


@dataclass
class Decoded:
    """What a FIT file holds: records as the stream ``fit_messages`` sends them, and what is wrong with it."""

    sha256: str
    decoder: str
    records: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    end: int = 0
    """Where what could be read ends, in bytes."""

    @property
    def is_cut(self) -> bool:
        """Whether something of the file could not be read; a wrong checksum alone is not that."""
        return not all("CRC" in problem for problem in self.problems)

    @property
    def counts(self) -> dict[str, int]:
        """How many messages of each kind there are."""
        counts: dict[str, int] = {}
        for record in self.records:
            counts[record["message"]] = counts.get(record["message"], 0) + 1
        return counts

    @property
    def created(self) -> str | None:
        """When the file was created, by its own word (ISO 8601, UTC)."""
        return next((moment for moment in map(_created, self.records) if moment), None)


def decode(content: bytes) -> Decoded:
    """Decode a file; whatever is wrong with it is told in ``problems``, and what can be read is read.

    A record has ``file_sha256``, ``position`` (place among the file's messages, from 0), ``message`` (name, or the
    number of an unknown kind), ``message_number``, ``fields`` (decoded values; moments in ISO 8601, UTC; positions in
    semicircles), ``raw`` (as stored, where decoding changed the value), ``units``, and ``developer_fields``.
    """
    from tap_garmin import fit_sdk  # noqa: PLC0415 - the profile takes a third of a second to load

    sha256 = hashlib.sha256(content).hexdigest()
    found = fit_sdk.read(content)
    decoded = Decoded(sha256, f"garmin-fit-sdk {version('garmin-fit-sdk')}", problems=found.problems)
    if decoded.is_cut and any("CRC" in problem for problem in found.problems) and (whole := mended(content)):
        more = fit_sdk.read(whole)
        if len(more.records) > len(found.records):
            found = more
            decoded.problems.insert(0, "its header tells of less than there is")
    decoded.end = found.end
    decoded.records = [
        {"file_sha256": sha256, "position": position, **record}
        for position, record in enumerate(found.records)
    ]
    if decoded.is_cut or found.drops_fields:
        other = _decode_otherwise(content)
        if len(other.records) > len(found.records):
            return other
        _add_undescribed(decoded.records, other.records)
    if not decoded.records and not decoded.problems:
        decoded.problems.append("no message in it")
    return decoded


def remains(decoded: Decoded, content: bytes) -> dict[str, Any] | None:
    """Give what could not be read of a damaged file, so that it is not lost; None where there is nothing."""
    if not decoded.is_cut or decoded.end >= len(content):
        return None
    return {
        "file_sha256": decoded.sha256,
        "offset": decoded.end,
        "problem": decoded.problems[0],
        "content": base64.b64encode(content[decoded.end :]).decode(),
    }


def moments(records: list[dict[str, Any]], created: str | None) -> Iterator[str | None]:
    """Tell when each record happened (ISO 8601, UTC): its own timestamp, else the file's.

    Monitoring messages carry the lower 16 bits alone; the others come from the monitoring message before.
    """
    last: int | None = None
    for record in records:
        seconds = stored(record, "timestamp")
        seconds = record["fields"].get(_TIMESTAMP) if seconds is None else seconds
        low = stored(record, "timestamp_16")
        if seconds is None and isinstance(low, int) and last is not None:
            seconds = last + ((low - last) & 0xFFFF)
        if isinstance(seconds, int) and record["message"].startswith("monitoring"):
            last = seconds
        yield _as_moment(seconds) or _as_moment(stored(record, "start_time")) or _created(record) or created


def stored(record: Mapping[str, Any], name: str) -> Any:
    """Give a field's value as the file has it."""
    return record.get("raw", {}).get(name, record["fields"].get(name))


def plain(value: Any) -> Any:
    """Make a decoded value one that JSON has: moments become ISO 8601, bytes a list, what is no number text."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, list | tuple | bytes):
        return [plain(item) for item in value]
    if isinstance(value, datetime | time):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def record_of(
    number: int, name: str, values: dict[str, Any], raw: dict[str, Any], units: dict[str, str]
) -> dict[str, Any]:
    """Put the parts of a message together; ``raw`` keeps what differs from the decoded value alone."""
    differing = {key: value for key, value in raw.items() if key not in values or values[key] != value}
    record: dict[str, Any] = {"message": name, "message_number": number, "fields": values}
    if differing:
        record["raw"] = differing
    if units:
        record["units"] = units
    return record


def _created(record: Mapping[str, Any]) -> str | None:
    return _as_moment(stored(record, "time_created")) if record["message"] == "file_id" else None


def _as_moment(seconds: Any) -> str | None:
    if not isinstance(seconds, int) or seconds < _LOWEST_MOMENT:
        return None
    return str(plain(EPOCH + timedelta(seconds=seconds)))


def _decode_otherwise(content: bytes) -> Decoded:
    """Decode with fitdecode: it knows fewer fields, but reads compressed timestamps."""
    import fitdecode  # type: ignore[import-untyped] # noqa: PLC0415 - no annotations; rarely needed

    decoded = Decoded(hashlib.sha256(content).hexdigest(), f"fitdecode {version('fitdecode')}")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            with fitdecode.FitReader(
                BytesIO(content),
                check_crc=fitdecode.CrcCheck.WARN,
                error_handling=fitdecode.ErrorHandling.WARN,
                keep_raw_chunks=True,
            ) as reader:
                for frame in reader:
                    if frame.frame_type == fitdecode.FIT_FRAME_DATA:
                        head = {"file_sha256": decoded.sha256, "position": len(decoded.records)}
                        decoded.records.append({**head, **_frame(frame)})
                    if frame.frame_type in {fitdecode.FIT_FRAME_DATA, fitdecode.FIT_FRAME_CRC}:
                        decoded.end = frame.chunk.offset + len(frame.chunk.bytes)
        except Exception as error:  # noqa: BLE001 - a damaged file may break the decoder anywhere
            decoded.problems.append(f"{type(error).__name__}: {error}")
    decoded.problems += list(dict.fromkeys(str(warning.message) for warning in said))
    return decoded


def _add_undescribed(records: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """Add the developer fields without a description, as bytes, from where the second decoder kept them."""
    for record, other in zip(records, others, strict=False):
        if record["message_number"] != other["message_number"]:
            return
        known = record.get("developer_fields", [])
        names = {_developer_name(each) for each in known}
        missing = [
            each
            for each in other.get("developer_fields", [])
            if "name" not in each and _developer_name(each) not in names
        ]
        if missing:
            record["developer_fields"] = [*known, *missing]


def _developer_name(field: Mapping[str, Any]) -> tuple[Any, Any]:
    return field.get("developer_data_index"), field.get("field_definition_number")


def _frame(frame: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    raw: dict[str, Any] = {}
    units: dict[str, str] = {}
    developer = []
    for item in frame.fields:
        if item.raw_value is None and item.value is None:
            continue
        if item.field_def is not None and item.field_def.is_dev:
            developer.append(
                {
                    **({"name": item.name} if item.name else {}),
                    "developer_data_index": item.field_def.dev_data_index,
                    "field_definition_number": item.field_def.def_num,
                    **({"units": item.units} if item.units else {}),
                    "value": plain(item.raw_value),
                }
            )
            continue
        name = item.name.removeprefix("unknown_")
        values[name], raw[name] = plain(item.value), plain(item.raw_value)
        if item.units:
            units[name] = item.units
    record = record_of(frame.global_mesg_num, frame.name.removeprefix("unknown_"), values, raw, units)
    if developer:
        record["developer_fields"] = developer
    return record
