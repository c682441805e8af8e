"""Errors that a person can act on: one sentence each, told without a traceback."""

from __future__ import annotations

from singer_sdk.exceptions import SingerSDKError


class TapError(SingerSDKError):
    """Something outside of the program is wrong; the message says what, where, and the remedy.

    It ends the run with exit code 1. For a failure of one part out of many, see ``RawStream.report_gap``.
    """


TOLD = (SingerSDKError, FileNotFoundError)
"""What the command line tells in a sentence, without a traceback."""
