"""How far a long import is: one line that renews itself on a terminal, one line a minute in a log."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

EVERY = 60.0
"""Seconds between two lines in a log."""

PACE = "TAP_KIT_PROGRESS_SECONDS"
"""Environment variable with other seconds, for a program that shows the last line of the log to a person."""

_ON_SCREEN = 0.5


class Progress:
    """Counts members, bytes and records, and tells them now and then."""

    def __init__(
        self,
        logger: Logger,
        screen: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock.

        Args:
            logger: Takes the line of each minute.
            screen: Takes the line that renews itself, if it is a terminal; default: stderr.
            clock: Seconds.
        """
        self._logger = logger
        self._screen = sys.stderr if screen is None else screen
        self._clock = clock
        self._started = self._told = clock()
        self._terminal = self._screen.isatty()
        self._every = _ON_SCREEN if self._terminal else _pace()
        self._read_before = 0
        self.members = self.members_expected = 0
        self.bytes = self.bytes_expected = 0
        self.records = 0

    def expect(self, members: int, count: int) -> None:
        """Add what lies ahead: *members* of *count* bytes together."""
        self.members_expected += members
        self.bytes_expected += count

    def advance(self, *, count: int = 0, records: int = 0, members: int = 0) -> None:
        """Take note of *count* bytes, *records* and *members* that are done; tell it if it is time."""
        self.bytes += count
        self.records += records
        self.members += members
        now = self._clock()
        if now - self._told >= self._every:
            self._told = now
            if self._terminal:
                self._screen.write(f"\r\x1b[K{self.line(now)}")
                self._screen.flush()
            else:
                self._logger.info("%s", self.line(now))

    def begin_reading(self) -> None:
        """Count rate and time left from here on: looking through the files before was faster than reading them will be."""
        self._started, self._read_before = self._clock(), self.bytes

    def close(self) -> None:
        """Remove the line from the screen."""
        if self._terminal:
            self._screen.write("\r\x1b[K")
            self._screen.flush()

    def line(self, now: float) -> str:
        """Say how far it is: members, bytes, records, rate, time left."""
        seconds = max(now - self._started, 0.001)
        left = ""
        if self._read_before < self.bytes < self.bytes_expected:
            remaining = (self.bytes_expected - self.bytes) * seconds / (self.bytes - self._read_before)
            left = f", about {_duration(remaining)} left"
        return (
            f"{self.members} of {self.members_expected} files, {self.bytes >> 20:,} of {self.bytes_expected >> 20:,} MiB, "
            f"{self.records:,} records, {self.records / seconds:,.0f}/s{left}"
        )


def _pace() -> float:
    try:
        return max(_ON_SCREEN, float(os.environ.get(PACE, EVERY)))
    except ValueError:
        return EVERY


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
