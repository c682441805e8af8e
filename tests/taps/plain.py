"""A tap as they were before any SDK: prints SCHEMA, RECORD and STATE lines, and knows nothing else.

It takes ``--config`` and ``--state``, and has no catalog. Its invented letters are numbered; with a state it sends
those that come after it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

LETTERS = [
    {"id": number, "Subject": f"Letter {number}", "sent": f"2024-0{number}-01"} for number in (1, 2, 3)
]


def main() -> None:
    """Print the messages."""
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    state = json.loads(Path(options["--state"]).read_text()) if "--state" in options else {}
    last = state.get("last", 0)
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "Subject": {"type": "string"}}}
    print(json.dumps({"type": "SCHEMA", "stream": "letters", "schema": schema, "key_properties": ["id"]}))  # noqa: T201 - it is its output
    for letter in LETTERS:
        if letter["id"] > last:
            print(json.dumps({"type": "RECORD", "stream": "letters", "record": letter}))  # noqa: T201 - the same
    print(json.dumps({"type": "STATE", "value": {"last": 3}}))  # noqa: T201 - the same


main()
