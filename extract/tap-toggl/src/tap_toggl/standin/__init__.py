"""A stand-in Toggl on this machine: both APIs over an invented account, for the demo and the tests.

It behaves as the service was seen or is described to behave, its traps included: refused parameters, answers cut
at 1000 entries, deleted entries that only ``since`` shows, hourly quotas, pages with a cursor in the headers.
"""

from tap_toggl.standin.account import Account
from tap_toggl.standin.answers import Answer
from tap_toggl.standin.clock import Clock
from tap_toggl.standin.invented import CHOIR, STUDIO, TOKEN, small_account, years_account
from tap_toggl.standin.server import StandIn

__all__ = [
    "CHOIR",
    "STUDIO",
    "TOKEN",
    "Account",
    "Answer",
    "Clock",
    "StandIn",
    "small_account",
    "years_account",
]
