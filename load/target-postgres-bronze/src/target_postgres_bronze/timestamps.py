"""Reads the many ways in which services write a moment.

Formats: ISO 8601 and RFC 3339 (fact sheets of Toggl, Garmin, GitHub), the e-mail form of RFC 5322, the form of X's API
(``Wed Oct 10 20:19:24 +0000 2018``), seconds, milliseconds, microseconds or nanoseconds since 1970. Without a zone: UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final

EARLIEST_YEAR: Final = 1900
YEARS_AHEAD: Final = 10
#: Lengths of 20240305 and 20240305101500.
_COMPACT_DATE: Final = 8
_COMPACT_TIME: Final = 14
_NO_OFFSET: Final = timedelta(0)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the columns are in UTC without a zone
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: In microseconds.
_A_DAY: Final = 86_400_000_000
_DIGITS: Final = re.compile(r"-?\d{9,19}(\.\d+)?")
_SPACED_ZONE: Final = re.compile(r"^(.*\d)\s+(UTC|GMT|Z|[+-]\d\d:?\d\d)$")
_ZONES: Final = {"UTC": "+00:00", "GMT": "+00:00", "Z": "+00:00"}
#: What most services write after the seconds.
_UTC: Final = frozenset({"Z", "+00:00"})
_LEAP_SECOND: Final = ":60"


def read_timestamp(value: Any) -> datetime | None:
    """Return the moment that *value* means, in UTC without a zone; None where it cannot be read."""
    try:
        if isinstance(value, str):
            return _from_text(value)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return _from_number(value)
    except (ValueError, OverflowError, ArithmeticError):
        return None
    return None


def is_plausible(moment: datetime, latest: datetime) -> bool:
    """Tell whether *moment* lies between 1900 and *latest* (both UTC)."""
    return moment.year >= EARLIEST_YEAR and moment <= latest


def latest_plausible(now: datetime) -> datetime:
    """Return the moment ten years after *now*: what a record says to lie later, or before 1900, is a mistake."""
    return now + timedelta(days=365.25 * YEARS_AHEAD)


def microseconds(text: str) -> int | None:
    """Return the microseconds from 1970 to the moment that *text* means; None where it cannot be read."""
    try:
        # the form that most services write, without a detour
        moment = datetime.fromisoformat(text) if text[4:5] == "-" else None
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is UTC:
        since = moment - _EPOCH_UTC
    elif (read := read_timestamp(text)) is not None:
        since = read - _EPOCH
    else:
        return None
    return since.days * _A_DAY + since.seconds * 1_000_000 + since.microseconds


def _from_text(text: str) -> datetime:
    try:
        if text[19:] in _UTC and text[10:11] == "T":
            # taking a zone off again costs more than all the rest
            return datetime.fromisoformat(text[:19])
        # digits alone are no ISO date to most services, though Python reads some as one
        moment = (
            _from_odd_text(text)
            if text.isdigit() and len(text) > _COMPACT_DATE
            else datetime.fromisoformat(text)
        )
    except ValueError:
        moment = _from_odd_text(text.strip())
    zone = moment.tzinfo
    if zone is None:
        return moment
    naive = moment.replace(tzinfo=None)
    return naive if zone is UTC else naive - (moment.utcoffset() or _NO_OFFSET)


def _from_odd_text(text: str) -> datetime:
    if text.isdigit() and len(text) == _COMPACT_TIME:
        return datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 - without a zone: UTC
    if _DIGITS.fullmatch(text):
        return _from_number(Decimal(text))
    if match := _SPACED_ZONE.match(text):
        text = match[1] + _ZONES.get(match[2], match[2])
    if _LEAP_SECOND in text:
        return datetime.fromisoformat(text.replace(_LEAP_SECOND, ":59", 1)) + timedelta(seconds=1)
    for read in (datetime.fromisoformat, _from_ctime, parsedate_to_datetime):
        try:
            return read(text)
        except (ValueError, TypeError, IndexError):
            continue
    raise ValueError("no known form")


def _from_ctime(text: str) -> datetime:
    return datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")


def _from_number(number: int | Decimal) -> datetime:
    """Read seconds, or the finer unit that puts the moment after 1973 and before 5138."""
    scaled = Decimal(number)
    for _unit in ("s", "ms", "µs", "ns"):
        if abs(scaled) < 10**11:
            return _EPOCH + timedelta(microseconds=int(scaled * 10**6))
        scaled /= 1000
    raise ValueError("too large")
