"""Every request of a tap goes through the kit's client, which bounds the answers."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]

OTHER_WAYS = re.compile(
    r"requests\.(?:get|post|put|patch|delete|head|request|Session)\("
    r"|session\.(get|post|put|patch|delete|head|request|send)\("
    r"|urlopen|urlretrieve|HTTPS?Connection\(|create_connection"
    r"|import (httpx|aiohttp|curl_cffi|pycurl)|from (httpx|aiohttp|curl_cffi|pycurl)"
)

ALLOWED = {
    ("tap_kit/client.py", "session.send("),  # the way itself
    ("tap_garmin/tokens.py", "from curl_cffi"),  # the handshake of a browser; bounded there
}


def test_no_tap_goes_around_the_client() -> None:
    found = {
        ("/".join(path.parts[-2:]), match[0])
        for path in PROJECT.glob("extract/*/src/**/*.py")
        if "standin" not in path.parts
        for match in OTHER_WAYS.finditer(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED
