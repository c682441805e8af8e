"""Credentials of a request, and their removal from text that a service answers with.

A service may repeat a request in its error page. Whatever the form in which it does so, the credentials must not reach
a log or a terminal.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus, urlsplit

from tap_kit.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests

MAX_SENTENCE = 4000
"""Longer texts are pages, not sentences; nothing of them is shown."""

INSTEAD = "[token]"
WITHHELD = "[text withheld: it repeats the credentials]"

_SECRET_NAME = re.compile(r"auth|token|key|secret|pass|cookie|code|signature|session", re.IGNORECASE)
_SHORTEST = 4
"""Shorter values are not replaced: they would be found in every text."""


def answer_text(text: str, request: requests.PreparedRequest, limit: int = 200) -> str:
    """Return a short text of a service's answer to *request* in the form in which it may be shown.

    Credentials of the request are replaced in every usual encoding, control characters are escaped, the length is bounded.

    Args:
        text: What the service sent.
        request: What it answered to.
        limit: Greatest length of the result. Texts of more than 4,000 characters return an empty text.
    """
    if len(text) > MAX_SENTENCE:
        return ""
    secrets = request_credentials(request)
    forms = {form for secret in secrets for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = re.sub(re.escape(form), INSTEAD, text, flags=re.IGNORECASE)
    if any(secret.casefold() in decoded.casefold() for secret in secrets for decoded in _decodings(text)):
        return WITHHELD
    return printable(text, limit)


def request_credentials(request: requests.PreparedRequest) -> set[str]:
    """Return the values of *request* that may be secret: of headers, query and form; a basic sign-in in its parts too."""
    fields = [*request.headers.items(), *parse_qsl(urlsplit(request.url or "").query)]
    if "urlencoded" in request.headers.get("Content-Type", ""):
        fields += parse_qsl(_as_text(request.body))
    values = {_as_text(value) for name, value in fields if _SECRET_NAME.search(name)}
    for value in tuple(values):
        scheme, _, credentials = value.partition(" ")
        values.add(credentials.strip())
        if scheme.lower() == "basic":
            values |= _basic_parts(credentials)
    return {value for value in values if len(value) >= _SHORTEST}


def _basic_parts(credentials: str) -> set[str]:
    try:
        pair = base64.b64decode(credentials).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return set()
    user, _, password = pair.partition(":")
    return {pair, user, password}


def _forms(secret: str) -> Iterable[str]:
    """Yield the spellings of a secret in URLs, JSON, HTML, hexadecimal and base64."""
    octets = secret.encode("utf-8", "surrogateescape")
    spelled = json.dumps(secret)[1:-1]
    yield from (secret, quote(octets), quote(octets, safe=""), quote_plus(octets), html.escape(secret))
    yield from (spelled, spelled.replace("/", "\\/"), octets.hex())
    yield from (form for form in _base64_cores(octets) if len(form) >= _SHORTEST)


def _base64_cores(octets: bytes) -> Iterable[str]:
    """Yield what base64 of any text that contains *octets* contains, for each of the three positions."""
    for shift in range(3):
        shifted = base64.b64encode(bytes(shift) + octets).decode().rstrip("=")
        start = -(-shift * 8 // 6)
        end = (shift + len(octets)) * 8 // 6
        core = shifted[start:end]
        yield core
        yield core.replace("+", "-").replace("/", "_")


def _decodings(text: str) -> Iterable[str]:
    """Yield *text* without blanks and with its escapes resolved."""
    plain = html.unescape(text)
    yield plain
    yield unquote(plain)
    yield unquote_plus(unquote(plain))
    yield re.sub(r"\\(?:u00|x)([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), plain).replace(
        "\\", ""
    )
    yield "".join(plain.split())


def _as_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
