r"""A record's payload: what goes to ``raw_data``, its content hash, and whether JSONB can hold it as it was sent.

Source: PostgreSQL 18 documentation, 8.14 (JSON types) and 8.1.2 (numeric): no ``\u0000``, no lone surrogates, no NaN;
numbers with up to 131072 digits before and 16383 after the decimal point; of equal names the last member.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, Final

import msgspec

from target_postgres_bronze.errors import RejectedError

HASH_BYTES: Final = 16
_DIGITS_BEFORE: Final = 131072
_DIGITS_AFTER: Final = 16383
#: A payload shorter than this has too few digits to leave numeric's range without an exponent.
_SHORT: Final = _DIGITS_AFTER

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(order="sorted", decimal_format="number").encode
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_REPLACEMENT: Final = "\ufffd"
_NEGATIVE: Final = "minus_zero"
_TWICE: Final = "twice"
#: What JSONB cannot hold, in words. The names are part of content hashes and never change.
LOSSES: Final = {
    "nul": "the character U+0000",
    "surrogate": "half a character (a lone surrogate, or bytes that are no UTF-8)",
    "nan": "a number that is none (NaN, Infinity)",
    "range": "a number out of range",
    _NEGATIVE: "a negative zero",
    _TWICE: "a name that stands twice",
}
#: jsonb reads these as they were sent, and gives something else back.
_HELD_AS_SENT: Final = frozenset({_NEGATIVE})
#: Digits that Python's int reads without complaint (its own limit is 4300).
_LONGEST_INT: Final = 4000


@dataclass(slots=True)
class Payload:
    """A record as the loader handles it.

    Attributes:
        content: The record as Python objects; numbers with a point are `Decimal`.
        text: JSON for ``raw_data``: the record's own bytes, or the nearest that JSONB can hold.
        losses: What JSONB cannot hold of it, names of `LOSSES`; empty if it holds everything.
        canonical: The same content for every order of keys and every layout.
        checkable: The content for the check against a schema; None: as it is.
    """

    content: dict[str, Any]
    text: bytes
    losses: tuple[str, ...]
    canonical: bytes
    checkable: dict[str, Any] | None = None


def read_payload(raw: bytes) -> Payload:
    """Read the bytes of a record.

    Raises:
        RejectedError: They are no JSON object.
    """
    if not raw:
        raise RejectedError("a RECORD message needs a record", "api")
    try:
        content = _decode(raw)
        canonical = _encode(content)
    except RecursionError:
        raise RejectedError("the record is nested deeper than the loader reads") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidOperation):
        return _read_leniently(raw)
    if type(content) is not dict:
        raise RejectedError("the record is no JSON object", "api")
    # one byte is looked for many times faster than several, and mostly it is not there
    if (
        len(raw) > _SHORT
        or (b"\\" in raw and (b"\\u0000" in raw or b"\\u003" in raw))
        or (b"E" in canonical and (b"E+" in canonical or b"E-" in canonical))
        or (b"." in canonical and b"-0." in canonical)
        # equal names that were merged and a lost sign of zero make it shorter
        or (len(raw) != len(canonical) and _is_shorter_than_sent(raw, canonical))
    ):
        return _read_exactly(raw, raw.decode())
    return Payload(content, raw, (), canonical)


def _is_shorter_than_sent(raw: bytes, canonical: bytes) -> bool:
    """Tell whether reading lost something, not just blanks or escapes; in doubt, yes."""
    # every name has its colon, every negative number its sign: fewer of them mean merged names, or zeros without theirs
    return (
        raw.count(b":") != canonical.count(b":")
        or raw.count(b"-") != canonical.count(b"-")
        or b":-0" in canonical
        or b",-0" in canonical
        or b"[-0" in canonical
    )


def content_hash(payload: Payload, volatile: list[list[str]]) -> str:
    """Return the hash by which contents are compared: BLAKE2b of 16 bytes over the canonical form, hexadecimal.

    Args:
        payload: Record.
        volatile: JSON pointers of the members that do not count, split; ``*`` stands for any member or element.
    """
    canonical = payload.canonical
    if volatile:
        lasting = payload.content
        for path in volatile:
            lasting = _without(lasting, path)
        canonical = _canonical(lasting) + ",".join(payload.losses).encode()
    return blake2b(canonical, digest_size=HASH_BYTES).hexdigest()


def _without(node: Any, path: list[str]) -> Any:
    """Return *node* without the members at *path*; what has none is returned itself, and nothing is changed in place."""
    step, rest = path[0], path[1:]
    if isinstance(node, dict):
        names: Any = list(node) if step == "*" else [step] if step in node else []
        node = dict(node) if names else node
    elif isinstance(node, list):
        names = (
            range(len(node))
            if step == "*"
            else [int(step)]
            if step.isdigit() and int(step) < len(node)
            else []
        )
        node = list(node) if names else node
    else:
        return node
    for name in names:
        if rest:
            node[name] = _without(node[name], rest)
        elif isinstance(node, dict):
            del node[name]
        else:
            node[name] = None  # the places of the other elements stay
    return node


class UnreadNumber(str):
    """A number in its own digits, which no Python number holds."""

    __slots__ = ()


def nearest(value: Any) -> Any:
    """Return a JSON value as near as JSONB can hold it."""
    return _nearest(value, {})


def _read_leniently(raw: bytes) -> Payload:
    """Read a record that strict JSON refuses: NaN, lone surrogates, bytes that are no UTF-8, very long numbers."""
    return _read_exactly(raw, raw.decode("utf-8", "surrogateescape"))


def _read_exactly(raw: bytes, text: str) -> Payload:
    """Look closely at a record that JSONB may not hold as it was sent."""
    losses: dict[str, None] = {}

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            losses[_TWICE] = None
        return found

    def number(digits: str) -> Any:
        if digits.startswith("-0") and not digits.lower().partition("e")[0].strip("-0."):
            losses[_NEGATIVE] = None
        return _number(digits)

    decoder = json.JSONDecoder(
        strict=False, parse_int=number, parse_float=number, parse_constant=Decimal, object_pairs_hook=members
    )
    try:
        content = decoder.decode(text)
        held = _nearest(content, losses)
        canonical = _canonical(content)
        held_text = raw if not losses.keys() - _HELD_AS_SENT and _is_strict(raw) else _encode(held)
        checkable = _checkable(content) if losses else content
    except RecursionError:
        raise RejectedError("the record is nested deeper than the loader reads") from None
    except ValueError as error:
        raise RejectedError(f"the record is no JSON ({type(error).__name__})") from None
    if not isinstance(content, dict):
        raise RejectedError("the record is no JSON object", "api")
    found = tuple(sorted(losses))
    # equal values that were sent differently are different contents
    canonical += raw if _TWICE in losses else ",".join(found).encode()
    return Payload(content, held_text, found, canonical, checkable)


def _is_strict(raw: bytes) -> bool:
    """Tell whether PostgreSQL reads these bytes as they are: strict JSON in UTF-8."""
    try:
        json.loads(raw.decode())
    except (ValueError, RecursionError):
        return False
    return True


def _number(text: str) -> Any:
    """Return an integer as int where Python reads it, else a number in all its digits."""
    if len(text) <= _LONGEST_INT and text.lstrip("-").isdigit():
        return int(text)
    try:
        return Decimal(text)
    except InvalidOperation:
        return UnreadNumber(text)


def _nearest(value: Any, losses: dict[str, None]) -> Any:
    """Return *value* as near as JSONB can hold it; what it cannot hold is noted in *losses*."""
    if isinstance(value, UnreadNumber) or (isinstance(value, Decimal) and not _fits(value)):
        is_none = isinstance(value, Decimal) and not value.is_finite()
        losses["nan" if is_none else "range"] = None
        return str(value)
    if isinstance(value, str):
        return _nearest_text(value, losses)
    if isinstance(value, dict):
        return {_nearest_text(name, losses): _nearest(member, losses) for name, member in value.items()}
    if isinstance(value, list):
        return [_nearest(element, losses) for element in value]
    return value


def _checkable(value: Any) -> Any:
    """Return *value* for the check against a schema, which takes no half characters and no NaN."""
    if isinstance(value, UnreadNumber) or (isinstance(value, Decimal) and not value.is_finite()):
        return 0
    if isinstance(value, str):
        return _SURROGATE.sub(_REPLACEMENT, value)
    if isinstance(value, dict):
        return {_SURROGATE.sub(_REPLACEMENT, name): _checkable(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_checkable(element) for element in value]
    return value


def _fits(number: Decimal) -> bool:
    if not number.is_finite():
        return False
    return number.adjusted() < _DIGITS_BEFORE and -int(number.as_tuple().exponent) <= _DIGITS_AFTER


def _nearest_text(text: str, losses: dict[str, None]) -> str:
    if "\x00" in text:
        losses["nul"] = None
        text = text.replace("\x00", _REPLACEMENT)
    if _SURROGATE.search(text):
        losses["surrogate"] = None
        text = _SURROGATE.sub(_REPLACEMENT, text)
    return text


def _canonical(content: Any) -> bytes:
    try:
        return _encode(content)
    except (UnicodeEncodeError, TypeError):
        # Lone surrogates have no bytes of their own, and odd numbers no type; escaped they stay apart.
        return json.dumps(content, sort_keys=True, separators=(",", ":"), default=str).encode()
