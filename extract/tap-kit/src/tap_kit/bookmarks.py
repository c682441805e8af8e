"""Bookmarks that never run ahead of what was sent.

The SDK compares replication values as text, which puts ``2026-03-01T09:00:00+09:00`` behind
``2026-03-01T01:00:00+00:00``, fails on a record that lacks the field, stops at the first record out of order of
a stream declared sorted, and lets a shorter second reading move the bookmark back. Here moments are compared as
moments, what cannot be compared is left out, and a bookmark only ever grows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

MARKERS = "progress_markers"
"""Where the SDK keeps values that become a bookmark only when the stream has been read to its end."""


def advance(state: dict[str, Any], key: str, value: Any, *, ceiling: datetime, is_sorted: bool) -> None:
    """Take one record's replication value into the state.

    Args:
        state: The stream's or partition's state, changed in place.
        key: The replication key.
        value: The record's value; null, absent or incomparable ones change nothing.
        ceiling: When the run started. A later moment counts as this one: the records of the hours up to it
            may still come.
        is_sorted: Records come in the order of the key, so the bookmark may be used even if the run breaks off.
    """
    if value is None:
        return
    moment = as_moment(value)
    if moment is not None and moment > ceiling:
        value = ceiling.isoformat()
    holder = state if is_sorted else state.setdefault(MARKERS, {})
    if all(is_later(value, _bookmark(place, key)) for place in (state, holder)):
        holder["replication_key"] = key
        holder["replication_key_value"] = value


def is_later(value: Any, other: Any) -> bool:
    """Tell whether *value* comes after *other*: as moments, as numbers, else as text of the same kind."""
    if other is None:
        return True
    moments = as_moment(value), as_moment(other)
    if moments[0] is not None and moments[1] is not None:
        return moments[0] > moments[1]
    if isinstance(value, int | Decimal) and isinstance(other, int | float | Decimal):
        return value > other
    if isinstance(value, str) and isinstance(other, str):
        return value > other
    return False


def as_moment(value: Any) -> datetime | None:
    """Read an ISO 8601 date or date-time; without an offset it is UTC. None: it is no such text."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _bookmark(holder: dict[str, Any], key: str) -> Any:
    return holder.get("replication_key_value") if holder.get("replication_key") == key else None
