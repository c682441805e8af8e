"""Writes small FIT files, well-formed or odd, for the invented activities and for tests of the decoding.

Source: the FIT protocol as the decoders read it: header, definitions, messages, checksum.
"""

from __future__ import annotations

import struct
import zipfile
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EPOCH = datetime(1989, 12, 31, tzinfo=UTC)

ENUM, UINT8, UINT16, SINT32, STRING, UINT32, UINT32Z, BYTE = 0x00, 0x02, 0x84, 0x85, 0x07, 0x86, 0x8C, 0x0D
_FORMATS = {ENUM: "B", UINT8: "B", UINT16: "H", SINT32: "i", UINT32: "I", UINT32Z: "I", BYTE: "B"}
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip

Field = tuple[int, int]
"""Number and base type."""


class FitMaker:
    """Puts messages one after another; :meth:`finish` gives the file."""

    def __init__(self) -> None:
        """Start an empty file."""
        self._body = bytearray()
        self._fields: dict[int, list[str | int]] = {}

    def define(
        self, local: int, number: int, fields: Sequence[Field], developer: Sequence[tuple[int, int, int]] = ()
    ) -> None:
        """Define a local kind of message.

        Args:
            local: Number under which messages of this kind follow (0 to 15).
            number: Number of the kind in the FIT profile.
            fields: Number and base type of each field; text is of 16 bytes.
            developer: Number, size and developer's index of each developer field; written as bytes.
        """
        self._body += struct.pack(
            "<BBBHB", 0x40 | (0x20 if developer else 0) | local, 0, 0, number, len(fields)
        )
        layout: list[str | int] = []
        for field, kind in fields:
            size = 16 if kind == STRING else struct.calcsize("<" + _FORMATS[kind])
            self._body += struct.pack("<BBB", field, size, kind)
            layout.append("16s" if kind == STRING else _FORMATS[kind])
        if developer:
            self._body.append(len(developer))
            for triple in developer:
                self._body += bytes(triple)
                layout.append(f"{triple[1]}s")
        self._fields[local] = layout

    def write(self, local: int, *values: int | bytes) -> None:
        """Write a message with all values of its definition."""
        self._body.append(local)
        self._values(local, values)

    def write_compressed(self, local: int, offset: int, *values: int | bytes) -> None:
        """Write a message whose header has the timestamp's lower five bits."""
        self._body.append(0x80 | (local << 5) | (offset & 0x1F))
        self._values(local, values)

    def finish(self, *, good: bool = True) -> bytes:
        """Give the file; not *good* has a wrong checksum."""
        header = struct.pack("<BBHI4s", 14, 0x20, 21218, len(self._body), b".FIT")
        whole = header + struct.pack("<H", crc(header)) + bytes(self._body)
        return whole + struct.pack("<H", crc(whole) ^ (0 if good else 1))

    def _values(self, local: int, values: Sequence[int | bytes]) -> None:
        for layout, value in zip(self._fields[local], values, strict=True):
            self._body += struct.pack(f"<{layout}", value)


def crc(content: bytes) -> int:
    """Compute the checksum of FIT files."""
    value = 0
    for byte in content:
        for nibble in (byte & 0xF, byte >> 4):
            value = ((value >> 4) & 0x0FFF) ^ _CRC[value & 0xF] ^ _CRC[nibble]
    return value


def seconds(moment: datetime) -> int:
    """Give a moment as FIT counts it."""
    return int((moment - EPOCH).total_seconds())


def activity_fit(start: datetime, length: int, step: int = 60) -> bytes:
    """Make the file of a run: where, how high, how fast, with a heart, every *step* seconds."""
    maker = FitMaker()
    begin = seconds(start)
    maker.define(0, 0, [(3, UINT32Z), (4, UINT32), (1, UINT16), (2, UINT16), (0, ENUM)])
    maker.write(0, 3900000001, begin, 1, 4315, 4)
    maker.define(1, 20, [(253, UINT32), (0, SINT32), (1, SINT32), (2, UINT16), (6, UINT16), (3, UINT8)])
    for at in range(0, length, step):
        heart = 120 + (at // step) % 40
        maker.write(1, begin + at, 620_000_000 + at, 160_000_000 - at, 2600 + at % 50, 2800, heart)
    maker.define(2, 18, [(253, UINT32), (2, UINT32), (7, UINT32), (9, UINT32), (5, ENUM)])
    maker.write(2, begin + length, begin, length * 1000, length * 280, 1)
    return maker.finish()


def monitoring_fit(start: datetime, minutes: int = 60) -> bytes:
    """Make a file as a watch writes them around the clock: what it was doing, each minute."""
    maker = FitMaker()
    begin = seconds(start)
    maker.define(0, 103, [(253, UINT32)])
    maker.write(0, begin)
    maker.define(1, 55, [(26, UINT16), (5, ENUM)])
    for minute in range(1, minutes + 1):
        maker.write(1, (begin + 60 * minute) & 0xFFFF, 6)
    return maker.finish()


def monitoring_zip(start: datetime) -> bytes:
    """Make the download of a day: a zip with what the watch wrote."""
    return _zipped(f"{seconds(start)}_WELLNESS.fit", monitoring_fit(start))


@cache
def activity_zip(number: int, start: datetime, length: int) -> bytes:
    """Make the download of an activity: a zip with its file."""
    return _zipped(f"{number}_ACTIVITY.fit", activity_fit(start, length))


def _zipped(name: str, content: bytes) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()
