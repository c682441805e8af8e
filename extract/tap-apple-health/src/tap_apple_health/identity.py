"""What a sample is known by, as exports write one and the same sample differently each time.

HealthKit's own ids are not exported. The time offset is that of the phone on the day of the export, and ``device`` has a
memory address in it; so of dates the instant counts, and of devices what remains without the address. Order does not
count, neither of attributes nor of children. Everything else is part of the identity, as samples cannot be changed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VERSION = 1
"""Raised when the same sample would get another identity."""

DATE_NAMES = frozenset(
    {b"creationDate", b"startDate", b"endDate", b"date", b"dateIssued", b"expirationDate", b"receivedDate"}
)
"""Attributes that hold a date."""

_DATE = re.compile(rb"(\d{4})-?(\d\d)-?(\d\d) ?(\d\d):?(\d\d):?(\d\d) ?([+-]\d{4})")
_LENGTH = 25
"""Of ``2024-03-01 09:12:44 +0100``."""
_ADDRESS = re.compile(rb"(<HKDevice: )0x[0-9a-fA-F]+")
_CREATION = re.compile(rb", creation date:[^,>]*( [^,>]*)?")
_MOST_CACHED = 200_000
_LONGEST_CACHED = 1000
_WHOLE_HOURS = b"00"


class Instants(dict[bytes, bytes]):
    """Instants in UTC by what is before the minutes and after the seconds of a date: one entry an hour and offset."""

    def __missing__(self, key: bytes) -> bytes:
        """Compute ``2024-03-01 08`` of ``2024-03-01 09 +0100``; empty where the minutes have to be known for that."""
        if len(self) >= _MOST_CACHED:
            self.clear()
        hour = b""
        if key[-2:] == _WHOLE_HOURS:
            full = key[:13] + b":00:00" + key[13:]
            utc = _instant(full)
            hour = b"" if utc == full else utc[:13]
        self[key] = hour
        return hour


hours = Instants()


def instant(date: bytes) -> bytes:
    """Return a date of an export in UTC, ``2024-03-01 08:12:44``; other text as it is."""
    if len(date) == _LENGTH and (hour := hours[date[:13] + date[19:]]):
        return hour + date[13:19]
    return _instant(date)


def _instant(date: bytes) -> bytes:
    match = _DATE.fullmatch(date)
    if match is None:
        return date
    try:
        text = b"%b-%b-%bT%b:%b:%b%b" % match.groups()
        return datetime.fromisoformat(text.decode()).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S").encode()
    except (ValueError, OverflowError):
        return date


class Devices(dict[bytes, bytes]):
    """Devices without memory address and creation date, by their text in an export."""

    def __missing__(self, device: bytes) -> bytes:
        """Strip *device*."""
        if len(self) >= _MOST_CACHED // 10:
            self.clear()
        stripped = _CREATION.sub(b"", _ADDRESS.sub(rb"\1", device))
        if len(device) <= _LONGEST_CACHED:
            self[device] = stripped
        return stripped


devices = Devices()


def own_text(name: bytes, names: Iterable[bytes]) -> bytes:
    """Return how the text of an element begins: its name and those of its attributes, sorted."""
    return b"\x1f".join([name, *names, b""])


def element_text(own: bytes, values: Iterable[bytes], children: Sequence[bytes] = ()) -> bytes:
    """Return the text of an element.

    Args:
        own: See `own_text`.
        values: Of its attributes in the order of their names; dates as instants.
        children: Texts of its children.
    """
    text = own + b"\x1f".join(values)
    if not children:
        return text
    return b"%b\x02%b\x03" % (text, b"\x03\x02".join(sorted(children)))


def identity(text: bytes) -> str:
    """Return the name of a sample by its text: 32 hexadecimal digits."""
    return blake2b(text, digest_size=16).hexdigest()
