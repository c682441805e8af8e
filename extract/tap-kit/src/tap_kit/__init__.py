"""What the taps of this project share: raw streams with provenance."""

from tap_kit.client import Client
from tap_kit.errors import AnswerError, TapError, UnreachableError
from tap_kit.messages import Raw
from tap_kit.rest import RawRESTStream
from tap_kit.streams import RawStream
from tap_kit.tap import RawTap

__all__ = [
    "AnswerError",
    "Client",
    "Raw",
    "RawRESTStream",
    "RawStream",
    "RawTap",
    "TapError",
    "UnreachableError",
]
