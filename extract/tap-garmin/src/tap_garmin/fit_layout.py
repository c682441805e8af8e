"""The structure of a FIT file: where its messages are and which bytes belong to which field, without a profile.

The decoders leave out what they cannot interpret: developer fields without a description or whose application is announced
later, and bytes of a text that are not UTF-8. The structure shows what is missing. It also tells beforehand how much memory the
messages of a file need.

Source: FIT protocol, "Record Format": record headers, definition messages, developer data fields, base types.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = re.compile(rb"[\x0c\x0e].{7}\.FIT", re.DOTALL)
CHECKSUM_BYTES = 2
_IS_DEFINITION = 0x40
_HAS_DEVELOPER_FIELDS = 0x20
_IS_COMPRESSED = 0x80
_STRING = 7
#: Character of struct and value that means "no value", by the number of the base type without its highest bit.
_BASE_TYPES: dict[int, tuple[str, int | None]] = {
    0: ("B", 0xFF), 1: ("b", 0x7F), 2: ("B", 0xFF), 3: ("h", 0x7FFF), 4: ("H", 0xFFFF), 5: ("i", 0x7FFFFFFF), 6: ("I", 0xFFFFFFFF),
    8: ("f", None), 9: ("d", None), 10: ("B", 0), 11: ("H", 0), 12: ("I", 0), 13: ("B", 0xFF), 14: ("q", 0x7FFFFFFFFFFFFFFF),
    15: ("Q", 0xFFFFFFFFFFFFFFFF), 16: ("Q", 0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A field of a definition message.

    Attributes:
        number: Number of the field.
        size: Its bytes.
        type: Number of the base type; of a developer field, the developer data index.
    """

    number: int
    size: int
    type: int


@dataclass(slots=True)
class Definition:
    """A definition message: the layout of the data messages of one local type.

    Attributes:
        number: Number of the kind of message.
        byte_order: As :mod:`struct` writes it.
        fields: Fields in their order.
        developer_fields: Developer fields, which follow them.
        start: Where the definition is.
        end: Where it ends.
        size: Bytes of a data message.
    """

    number: int
    byte_order: str
    fields: list[FieldDefinition]
    developer_fields: list[FieldDefinition]
    start: int
    end: int
    size: int = field(init=False)

    def __post_init__(self) -> None:
        """Sum up the sizes."""
        self.size = sum(item.size for item in (*self.fields, *self.developer_fields))


@dataclass(slots=True)
class Layout:
    """What the structure of a file shows.

    Attributes:
        messages: Data messages in their order: definition, and where the content begins.
        definitions: All definition messages.
        end: Where the last complete message ends.
        is_complete: Every file that is chained ends where its header says.
    """

    messages: list[tuple[Definition, int]] = field(default_factory=list)
    definitions: list[Definition] = field(default_factory=list)
    end: int = 0
    is_complete: bool = False


class TooManyMessagesError(ValueError):
    """A file has more messages than the limit."""


def read_layout(content: bytes, max_fields: int) -> Layout:
    """Return the structure of a file; it ends where a message is incomplete or has no definition.

    Raises:
        TooManyMessagesError: There are more than *max_fields* fields, a message counting as eight more.
    """
    layout = Layout()
    position = 0
    left = max_fields
    while HEADER.match(content, position):
        (size,) = struct.unpack_from("<I", content, position + 4)
        at = position + content[position]
        end = at + size
        local: dict[int, Definition] = {}
        while at < end:
            following = _read_message(content, at, local, layout)
            if following < 0:
                return layout
            layout.end = at = following
            left -= 8 + (len(layout.messages[-1][0].fields) if layout.messages else 0)
            if left < 0:
                raise TooManyMessagesError
        position = at + CHECKSUM_BYTES
    layout.is_complete = bool(position) and position >= len(content)
    return layout


def _read_message(content: bytes, at: int, local: dict[int, Definition], layout: Layout) -> int:
    """Read the message at *at* into *layout*; return where the next one is, -1 if it is incomplete or undefined."""
    if at >= len(content):
        return -1
    header = content[at]
    if header & _IS_COMPRESSED:
        definition = local.get(header >> 5 & 0x03)
    elif header & _IS_DEFINITION:
        defined = _read_definition(content, at, has_developer_fields=bool(header & _HAS_DEVELOPER_FIELDS))
        if defined is None:
            return -1
        local[header & 0x0F] = defined
        layout.definitions.append(defined)
        return defined.end
    else:
        definition = local.get(header & 0x0F)
    if definition is None or at + 1 + definition.size > len(content):
        return -1
    layout.messages.append((definition, at + 1))
    return at + 1 + definition.size


def _read_definition(content: bytes, at: int, *, has_developer_fields: bool) -> Definition | None:
    try:
        byte_order = ">" if content[at + 2] else "<"
        (number,) = struct.unpack_from(f"{byte_order}H", content, at + 3)
        fields, end = _read_fields(content, at + 5)
        developer_fields: list[FieldDefinition] = []
        if has_developer_fields:
            developer_fields, end = _read_fields(content, end)
    except (IndexError, struct.error):
        return None
    return Definition(number, byte_order, fields, developer_fields, at, end)


