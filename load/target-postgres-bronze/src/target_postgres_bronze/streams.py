"""What a SCHEMA message says of its stream, annotations included.

Annotations: members of the root schema that begin with ``x-`` (README, "What a tap tells the loader").
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from target_postgres_bronze.errors import RejectedError
from target_postgres_bronze.payload import nearest
from target_postgres_bronze.schemas import SchemaChecker
from target_postgres_bronze.timestamps import read_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from target_postgres_bronze.messages import Message

NEVER: Final = "never"
FULL: Final = "full"
WINDOW: Final = "window"
_ABSENCES: Final = (NEVER, FULL, WINDOW)
#: Belong to one run and not to the schema.
_OF_THE_RUN: Final = ("x-tap", "x-absence", "x-absence-window", "x-dead-letters")
_TIME_FORMATS: Final = ("date-time", "date")
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Window:
    """What a run read completely: ``[start, end)`` over source_timestamp, of records that contain *match*."""

    start: datetime | None
    end: datetime | None
    match: dict[str, Any] | None


@dataclass(slots=True)
class Stream:
    """A stream as its latest SCHEMA message describes it.

    Attributes:
        name: Name.
        key_properties: Fields of the key; empty: records are identified by content.
        replication_key: Field that orders versions, if any.
        timestamp_path: Where the moment of the event stands, as steps into the record; empty if nowhere.
        declares_timestamp: An annotation or the schema's format says that a time is stored there, so that any number is one.
        volatile: Paths that do not count as change.
        absence: What it means that a record was not seen.
        window: The window that is being read.
        checker: The schema, compiled.
        schema_text: The schema as JSON, for the catalog.
        schema_hash: Its hash.
        schema_hash_field: The same as a field for COPY.
        ids: bronze.streams.id by account.
        renamed: Accounts whose records were identified by other key properties first.
        finished: The tap said that it finished the stream, and no record came after.
        defects: What is wrong with the SCHEMA message; each is ignored, with a warning on every record.
        lands_letters: Records that the tap marks as dead letters land all the same (``x-dead-letters: land``, as in a replay).
    """

    name: str
    key_properties: list[str]
    replication_key: str | None
    timestamp_path: list[str]
    declares_timestamp: bool
    volatile: list[list[str]]
    absence: str
    window: Window | None
    checker: SchemaChecker
    schema_text: str
    schema_hash: str
    defects: tuple[str, ...] = ()
    schema_hash_field: bytes = field(init=False)
    ids: dict[str, int] = field(default_factory=dict)
    renamed: set[str] = field(default_factory=set)
    finished: bool = False
    lands_letters: bool = False

    def __post_init__(self) -> None:
        """Write the hash once, not for each record."""
        self.schema_hash_field = self.schema_hash.encode()

    def enter(self, account: str, number: int, identity_keys: list[str] | None) -> None:
        """Note what the catalog knows of the stream and *account*: its id, and the properties that identified its records first."""
        self.ids[account] = number
        if identity_keys is None or identity_keys == self.key_properties:
            return
        if sorted(identity_keys) == sorted(self.key_properties):
            self.key_properties = identity_keys  # in another order it is still the same key
        else:
            self.renamed.add(account)


def read_schema(message: Message, extra: Mapping[str, Any]) -> tuple[Stream, dict[str, Any]]:
    """Read a SCHEMA message.

    Args:
        message: The message.
        extra: Annotations from the loader's settings; they go before the tap's own.

    Returns:
        The stream, and what the tap says of itself (``x-tap``).

    Raises:
        RejectedError: The message names no stream. Whatever else is wrong with it is ignored and noted in the stream's defects.
    """
    if not message.stream:
        raise RejectedError("a SCHEMA message needs a stream", "api")
    if nearest(message.stream) != message.stream:
        raise RejectedError("a stream with U+0000 or half a character in its name cannot be kept", "api")
    defects: list[str] = []
    schema = _read_json_schema(bytes(message.schema), defects)
    annotated = {**schema, **extra}
    lasting = {name: member for name, member in annotated.items() if name not in _OF_THE_RUN}
    keys = _names("key_properties", message.key_properties, defects)
    replication_key = next(iter(_names("bookmark_properties", message.bookmark_properties, defects)), None)
    annotations = _Annotations(annotated, defects)
    pointer = annotations.read("x-source-timestamp", str, "not a text")
    has_pointer = pointer is not None or annotated.get("x-source-timestamp", "") is None
    path = _timestamp_path(pointer if has_pointer else replication_key)
    absence, window = _read_absence(annotations)
    tap = annotations.read("x-tap", dict, "not an object") or {}
    volatile = _read_volatile(annotations)
    letters = annotations.read_choice("x-dead-letters", ("land",))
    return (
        Stream(
            name=message.stream,
            key_properties=keys,
            replication_key=replication_key,
            timestamp_path=path,
            declares_timestamp=has_pointer or _has_format(schema, path),
            volatile=volatile,
            absence=absence,
            window=window,
            checker=SchemaChecker(schema),
            schema_text=_encode(nearest(lasting)).decode(),
            schema_hash=blake2b(_encode([lasting, keys]), digest_size=16).hexdigest(),
            lands_letters=letters == "land",
            defects=tuple(defects),
        ),
        tap,
    )


class _Annotations:
    """The members of a schema that speak to the loader; one of the wrong kind is noted as a defect, and counts as not there."""

    def __init__(self, members: dict[str, Any], defects: list[str]) -> None:
        self._members = members
        self.defects = defects

    def read(self, name: str, kind: type, otherwise: str) -> Any:
        """Return annotation *name* if it is of *kind*; None if it is not there or wrong."""
        value = self._members.get(name)
        if value is None or isinstance(value, kind):
            return value
        self.defects.append(f"{name}: {otherwise}")
        return None

    def read_choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        """Return annotation *name* if it is one of *choices*."""
        value = self._members.get(name)
        if value is None or (isinstance(value, str) and value in choices):
            return value
        self.defects.append(f"{name}: not one of {', '.join(choices)}")
        return None


def _read_json_schema(raw: bytes, defects: list[str]) -> dict[str, Any]:
    """Return the schema of a SCHEMA message; what strict JSON refuses (NaN, odd bytes) is read as near as can be."""
    schema: Any = None
    try:
        schema = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        with suppress(ValueError, RecursionError):
            schema = nearest(json.loads(raw.decode("utf-8", "replace"), strict=False, parse_constant=str))
    if isinstance(schema, dict):
        return schema
    defects.append("schema: not an object")
    return {}


def _names(member: str, value: Any, defects: list[str]) -> list[str]:
    """Return the names of properties in a SCHEMA message, where one may be written without a list."""
    names = [value] if isinstance(value, str) else value or []
    # a name that PostgreSQL's text cannot hold is as good as none
    if (
        isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and nearest(names) == names
        and not isinstance(value, bool | int | float)
    ):
        return [name for name in names if name]
    defects.append(f"{member}: not a list of names")
    return []


def _read_absence(annotations: _Annotations) -> tuple[str, Window | None]:
    """Return what absence means, and the window that is read; a window that cannot be read would make records gone that are not."""
    absence = annotations.read_choice("x-absence", _ABSENCES) or NEVER
    bounds = annotations.read("x-absence-window", dict, "not an object with from and to")
    window = None if bounds is None else _read_window(bounds, annotations.defects)
    if absence != WINDOW:
        return absence, None
    if window is None:
        annotations.defects.append("x-absence: window needs a valid x-absence-window with from and to")
        return NEVER, None
    return WINDOW, window


def _read_volatile(annotations: _Annotations) -> list[list[str]]:
    pointers = annotations.read("x-volatile", list, "not a list of JSON pointers")
    paths = volatile_paths(pointers)
    if len(paths) != len(pointers or []):
        annotations.defects.append("x-volatile: an element is not a JSON pointer")
    return paths


def pointer_steps(pointer: str) -> list[str]:
    """Split a JSON pointer (RFC 6901); a name without a slash is one step."""
    if not pointer.startswith("/"):
        return [pointer]
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def volatile_paths(pointers: Any) -> list[list[str]]:
    """Read ``x-volatile``: the paths of the members that do not count as change; what is no pointer is left out."""
    return [pointer_steps(pointer) for pointer in _texts(pointers) if pointer.strip("/")]


def _timestamp_path(pointer: Any) -> list[str]:
    return pointer_steps(pointer) if isinstance(pointer, str) and pointer else []


def _has_format(schema: Any, path: list[str]) -> bool:
    """Return whether *schema* says by its ``format`` that the value at *path* is a time."""
    if not isinstance(schema, dict):
        return False
    choices = [schema] + [
        choice
        for name in ("anyOf", "oneOf", "allOf")
        if isinstance(schema.get(name), list)
        for choice in schema[name]
        if isinstance(choice, dict)
    ]
    if not path:
        return any(choice.get("format") in _TIME_FORMATS for choice in choices)
    step, rest = path[0], path[1:]
    for choice in choices:
        properties = choice.get("properties")
        if isinstance(properties, dict) and _has_format(properties.get(step), rest):
            return True
        if step.isdigit() and _has_format(choice.get("items"), rest):
            return True
    return False


def _texts(value: Any) -> list[str]:
    return [element for element in value if isinstance(element, str)] if isinstance(value, list) else []


def _read_window(value: dict[str, Any], defects: list[str]) -> Window | None:
    """Read ``x-absence-window``; None if a part of it cannot be read."""
    wrong = [
        f"x-absence-window: {name} is not a timestamp"
        for name in ("from", "to")
        if value.get(name) is not None and read_timestamp(value[name]) is None
    ]
    match = value.get("match")
    if match is not None and not isinstance(match, dict):
        wrong.append("x-absence-window: match is not an object")
    defects += wrong
    return (
        None if wrong else Window(read_timestamp(value.get("from")), read_timestamp(value.get("to")), match)
    )
