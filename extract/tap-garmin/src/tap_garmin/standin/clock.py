"""The stand-in's clock: it starts on a fixed day, so that the invented account never grows old."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

TODAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""The day on which the invented account ends."""


class Clock:
    """A clock that is moved by hand, or ticks from where it was set."""

    def __init__(self, start: datetime = TODAY, *, ticking: bool = False) -> None:
        """Set the clock.

        Args:
            start: An aware moment.
            ticking: Whether it goes on by itself; else it stands until it is moved.
        """
        self._base = start
        self._started = time.monotonic() if ticking else None

    def now(self) -> datetime:
        """Tell the time (UTC)."""
        if self._started is None:
            return self._base
        return self._base + timedelta(seconds=time.monotonic() - self._started)

    def move(self, seconds: float = 0, *, days: float = 0) -> None:
        """Move the clock forward; given to a client as its ``sleep``, waiting takes no time."""
        self._base += timedelta(seconds=seconds, days=days)
