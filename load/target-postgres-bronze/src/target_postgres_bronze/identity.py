"""A record's identity: ``raw_id``, so written that different keys never meet.

One key property: a number as its digits, a text as it is; a text that could be taken for a number, a word of JSON or a
JSON text is written with its quotes. Several: a JSON array. Nothing usable: the content's hash.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any, Final

import msgspec

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
    """Return the ``raw_id`` of a record by its key, or None where a property is missing or all are null."""
    if len(key_properties) == 1:
        value = content.get(key_properties[0])
        if value is None:
            return None
        if type(value) is int:
            text = str(value)
            return text if len(text) <= _SHORT else shortened(text)
        return shortened(text_id(value) if type(value) is str else _json(value))
    values = [content.get(name) for name in key_properties]
    if all(value is None for value in values) or not all(name in content for name in key_properties):
        return None
    return shortened(_json(values))


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
        return _encode(value).decode()
    except UnicodeEncodeError:
        # lone surrogates stay apart as escapes
        return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
