"""The browsers' clocks: three epochs, four units; read as exact integers, since µs since 1601 exceed a float.

Sources: Chromium's ``base::Time`` (µs since 1601), Firefox's ``PRTime`` (µs since 1970), Apple's reference date (2001).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

_EPOCH_1601 = datetime(1601, 1, 1, tzinfo=UTC)
_EPOCH_1970 = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_2001 = datetime(2001, 1, 1, tzinfo=UTC)

_SMALLEST_SINCE_1601 = 10**12
"""Below it (the year 33658 in Unix seconds, 12 days after 1601 began in µs) the moment of a download is in Unix seconds."""

_SMALLEST_MICROSECONDS = 3 * 10**14
"""Below it (1979 in µs, the year 11476 in ms) a Firefox moment is in milliseconds, as Firefox for Android writes them."""


def since_1601(value: Any) -> str | None:
    """Convert Chromium's µs since 1601-01-01 UTC to ISO 8601; the text of a number (in JSON files) counts too."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    return _moment(_EPOCH_1601, value, 1)


def of_download(value: Any) -> str | None:
    """Convert the moment of a Chromium download: Unix seconds before Chrome 26, else µs since 1601."""
    is_seconds = isinstance(value, int) and 0 < value < _SMALLEST_SINCE_1601
    return seconds_since_1970(value) if is_seconds else since_1601(value)


def since_1970(value: Any) -> str | None:
    """Convert Firefox's µs, or its ms where the number is too small for that, to ISO 8601."""
    in_milliseconds = isinstance(value, int) and abs(value) < _SMALLEST_MICROSECONDS
    return _moment(_EPOCH_1970, value, 1000 if in_milliseconds else 1)


def seconds_since_1970(value: Any) -> str | None:
    """Convert Unix seconds to ISO 8601."""
    return _moment(_EPOCH_1970, value, 10**6)


def since_2001(value: Any) -> str | None:
    """Convert Apple's seconds since 2001-01-01 UTC, with a fraction, to ISO 8601."""
    return _moment(_EPOCH_2001, value, 10**6)


def _moment(epoch: datetime, value: Any, microseconds: int) -> str | None:
    """Add *value* units of that many µs to *epoch*; None where it is no number, 0 ("never") or out of range."""
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool) or not value:
        return None
    try:
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        return (epoch + timedelta(microseconds=round(exact * microseconds))).isoformat()
    except (ArithmeticError, ValueError):
        return None
