"""Read the many ways in which services write a timestamp.

Every form is a complete grammar: a text that contains anything else is not read, because a reader that skips what it does not understand
(``PM``, ``CEST``) returns a wrong time. Forms: ISO 8601 (extended, basic, week date) and RFC 3339; RFC 5322; ``Date.toString`` of C, Java
and JavaScript; English dates with a 12-hour clock; seconds, milliseconds, microseconds or nanoseconds since 1970. A time without a zone is
UTC. Named zones are read only if they have one meaning (UTC, GMT, UT, Z); ``GMT+02:00`` is two hours east of Greenwich, as Java and
JavaScript write it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

EARLIEST_YEAR: Final = 1900
YEARS_AHEAD: Final = 10
_NO_OFFSET: Final = timedelta(0)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the columns are in UTC without a zone
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Services began to count seconds or milliseconds in records of people after this; an earlier number is a counter.
_FIRST_COUNTED: Final = datetime(1990, 1, 1)  # noqa: DTZ001 - the columns are in UTC without a zone
#: In microseconds.
_A_DAY: Final = 86_400_000_000
#: What most services write after the seconds.
_UTC: Final = frozenset({"Z", "+00:00"})
#: The forms that `datetime.fromisoformat` reads fast; by itself it takes any character as separator, so that it reads other forms wrong.
_USUAL: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-](?:0[0-9]|1[0-5]):[0-9]{2})?)?"
)
_NUMBER: Final = re.compile(r"-?[0-9]{9,19}(\.[0-9]+)?")
#: 20240305 and 20240305101500.
_COMPACT: Final = re.compile(r"[0-9]{8}(?:[0-9]{6})?")
_WEEK_DATE: Final = re.compile(r"[0-9]{4}(?:-W[0-9]{2}-[1-7]|W[0-9]{2}[1-7])")
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        start=1,
    )
    for name in names
}
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH: Final = r"(?P<month_name>[A-Za-z]{3,9})\.?"
_WEEKDAY: Final = r"(?P<weekday>[A-Za-z]{3,9})\.?"
_DAY: Final = r"(?P<day>[0-9]{1,2})"
_YEAR: Final = r"(?P<year>[0-9]{4})"
_TIME: Final = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_BASIC_TIME: Final = (
    r"(?P<hour>[0-9]{2})(?:(?P<minute>[0-9]{2})(?:(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?)?"
)
_ZONE: Final = (
    r"(?P<zone>[Zz]|(?:UTC|GMT|UT)?(?P<sign>[+-])(?P<zone_hour>[0-9]{2})"
    r"(?::?(?P<zone_minute>[0-9]{2})(?::?(?P<zone_second>[0-9]{2}))?)?|UTC|GMT|UT)"
)
_ZONE_AT_END: Final = rf"(?:(?:(?<=[0-9])|\s+){_ZONE}(?:\s*\([^()]*\))?)?"
_FORMS: Final = tuple(
    re.compile(form)
    for form in (
        # 2024-05-02T22:00:00.5+02:00, 2024-05-02 22:00:00 +0200, 2024-05-02 10:00 PM
        rf"{_YEAR}-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})(?:(?:[Tt]|\s+){_TIME}{_ZONE_AT_END})?",
        # 2024-05-02T22, 2024-05-02T2200Z
        rf"{_YEAR}-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})[Tt]{_BASIC_TIME}{_ZONE_AT_END}",
        # 20240502T220000Z, 20240502220000-0800, 20240502 22:00:00
        rf"{_YEAR}(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}})[Tt ]{_BASIC_TIME}{_ZONE_AT_END}",
        rf"{_YEAR}(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}})[Tt ]{_TIME}{_ZONE_AT_END}",
        rf"{_YEAR}(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}}){_BASIC_TIME}\s*{_ZONE}",
        (
            rf"{_YEAR}(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}})(?P<hour>[0-9]{{2}})(?P<minute>[0-9]{{2}})"
            rf"(?P<second>[0-9]{{2}})[.,](?P<fraction>[0-9]+){_ZONE_AT_END}"
        ),
        # Thu, 02 May 2024 22:00:00 +0200 (CEST), 2 May 2024, 02-May-2024 22:00:00 GMT
        rf"(?:{_WEEKDAY},?\s+)?{_DAY}(?:-|\s+){_MONTH}(?:-|,?\s+){_YEAR}(?:,?\s+(?:at\s+)?{_TIME}{_ZONE_AT_END})?",
        # May 2, 2024, 10:00:00 PM; Thursday, May 2, 2024 at 22:00:00 UTC
        rf"(?:{_WEEKDAY},?\s+)?{_MONTH}\s+{_DAY},?\s+{_YEAR}(?:,?\s+(?:at\s+)?{_TIME}{_ZONE_AT_END})?",
        # C's ctime, Java's Date.toString, X's API: Thu May 02 22:00:00 GMT+02:00 2024, Thu May 02 22:00:00 +0000 2024
        rf"{_WEEKDAY}\s+{_MONTH}\s+{_DAY}\s+{_TIME}(?:\s+{_ZONE})?\s+{_YEAR}",
    )
)


def read_timestamp(value: Any) -> datetime | None:
    """Return the time that *value* means, in UTC without a zone; None if it cannot be read.

    A number counts from 1970, whatever its size: call this only for what is known to be a time, and `read_plausible` for the rest.
    """
    try:
        if isinstance(value, str):
            return _from_text(value)
        if is_number(value):
            return _from_number(Decimal(value))
    except (ValueError, OverflowError, ArithmeticError):
        return None
    return None


def read_plausible(value: Any, latest: datetime) -> datetime | None:
    """Return the time that *value*, a number or digits, most probably means, or None: most replication keys of that kind are counters.

    A time is what lies between 1990 and *latest*: read as seconds or milliseconds since 1970, or digits as a compact date.
    """
    found: list[datetime | None]
    if isinstance(value, str):
        text = value.strip()
        found = [read_timestamp(text)] if _COMPACT.fullmatch(text) else []
        found += _counted(text) if _NUMBER.fullmatch(text) else []
    else:
        found = _counted(value)
    return next((moment for moment in found if moment and _FIRST_COUNTED <= moment <= latest), None)


def _counted(number: Any) -> list[datetime | None]:
    """Return *number* as seconds and as milliseconds since 1970."""
    try:
        seconds = Decimal(number)
        return [_EPOCH + timedelta(microseconds=int(seconds * unit)) for unit in (10**6, 10**3)]
    except OverflowError:
        # too large for seconds; milliseconds may still be right
        try:
            return [_EPOCH + timedelta(microseconds=int(seconds * 10**3))]
        except OverflowError:
            return []
    except (ValueError, ArithmeticError):
        return []


def is_number(value: Any) -> bool:
    """Return whether *value* is a number of JSON."""
    return isinstance(value, int | Decimal | float) and not isinstance(value, bool)


def is_number_or_digits(value: Any) -> bool:
    """Return whether *value* is a number, or a text of nothing but a number."""
    if isinstance(value, str):
        text = value.strip()
        return text.lstrip("-").replace(".", "", 1).isdigit()
    return is_number(value)


def is_plausible(moment: datetime, latest: datetime) -> bool:
    """Return whether *moment* lies between 1900 and *latest* (both UTC)."""
    return moment.year >= EARLIEST_YEAR and moment <= latest


def latest_plausible(now: datetime) -> datetime:
    """Return the moment ten years after *now*: what a record says to lie later, or before 1900, is a mistake."""
    return now + timedelta(days=365.25 * YEARS_AHEAD)


def microseconds(text: str) -> int | None:
    """Return the microseconds from 1970 to the time that *text* means, None if it cannot be read: by this, versions are ordered.

    Digits are counted from 1970 even if they mean no time, because a counter orders as well.
    """
    try:
        # the form that most services write, without a detour
        moment = datetime.fromisoformat(text) if text[4:5] == "-" and text[10:11] == "T" else None
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
        if text[19:] in _UTC and text[10:17:3] == "T::":
            # taking a zone off again costs more than all the rest
            return datetime.fromisoformat(text[:19])
        if _USUAL.fullmatch(text):
            return _in_utc(datetime.fromisoformat(text))
    except ValueError:
        pass  # a leap second, or 24:00:00
    text = text.strip()
    if _COMPACT.fullmatch(text):
        try:
            return datetime.strptime(text, "%Y%m%d%H%M%S"[: len(text) - 2])  # noqa: DTZ007 - without a zone: UTC
        except ValueError:
            pass  # a number of 14 digits
    if _NUMBER.fullmatch(text):
        return _from_number(Decimal(text))
    if _WEEK_DATE.fullmatch(text):
        return datetime.fromisoformat(text)
    for form in _FORMS:
        if match := form.fullmatch(text):
            return _from_parts({name: part for name, part in match.groupdict().items() if part is not None})
    raise ValueError("no known form")


def _in_utc(moment: datetime) -> datetime:
    zone = moment.tzinfo
    if zone is None:
        return moment
    naive = moment.replace(tzinfo=None)
    return naive if zone is UTC else naive - (moment.utcoffset() or _NO_OFFSET)


def _from_parts(parts: dict[str, str]) -> datetime:
    """Return the time in UTC that the named groups of a form mean.

    Raises:
        ValueError: There is no such day, hour or zone, or they contradict each other.
    """
    month = _MONTHS.get(parts["month_name"].lower(), 0) if "month_name" in parts else int(parts["month"])
    day = date(int(parts["year"]), month, int(parts["day"]))
    if "weekday" in parts and not _is_weekday(parts["weekday"].lower(), day):
        raise ValueError("another weekday")
    moment = datetime.combine(day, time())
    if "hour" in parts:
        moment += _time_of_day(parts) - _offset(parts)
    return moment


def _is_weekday(name: str, day: date) -> bool:
    full = _WEEKDAYS[day.weekday()]
    return (
        name == full
        or (len(name) in (3, 4) and full.startswith(name))
        or (name, full) == ("thurs", "thursday")
    )


def _time_of_day(parts: dict[str, str]) -> timedelta:
    hour, minute, second = (int(parts.get(name, 0)) for name in ("hour", "minute", "second"))
    if half := parts.get("half"):
        if not 1 <= hour <= 12:  # noqa: PLR2004 - a clock
            raise ValueError("no hour of a 12-hour clock")
        hour = hour % 12 + (12 if half in "Pp" else 0)
    fraction = int(parts.get("fraction", "0")[:6].ljust(6, "0"))
    ends_the_day = (hour, minute, second, fraction) == (24, 0, 0, 0)
    if not (hour < 24 and minute < 60 and second <= 60) and not ends_the_day:  # noqa: PLR2004 - a clock; 60: a leap second
        raise ValueError("no time of a day")
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)


def _offset(parts: dict[str, str]) -> timedelta:
    """Return how far the zone is east of Greenwich."""
    if "sign" not in parts:
        return _NO_OFFSET
    hours, minutes, seconds = (
        int(parts.get(name, 0)) for name in ("zone_hour", "zone_minute", "zone_second")
    )
    if hours > 15 or minutes > 59 or seconds > 59:  # noqa: PLR2004 - as PostgreSQL; the farthest zone is at +14
        raise ValueError("no zone")
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return offset if parts["sign"] == "+" else -offset


def _from_number(number: Decimal) -> datetime:
    """Read seconds, or the finer unit that puts the time after 1973 and before 5138."""
    for unit in (1, 10**3, 10**6, 10**9):
        if abs(number) < 10**11 * unit:
            return _EPOCH + timedelta(microseconds=int(number * 10**6 / unit))
    raise ValueError("too large")
