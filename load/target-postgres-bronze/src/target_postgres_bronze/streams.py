"""What a SCHEMA message says of its stream, annotations included.

Annotations: members of the root schema that begin with ``x-`` (README, "What a tap tells the loader").
"""

from __future__ import annotations

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
        RejectedError: The message names no stream or carries no schema.
    """
    try:
        schema = msgspec.json.decode(bytes(message.schema))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        schema = None
    if not message.stream or not isinstance(schema, dict):
        raise RejectedError(
            "a SCHEMA message needs a stream and a schema that is an object", "api", message.stream
        )
    names = [message.stream, message.key_properties, message.bookmark_properties]
    if nearest(names) != names:
        raise RejectedError(
            "a stream or key with U+0000 or half a character in its name cannot be kept", "api"
        )
    annotated = {**schema, **extra}
    tap = annotated.get("x-tap")
    lasting = {name: member for name, member in annotated.items() if name not in _OF_THE_RUN}
    keys = message.key_properties or []
    marks = message.bookmark_properties or []
    replication_key = marks if isinstance(marks, str) else next(iter(marks), None)
    absence = annotated.get("x-absence", NEVER)
    if absence not in _ABSENCES:
        raise RejectedError(f"x-absence is one of {', '.join(_ABSENCES)}", "api", message.stream)
    text = _encode(nearest(lasting)).decode()
    path = _timestamp_path(annotated.get("x-source-timestamp", replication_key))
    return (
        Stream(
            name=message.stream,
            key_properties=keys,
            replication_key=replication_key,
            timestamp_path=path,
            declares_timestamp="x-source-timestamp" in annotated or _has_format(schema, path),
            volatile=volatile_paths(annotated.get("x-volatile")),
            absence=absence,
            window=_read_window(annotated.get("x-absence-window"), message.stream)
            if absence == WINDOW
            else None,
            checker=SchemaChecker(schema),
            schema_text=text,
            schema_hash=blake2b(_encode([lasting, keys]), digest_size=16).hexdigest(),
            lands_letters=annotated.get("x-dead-letters") == "land",
        ),
        tap if isinstance(tap, dict) else {},
    )


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


def _read_window(value: Any, stream: str) -> Window:
    """Read ``x-absence-window``; a bound that cannot be read would make records gone that are not."""
    if not isinstance(value, dict):
        raise RejectedError("x-absence window needs x-absence-window with from and to", "api", stream)
    bounds: list[datetime | None] = []
    for name in ("from", "to"):
        bound = value.get(name)
        moment = read_timestamp(bound)
        if bound is not None and moment is None:
            raise RejectedError(f"x-absence-window: {name} is no timestamp", "api", stream)
        bounds.append(moment)
    match = value.get("match")
    if match is not None and not isinstance(match, dict):
        raise RejectedError("x-absence-window: match is an object", "api", stream)
    return Window(bounds[0], bounds[1], match)
