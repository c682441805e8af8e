"""Singer messages: a line's envelope, with the record's own bytes left as they came.

Source: Singer specification (RECORD, SCHEMA, STATE), and singer-sdk's ACTIVATE_VERSION.
"""

from __future__ import annotations

import json
import json.scanner
import re
from typing import Any, Final

import msgspec

from target_postgres_bronze.errors import RejectedError

#: A member that is not there.
NOTHING: Final = msgspec.Raw()


class Message(msgspec.Struct):
    """One line from a tap; members that a message does not have keep their defaults.

    Only what decides where a record goes has a type here: any other member may be wrong without costing the message.
    """

    type: str
    stream: str = ""
    record: msgspec.Raw = NOTHING
    provenance: msgspec.Raw = NOTHING
    time_extracted: Any = None
    value: msgspec.Raw = NOTHING
    schema: msgspec.Raw = NOTHING
    key_properties: Any = None
    bookmark_properties: Any = None
    version: Any = None
    completed: msgspec.Raw = NOTHING


_RAW_MEMBERS: Final = frozenset({"record", "provenance", "value", "schema", "completed"})
_decode = msgspec.json.Decoder(Message).decode
_SPACE: Final = re.compile(r"[ \t\n\r]*")


def read_message(line: bytes) -> Message:
    """Read a line without its line end.

    Raises:
        RejectedError: It is no JSON, no object, or lacks what its type needs.
    """
    try:
        return _decode(line)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _rejected(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        # JSON as many write it: NaN, lone surrogates, bytes that are no UTF-8.
        return _read_leniently(line)


def _read_leniently(line: bytes) -> Message:
    """Read a line that strict JSON refuses; the members' own bytes are kept where they can be told apart."""
    text = line.decode("utf-8", "surrogateescape")
    try:
        members = split_members(text)
        envelope = {name: json.loads(span) for name, span in members.items() if name not in _RAW_MEMBERS}
        message = msgspec.convert(envelope, Message)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise _rejected(error) from None
    for name in _RAW_MEMBERS & members.keys():
        setattr(message, name, msgspec.Raw(members[name].encode("utf-8", "surrogateescape")))
    return message


def _rejected(error: Exception) -> RejectedError:
    """Return why a line is refused; only msgspec's words about the envelope's own members are repeated."""
    if isinstance(error, RecursionError):
        return RejectedError("the message is nested deeper than the loader reads")
    if isinstance(error, msgspec.ValidationError):
        return RejectedError(f"the line is no Singer message: {error}", "api")
    if isinstance(error, json.JSONDecodeError):
        return RejectedError(f"the line is no JSON: {error.msg} at character {error.pos + 1}")
    return RejectedError("the line is no JSON object", "api")


def split_members(text: str) -> dict[str, str]:
    """Return the text of each member's value in the JSON object *text*; of equal names the last.

    Raises:
        ValueError: It is no JSON object, in the tolerant reading of Python's json module.
    """
    decoder = json.JSONDecoder(strict=False)
    # the scanner in C gives up where a lone surrogate or a control character stands
    scan = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined] # typeshed leaves it out
    members: dict[str, str] = {}
    at = _skip_space(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("no object")
    at = _skip_space(text, at + 1)
    while text[at : at + 1] != "}":
        if members:
            at = _skip_space(text, _expect(text, at, ","))
        name, at = _scan(scan, text, at)
        if not isinstance(name, str):
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        start = _skip_space(text, _expect(text, _skip_space(text, at), ":"))
        _value, end = _scan(scan, text, start)
        members[name] = text[start:end]
        at = _skip_space(text, end)
    if _skip_space(text, at + 1) != len(text):
        raise json.JSONDecodeError("Extra data", text, at + 1)
    return members


def _scan(scan, text: str, at: int) -> tuple[object, int]:  # type: ignore[no-untyped-def] # noqa: ANN001 - json.scanner is untyped
    try:
        value, end = scan(text, at)
    except StopIteration:
        raise json.JSONDecodeError("Expecting value", text, at) from None
    return value, end


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _expect(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise json.JSONDecodeError(f"Expecting '{sign}' delimiter", text, at)
    return at + 1
