"""JSON text in and out, exact to the digit.

A payload has to leave a tap as it came. Three things stand in the way: a Python float rounds, Python refuses
integers of more than 4300 digits, and strict JSON knows neither ``NaN`` nor half of a surrogate pair, although
services send both. Numbers with a point or an exponent are therefore :class:`~decimal.Decimal` here, very long
integers too, and the constants are the decimals of the same name.

The fast way is msgspec (about ten times as fast as simplejson on a commit-sized record). What it refuses goes
through the standard library and simplejson. A number keeps its digits; only the spelling of an exponent is
normalised (``1e5`` leaves as ``1E+5``). Of two members with one name the last one counts, as in ``jsonb``.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import simplejson  # type: ignore[import-untyped] # it has no annotations

_INT_DIGITS = 4000
"""Below the limit that Python sets itself for turning text into an int (4300)."""

_TOO_DEEP = "not JSON that can be read: nested too deeply"

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


def loads(text: bytes | str) -> Any:
    """Read JSON text; numbers come as int or Decimal, never as float.

    Args:
        text: One JSON value. Bytes are UTF-8, or UTF-16/32 with the marks that the JSON standard names.

    Raises:
        ValueError: The text is not JSON, or nested too deeply; the message gives the position, never the text.
    """
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except (msgspec.DecodeError, UnicodeError):
        return _loads_lenient(text)
    except InvalidOperation:
        raise ValueError("a number lies outside of what decimal arithmetic can hold") from None


def dumps(value: Any) -> bytes:
    """Write one value as a line of JSON without its line end, in UTF-8.

    Text that UTF-8 cannot carry (half of a surrogate pair) leaves as an escape and reads back the same.
    Objects other than JSON's own are written as their text, moments in ISO 8601.
    """
    limit = sys.getrecursionlimit()
    try:
        return _dumps(value)
    except RecursionError:
        # It was read from less deep in the stack than it is written from; `loads` has bounded its depth.
        sys.setrecursionlimit(2 * limit)
        return _dumps(value)
    finally:
        sys.setrecursionlimit(limit)


def _dumps(value: Any) -> bytes:
    try:
        return _encoder.encode(value)
    except (UnicodeEncodeError, msgspec.ValidationError, OverflowError):
        text: str = simplejson.dumps(
            value, use_decimal=True, allow_nan=True, separators=(",", ":"), default=_as_text
        )
        return text.encode("ascii")


def _loads_lenient(text: bytes | str) -> Any:
    """Read JSON with the extras that Python's own reader accepts."""
    try:
        return json.loads(text, parse_float=Decimal, parse_int=_integer, parse_constant=Decimal)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"not JSON: {error.reason} at byte {error.start}") from None
    except InvalidOperation:
        raise ValueError("a number lies outside of what decimal arithmetic can hold") from None


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _INT_DIGITS else Decimal(digits)


def _as_text(value: Any) -> str:
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if isoformat else str(value)
