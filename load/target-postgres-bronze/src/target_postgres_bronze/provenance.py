"""Where a record came from: the ``provenance`` member of a RECORD message, sorted into columns and metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from target_postgres_bronze.copytext import NULL, field_of_text
from target_postgres_bronze.errors import RejectedError
from target_postgres_bronze.payload import nearest

_TEXT_COLUMNS: Final = (
    "file_path",
    "file_hash",
    "compression_type",
    "encoding",
    "api_version",
    "api_endpoint",
    "api_request_id",
)
#: The columns in the order of bronze_stage.
COLUMNS: Final = (
    "file_path",
    "file_hash",
    "file_size",
    "compression_type",
    "encoding",
    "api_version",
    "api_endpoint",
    "api_request_id",
    "api_response_code",
    "api_rate_limit_info",
)
_LARGEST: Final = {"file_size": 2**63 - 1, "api_response_code": 2**31 - 1}
_SPECIAL: Final = frozenset({"raw_id", "source_timestamp", "degraded", "account", "occurrence"})
_KEPT: Final = frozenset({"stream", "account", "change"})
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a tap says of a record beside its payload.

    Attributes:
        columns: The fields of `COLUMNS` in the text form of COPY, joined by tabs.
        metadata: What has no column.
        account: Account at the source, empty if it names none.
        raw_id: The tap's own name of the record, if any.
        occurrence: Its number among equal ones, where the tap counts them itself.
        timestamp: When it happened, where no field holds it.
        degraded: The answer is poorer than an older one.
        dead_letter: Why the tap could not read it, in a sentence without content; empty if it could.
        scope: The file that it came from, hash and path; empty if none.
    """

    columns: bytes
    metadata: dict[str, Any]
    account: str = ""
    raw_id: str | None = None
    occurrence: int | None = None
    timestamp: Any = None
    degraded: bool = False
    dead_letter: str = ""
    scope: str = ""


NONE: Final = Provenance(b"\t".join([NULL] * len(COLUMNS)), {})


def read_provenance(raw: bytes) -> Provenance:
    """Read the ``provenance`` member of a RECORD message; without one, nothing is known.

    Raises:
        RejectedError: It is no JSON object.
    """
    if not raw or raw == b"null":
        return NONE
    try:
        said = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = _read_leniently(raw)
    if not isinstance(said, dict):
        raise RejectedError("the provenance of a record is no JSON object", "api")
    # What does not fit into its column goes to metadata, as what has none.
    metadata = {name: value for name, value in said.items() if name not in _SPECIAL and name not in COLUMNS}
    fields = [_field(name, said.get(name), metadata) for name in COLUMNS]
    scope = f"{said.get('file_hash') or ''} {said.get('file_path') or ''}".strip()
    said = {name: nearest(said.get(name)) for name in _SPECIAL}
    account, raw_id, occurrence = said.get("account"), said.get("raw_id"), said.get("occurrence")
    for name in _KEPT & metadata.keys():
        metadata[f"provenance_{name}"] = metadata.pop(name)
    if said.get("degraded") is True:
        metadata["degraded"] = True
    return Provenance(
        columns=b"\t".join(fields),
        metadata=metadata,
        account="" if account is None else str(account),
        raw_id=None if raw_id is None else str(raw_id),
        occurrence=occurrence if type(occurrence) is int else None,
        timestamp=said.get("source_timestamp"),
        degraded=said.get("degraded") is True,
        dead_letter=str(metadata.get("dead_letter") or ""),
        scope=scope,
    )


def _field(name: str, value: Any, metadata: dict[str, Any]) -> bytes:
    if value is None:
        return NULL
    if name in _TEXT_COLUMNS and isinstance(value, str):
        return field_of_text(value)
    if name in _LARGEST and type(value) is int and -_LARGEST[name] <= value <= _LARGEST[name]:
        return str(value).encode()
    if name == "api_rate_limit_info":
        return json_field(value)
    metadata[name] = value
    return NULL


def _read_leniently(raw: bytes) -> Any:
    try:
        return nearest(json.loads(raw.decode("utf-8", "replace"), strict=False, parse_constant=str))
    except (ValueError, RecursionError):
        return None


def json_field(value: Any) -> bytes:
    """Return a value as a field of a jsonb column; what jsonb cannot hold is replaced."""
    text = _encode(value)
    if b"\\u0000" in text:
        text = _encode(nearest(value))
    return text.replace(b"\\", b"\\\\")