def _read_fields(content: bytes, at: int) -> tuple[list[FieldDefinition], int]:
    end = at + 1 + 3 * content[at]
    if end > len(content):
        raise IndexError(end)
    return [FieldDefinition(*content[place : place + 3]) for place in range(at + 1, end, 3)], end


def without_empty_fields(content: bytes, layout: Layout) -> bytes:
    """Return the file without fields of size 0, which Garmin's decoder does not survive; its length and checksum are wrong then."""
    parts, done = [], 0
    removed = 0
    for definition in layout.definitions:
        every = (*definition.fields, *definition.developer_fields)
        empty = sum(not item.size for item in every)
        if not empty:
            continue
        parts += [content[done : definition.start], _written(content, definition)]
        done = definition.end
        removed += 3 * empty
    if not removed:
        return content
    whole = b"".join([*parts, content[done:]])
    (size,) = struct.unpack_from("<I", whole, 4)
    return whole[:4] + struct.pack("<I", max(0, size - removed)) + whole[8:]


def _written(content: bytes, definition: Definition) -> bytes:
    """Return a definition message without its empty fields."""
    start = definition.start
    lists = [
        definition.fields,
        *([definition.developer_fields] if content[start] & _HAS_DEVELOPER_FIELDS else []),
    ]
    written = [content[start : start + 5]]
    for items in lists:
        kept = [item for item in items if item.size]
        written.append(bytes([len(kept)]))
        written += [bytes([item.number, item.size, item.type]) for item in kept]
    return b"".join(written)


def has_valid_checksum(content: bytes) -> bool:
    """Return whether the checksum of the first file in *content* is right."""
    if not HEADER.match(content):
        return False
    (size,) = struct.unpack_from("<I", content, 4)
    end = content[0] + size
    return len(content) >= end + CHECKSUM_BYTES and checksum(content[:end]) == int.from_bytes(
        content[end : end + 2], "little"
    )


def checksum(content: bytes) -> int:
    """Compute the checksum of a file (FIT protocol, "CRC")."""
    table = (
        0x0000,
        0xCC01,
        0xD801,
        0x1400,
        0xF001,
        0x3C00,
        0x2800,
        0xE401,
        0xA001,
        0x6C00,
        0x7800,
        0xB401,
        0x5000,
        0x9C01,
        0x8801,
        0x4400,
    )
    crc = 0
    for byte in content:
        crc = (crc >> 4 & 0x0FFF) ^ table[crc & 0xF] ^ table[byte & 0xF]
        crc = (crc >> 4 & 0x0FFF) ^ table[crc & 0xF] ^ table[byte >> 4]
    return crc


def developer_fields(
    content: bytes, definition: Definition, start: int
) -> Iterator[tuple[FieldDefinition, bytes]]:
    """Yield the developer fields of a data message with their bytes."""
    at = start + sum(item.size for item in definition.fields)
    for item in definition.developer_fields:
        yield item, content[at : at + item.size]
        at += item.size


def texts(content: bytes, definition: Definition, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of the fields of a data message that are texts."""
    at = start
    for item in definition.fields:
        if item.type & 0x1F == _STRING:
            yield item.number, content[at : at + item.size]
        at += item.size


def fields(content: bytes, definition: Definition, start: int) -> dict[str, Any]:
    """Return the values of a data message by the numbers of its fields; one that means "no value" is left out."""
    values: dict[str, Any] = {}
    at = start
    for item in definition.fields:
        value = value_of(content[at : at + item.size], item.type, definition.byte_order)
        if value is not None:
            values[str(item.number)] = value
        at += item.size
    return values


def value_of(content: bytes, base_type: int, byte_order: str = "<") -> Any:
    """Return the value of a field: number, text, or a list; bytes as a list of numbers if they are neither.

    None: every element says that there is no value.
    """
    kind = base_type & 0x1F
    if kind == _STRING:
        return text_of(content)
    letter, invalid = _BASE_TYPES.get(kind, ("B", None))
    size = struct.calcsize(letter)
    if not content or len(content) % size:
        return list(content) or None
    values = list(struct.unpack(f"{byte_order}{len(content) // size}{letter}", content))
    if all(value == invalid or value != value for value in values):  # noqa: PLR0124 - NaN is the only value unlike itself
        return None
    return values[0] if len(values) == 1 else values


def text_of(content: bytes) -> Any:
    """Return a text without the zeros at its end; its bytes as a list if they are not UTF-8. None: it is empty."""
    stripped = content.rstrip(b"\0")
    if not is_text(stripped):
        return list(content)
    return stripped.decode() or None


def is_text(content: bytes) -> bool:
    """Return whether bytes are one text in UTF-8, or several with zeros between them."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
