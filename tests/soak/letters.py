"""A tap for the trials: prints its invented letters slowly, with a STATE after every tenth, and resumes where a state says."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

COUNT = 600


def say(**message: object) -> None:
    """Print a message at once."""
    print(json.dumps(message), flush=True)  # noqa: T201 - it is its output


def main() -> None:
    """Print the messages."""
    options = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    state = json.loads(Path(options["--state"]).read_text()) if "--state" in options else {}
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "sent": {"type": "string"}}}
    say(type="SCHEMA", stream="letters", schema=schema, key_properties=["id"], bookmark_properties=["sent"])
    for number in range(state.get("last", 0), COUNT):
        sent = f"20{20 + number % 4}-{number % 12 + 1:02}-01"
        say(type="RECORD", stream="letters", record={"id": number, "sent": sent})
        if number % 10 == 9:
            say(type="STATE", value={"last": number + 1})
            time.sleep(0.03)


main()
