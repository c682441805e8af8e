"""What a request and an answer of the stand-in are, and how Toggl writes moments and errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

PLUS = "%Y-%m-%dT%H:%M:%S+00:00"


@dataclass(frozen=True)
class Request:
    """One request as it came: query parameters and body are decoded, the last of equal parameters counts."""

    method: str
    path: str
    query: dict[str, str]
    body: Any = None


@dataclass
class Answer:
    """One answer; a ``str`` as *body* with *plain* goes out as bare text, everything else as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    plain: bool = False


class Refused(Exception):  # noqa: N818 - it is an answer, no failure of the program
    """Ends the handling of a request with this answer."""

    def __init__(self, status: int, text: str) -> None:
        """Answer with *status* and *text*, as a JSON string."""
        super().__init__(text)
        self.answer = Answer(status, text)


def whole_seconds(moment: datetime | None) -> str | None:
    """Write a moment the way of most v9 fields: ``2026-03-02T12:00:00+00:00``."""
    return None if moment is None else moment.astimezone(UTC).strftime(PLUS)


def fine_seconds(moment: datetime) -> str:
    """Write a moment the way of newer ``at`` fields: fraction without trailing zeros, then ``Z``."""
    moment = moment.astimezone(UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
