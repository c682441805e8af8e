"""A record's identity: its key, so written that different keys never meet.

One key property: a number as its digits, a text as it is; a text that could be taken for a number, a word of JSON or a
JSON text is written with its quotes; a number that is none (NaN) with a # before it. Several: a JSON array. Nothing usable: the content's hash.
Fields other than those by which the stream's records were identified first: a JSON object with their names, with a # before it.

The column ``raw_id`` repeats it, except for what the tap names itself: that is stored verbatim.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

import msgspec

from target_postgres_bronze.payload import UnreadNumber

_encode = msgspec.json.Encoder(order="sorted", decimal_format="number").encode
_AMBIGUOUS: Final = re.compile(
    r'-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$|["\[{#]|(?:true|false|null)$|.{64}\.\.\.sha256:', re.DOTALL
)
#: What PostgreSQL's text cannot hold is written as JSON escapes it.
_UNWRITABLE: Final = re.compile("[\x00\ud800-\udfff]")
#: What fits into a btree entry with room to spare; a longer key ends in its hash.
_LONGEST: Final = 512
#: Characters that fit whatever they are.
_SHORT: Final = _LONGEST // 4


def key_text(content: dict[str, Any], key_properties: list[str]) -> str | None:
    """Return the ``raw_id`` of a record by its key, or None if a property is missing or all are null."""
    if len(key_properties) == 1:
        value = content.get(key_properties[0])
        if value is None:
            return None
        if type(value) is int:
            text = str(value)
            return text if len(text) <= _SHORT else shortened(text)
        if isinstance(value, Decimal) and not value.is_finite():
            return f"#{value}"
        return shortened(text_id(value) if type(value) is str else _json(value))
    values = [content.get(name) for name in key_properties]
    if all(value is None for value in values) or not all(name in content for name in key_properties):
        return None
    return shortened(_json(values))


def named_key(content: dict[str, Any], key_properties: list[str]) -> str:
    """Return the identity of a record by its usable key, the names of the properties included."""
    return shortened(f"#{_json({name: content[name] for name in key_properties})}")


def text_id(text: str) -> str:
    """Return a text as ``raw_id``, told apart from every number and JSON text."""
    return _json(text) if _AMBIGUOUS.match(text) or _UNWRITABLE.search(text) else text


def shortened(raw_id: str) -> str:
    """Return *raw_id*, or where it is too long for an index its beginning and its SHA-256."""
    if len(raw_id) <= _SHORT or len(raw_id.encode()) <= _LONGEST:
        return raw_id
    return f"{raw_id[:64]}...sha256:{sha256(raw_id.encode()).hexdigest()}"


def _json(value: Any) -> str:
    try:
        return _encode(_with_digits(value)).decode()
    except UnicodeEncodeError:
        # lone surrogates stay apart as escapes
        return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


def _with_digits(value: Any) -> Any:
    """Return *value* with numbers that no Python number holds as their digits, so that they are not taken for texts."""
    if isinstance(value, UnreadNumber):
        return msgspec.Raw(value.encode())
    if isinstance(value, list):
        return [_with_digits(element) for element in value]
    if isinstance(value, dict):
        return {name: _with_digits(member) for name, member in value.items()}
    return value
