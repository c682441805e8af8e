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

from tap_garmin import fit_layout
from tap_garmin.fit_header import mended

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EPOCH = datetime(1989, 12, 31, tzinfo=UTC)
"""Second 0 of FIT timestamps."""

_LOWEST_MOMENT = 0x10000000
"""Below it a FIT timestamp counts seconds since the device was switched on."""

MAX_FIELDS = 4_000_000
"""Of a file, a message counting as eight more: the records of one file are in memory at the same time. A record a second with twenty
fields reaches it after 40 hours, and takes 400 MB then."""

MAX_REST_BYTES = 30_000_000
"""Bytes of a file that are kept in one message; Meltano allows 50 MiB for its line, and base64 adds a third."""

_FIELD_DESCRIPTION = 206
_STRING = 7

_TIMESTAMP = "253"
"""Number of the timestamp's field, in messages of all kinds."""

_PLAIN = {int, str}
"""Types of nearly all values; asking for them first is half of the time that :func:`plain` takes."""


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
    """Decode a file; whatever is wrong with it is listed in ``problems``, and what can be read is read.

    A record has ``file_sha256``, ``position`` (place among the file's messages, from 0), ``message`` (name, or the
    number of an unknown kind), ``message_number``, ``fields`` (decoded values; moments in ISO 8601, UTC; positions in
    semicircles), ``raw`` (as stored, where decoding changed the value), ``units``, and ``developer_fields``.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        layout = fit_layout.read_layout(content, MAX_FIELDS)
        decoded = _decode_with_sdk(content, sha256, layout)
        if any("CRC" in problem for problem in decoded.problems) and (whole := mended(content)):
            whole_layout = fit_layout.read_layout(whole, MAX_FIELDS)
            more = _decode_with_sdk(whole, sha256, whole_layout)
            if len(more.records) > len(decoded.records):
                more.problems = ["its header tells of less than there is", *decoded.problems]
                content, layout, decoded = whole, whole_layout, more
    except fit_layout.TooManyMessagesError:
        return Decoded(
            sha256, "none", problems=[f"it has more messages than the limit ({MAX_FIELDS:,} fields)"]
        )
    if decoded.is_cut and len(decoded.records) < len(layout.messages):
        other = _decode_otherwise(content)
        if len(other.records) > len(decoded.records):
            decoded = other
    _complete(decoded, content, layout)
    if not decoded.records and not decoded.problems:
        decoded.problems.append("no message in it")
    return decoded


def _decode_with_sdk(content: bytes, sha256: str, layout: fit_layout.Layout) -> Decoded:
    from tap_garmin import fit_sdk  # noqa: PLC0415 - the profile takes a third of a second to load

    source = fit_layout.without_empty_fields(content, layout)
    found = fit_sdk.read(source)
    decoded = Decoded(
        sha256, f"garmin-fit-sdk {version('garmin-fit-sdk')}", problems=found.problems, end=found.end
    )
    if source is not content:
        decoded.end = layout.end
        if fit_layout.has_valid_checksum(content):  # only the copy without the empty fields has a wrong one
            decoded.problems = [problem for problem in decoded.problems if "CRC" not in problem]
            decoded.end = len(content) if layout.is_complete else layout.end
    decoded.records = found.records
    for position, record in enumerate(decoded.records):
        decoded.records[position] = {"file_sha256": sha256, "position": position, **record}
    return decoded


def _complete(decoded: Decoded, content: bytes, layout: fit_layout.Layout) -> None:
    """Add to the records what the decoder left out: developer fields, bytes of texts, and messages that it did not reach."""
    descriptions = _descriptions(content, layout)
    for record, (definition, start) in zip(decoded.records, layout.messages, strict=False):
        if record["message_number"] != definition.number:
            return  # the decoder counts otherwise
        _add_left_out(record, descriptions, content, definition, start)
    missing = layout.messages[len(decoded.records) :]
    for definition, start in missing:
        values = fit_layout.fields(content, definition, start)
        record = record_of(definition.number, str(definition.number), values, {}, {})
        record = {"file_sha256": decoded.sha256, "position": len(decoded.records), **record}
        _add_left_out(record, descriptions, content, definition, start)
        decoded.records.append(record)
    if missing:
        decoded.end = max(decoded.end, layout.end)
    if missing and layout.is_complete and fit_layout.has_valid_checksum(content):
        decoded.end = len(content)
        decoded.problems = []  # an intact file that the decoder stopped in


def _add_left_out(
    record: dict[str, Any],
    descriptions: Mapping[tuple[Any, Any], dict[str, Any]],
    content: bytes,
    definition: fit_layout.Definition,
    start: int,
) -> None:
    """Add to a record what its decoder left out: developer fields, and the bytes of a text that is not UTF-8."""
    if definition.developer_fields:
        _add_developer_fields(record, descriptions, content, definition, start)
    for number, text in fit_layout.texts(content, definition, start):
        if not fit_layout.is_text(text.rstrip(b"\0")):
            record.setdefault("raw", {})[str(number)] = list(text)


def _descriptions(content: bytes, layout: fit_layout.Layout) -> dict[tuple[Any, Any], dict[str, Any]]:
    """Return what the file says of each developer field, by data index and number, wherever it says so."""
    found = {}
    for definition, start in layout.messages:
        if definition.number == _FIELD_DESCRIPTION:
            values = fit_layout.fields(content, definition, start)
            key = values.get("0"), values.get("1")
            if all(isinstance(number, int) for number in (*key, values.get("2"))):
                found[key] = values
    return found


def _add_developer_fields(
    record: dict[str, Any],
    descriptions: Mapping[tuple[Any, Any], dict[str, Any]],
    content: bytes,
    definition: fit_layout.Definition,
    start: int,
) -> None:
    """Add the developer fields that a record lacks, with their value if the file describes them, else with their bytes.

    Source: FIT profile, message field_description: 0 developer_data_index, 1 field_definition_number, 2 fit_base_type_id,
    3 field_name, 8 units.
    """
    known = {_developer_name(each): each for each in record.get("developer_fields", [])}
    for item, stored_bytes in fit_layout.developer_fields(content, definition, start):
        described = descriptions.get((item.type, item.number), {})
        base_type = described.get("2")
        is_odd_text = base_type == _STRING and not fit_layout.is_text(stored_bytes.rstrip(b"\0"))
        present = known.get((item.type, item.number))
        if present is not None:
            if is_odd_text:
                present["raw"] = list(stored_bytes)
            continue
        value = (
            fit_layout.value_of(stored_bytes, base_type, definition.byte_order)
            if base_type is not None
            else list(stored_bytes)
        )
        if value is None or not item.size:
            continue
        parts = {"name": described.get("3"), "units": described.get("8")}
        added = {name: part for name, part in parts.items() if part is not None}
        added |= {
            "developer_data_index": item.type,
            "field_definition_number": item.number,
            "value": plain(value),
        }
        record.setdefault("developer_fields", []).append(added)


def remains(decoded: Decoded, content: bytes) -> dict[str, Any] | None:
    """Give what could not be read of a damaged file, so that it is not lost; None where there is nothing."""
    if not decoded.is_cut or decoded.end >= len(content):
        return None
    rest, problem = content[decoded.end :], decoded.problems[0]
    if len(rest) > MAX_REST_BYTES:
        rest, problem = (
            b"",
            f"{problem}; its {len(rest):,} bytes are more than a message holds, so keep the file",
        )
    return {
        "file_sha256": decoded.sha256,
        "offset": decoded.end,
        "problem": problem,
        "content": base64.b64encode(rest).decode(),
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
