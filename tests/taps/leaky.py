"""A tap of a careless hand: lines that are no messages, records that break their schema, and an exit code of 1."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Print the messages; every text in them is the setting ``note``, which is an invented person's own words."""
    config = json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
    note = config["note"]
    when = {"type": "string", "format": "date-time"}
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "at": when}, "required": ["at"]}
    messages = [
        {"type": "SCHEMA", "stream": "notes", "schema": schema, "key_properties": ["id"]},
        {
            "type": "RECORD",
            "stream": "notes",
            "record": {"id": 1, "at": "2024-01-01T00:00:00Z", "note": note},
        },
        {"type": "RECORD", "stream": "notes", "record": {"id": note, "at": note}},
        {"type": "RECORD", "stream": "notes", "record": {"at": None, note: note}},
        {"type": "RECORD", "stream": "notes", "record": note},
        {"type": "STATE", "value": {"last": 3}},
    ]
    for message in messages:
        print(json.dumps(message))  # noqa: T201 - it is its output
    print(f'{{"type": "RECORD", "stream": "notes", "record": {{"note": "{note}')  # noqa: T201 - the same
    sys.exit(1)


main()
