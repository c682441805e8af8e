"""Errors that a person can act on: one sentence each, told without a traceback."""

from __future__ import annotations

from singer_sdk.exceptions import FatalAPIError, SingerSDKError


class TapError(SingerSDKError):
    """Something outside of the program is wrong; the message says what, where, and the remedy.

    It ends the run with exit code 1. For a failure of one part out of many, see ``RawStream.report_gap``.
    """


class UnreachableError(TapError):
    """A service cannot be reached: the run ends, as its other requests would fail in the same way."""


class AnswerError(FatalAPIError):
    """An answer that trying again would not change; ``status`` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the status for streams that can go on without this part."""
        super().__init__(message)
        self.status = status


TOLD = (SingerSDKError, FileNotFoundError)
"""What the command line tells in a sentence, without a traceback."""
