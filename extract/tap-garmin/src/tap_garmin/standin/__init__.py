"""A stand-in Garmin Connect on this machine: renewal of tokens and the data of an invented account, for demo and tests.

It behaves as the service was seen or is reported to behave, its traps included: refresh tokens that work once, old
days without their series, days that arrive late, activities that are renamed and deleted, refusals without headers.
"""

from tap_garmin.standin.account import Account, invented_account
from tap_garmin.standin.clock import Clock
from tap_garmin.standin.server import Reply, StandIn
from tap_garmin.standin.signin import SignIn

__all__ = ["Account", "Clock", "Reply", "SignIn", "StandIn", "invented_account"]
