"""Where a record came from: the ``provenance`` member of a RECORD message, sorted into columns and metadata."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from target_postgres_bronze.copytext import NULL, field_of_text
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
_LONGEST_INTEGER: Final = 1000
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Naming(NamedTuple):
    """What of a record's provenance decides which record it is; the rest is of interest only where it becomes a row.

    Attributes:
        account: Account at the source, empty if the tap names none.
        raw_id: The tap's own name of the record, if any.
        occurrence: Its number among equal ones, where the tap counts them itself.
        degraded: The answer is poorer than an older one.
        dead_letter: Why the tap could not read it, in a sentence without content; empty if it could.
        scope: The file that it came from, hash and path; empty if none.
    """

    account: str = ""
    raw_id: str | None = None
    occurrence: int | None = None
    degraded: bool = False
    dead_letter: str = ""
    scope: str = ""


_NAMES: Final = (str, int, float)
#: What a member of the provenance has to be to mean something; a number as a name is its digits.
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "account": _NAMES,
    "raw_id": _NAMES,
    "occurrence": (int,),
    "degraded": (bool,),
    "dead_letter": (str,),
}
NO_NAMING: Final = Naming()


def read_naming(raw: bytes) -> Naming:
    """Read from the ``provenance`` member of a RECORD message what decides which record it is.

    A member of the wrong kind is ignored; `read_provenance` notes it.
    """
    if raw == b"null":
        return NO_NAMING
    said = _members(raw)
    if said is None:
        return NO_NAMING
    if b"\\" in raw and b"\\u0000" in raw:
        said = nearest(said)
    if _misfits(said):
        said = {name: value for name, value in said.items() if name not in _misfits(said)}
    account, raw_id = said.get("account"), said.get("raw_id")
    return Naming(
        "" if account is None else str(account),
        None if raw_id is None else str(raw_id),
        said.get("occurrence"),
        said.get("degraded") is True,
        said.get("dead_letter") or "",
        f"{said.get('file_hash') or ''} {said.get('file_path') or ''}".strip(),
    )


class Provenance(NamedTuple):
    """What a row says of where its record came from.

    Attributes:
        columns: The fields of `COLUMNS` in the text form of COPY, joined by tabs.
        metadata: What has no column.
        timestamp: When it happened, where no field holds it.
        defects: What is wrong with it, in sentences without content.
    """

    columns: bytes
    metadata: dict[str, Any]
    timestamp: Any = None
    defects: tuple[str, ...] = ()


NONE: Final = Provenance(b"\t".join([NULL] * len(COLUMNS)), {})


def read_provenance(raw: bytes) -> Provenance:
    """Read the ``provenance`` member of a RECORD message; without a usable one, nothing is known."""
    if not raw or raw == b"null":
        return NONE
    said = _members(raw)
    if said is None:
        return NONE._replace(defects=("provenance: not an object",))
    ignored = _misfits(said)
    # the records of a file differ in little but their place in it
    columns, misfits = _columns(_encode([said.pop(name, None) for name in COLUMNS]))
    metadata = {name: value for name, value in said.items() if name not in _SPECIAL}
    metadata |= misfits
    for name in _KEPT & metadata.keys():
        metadata[f"provenance_{name}"] = metadata.pop(name)
    if said.get("degraded") is True:
        metadata["degraded"] = True
    defects = [f"provenance: {name} is of the wrong type" for name in sorted(ignored)]
    defects += [f"provenance: {name} does not fit its column" for name in sorted(misfits)]
    return Provenance(columns, metadata, nearest(said.get("source_timestamp")), tuple(defects))


def _misfits(said: dict[str, Any]) -> set[str]:
    """Return the names of the members that mean something and are of the wrong kind."""
    return {
        name
        for name, kinds in _KINDS.items()
        if (value := said.get(name)) is not None
        and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds))
    }


def _members(raw: bytes) -> dict[str, Any] | None:
    """Return the members of a provenance; None if it is not a JSON object."""
    try:
        said = _decode(raw)
    except _UNREADABLE:
        said = _read_leniently(raw)
    return said if isinstance(said, dict) else None


@lru_cache(maxsize=64)
def _columns(values: bytes) -> tuple[bytes, dict[str, Any]]:
    """Return the values of `COLUMNS` (JSON) for COPY, and those that do not fit into their column."""
    misfits: dict[str, Any] = {}
    fields = [_field(name, value, misfits) for name, value in zip(COLUMNS, _decode(values), strict=True)]
    return b"\t".join(fields), misfits


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
        text = raw.decode("utf-8", "replace")
        return nearest(json.loads(text, strict=False, parse_int=_integer, parse_constant=str))
    except (ValueError, RecursionError):
        return None


def _integer(digits: str) -> int | str:
    """Return an integer, or the digits of one that is longer than Python reads."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def json_field(value: Any) -> bytes:
    """Return a value as a field of a jsonb column; what jsonb cannot hold is replaced."""
    text = _encode(value)
    if b"\\u0000" in text:
        text = _encode(nearest(value))
    return text.replace(b"\\", b"\\\\")
