"""Deterministic Singer streams for the benchmark: invented records in the shape of real ones."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_STATE_EVERY = 5000
_START = datetime(2022, 1, 1, tzinfo=UTC)
_WORDS = [
    "review",
    "plan",
    "write",
    "call",
    "fix",
    "read",
    "draft",
    "invoice",
    "travel",
    "design",
    "test",
    "release",
    "support",
]


def time_entry(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a time entry of 19 fields and about 470 bytes, one every 20 minutes."""
    start = _START + timedelta(minutes=20 * number)
    stop = start + timedelta(seconds=chance.randint(300, 1200))
    return {
        "id": 3_000_000_000 + number,
        "workspace_id": 7_000_001,
        "project_id": 190_000_000 + chance.randint(1, 40),
        "task_id": None,
        "billable": chance.choice((True, False, False)),
        "start": start.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "stop": stop.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration": int((stop - start).total_seconds()),
        "description": " ".join(chance.choices(_WORDS, k=6)),
        "tags": chance.sample(_WORDS, 2),
        "tag_ids": [chance.randint(1, 90), chance.randint(1, 90)],
        "duronly": True,
        "at": stop.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "server_deleted_at": None,
        "user_id": 5_000_001,
        "uid": 5_000_001,
        "wid": 7_000_001,
        "pid": None,
        "permissions": None,
    }


def heart_rate(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a heart-rate point of about 120 bytes, one a minute."""
    moment = _START + timedelta(minutes=number)
    return {
        "id": number,
        "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "heart_rate": chance.randint(48, 170),
        "device": "watch-1",
        "confidence": chance.randint(0, 100),
    }


def activity(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a nested activity of about 4 KB, three a day."""
    start = _START + timedelta(hours=8 * number)
    return {
        "id": 9_000_000_000 + number,
        "name": " ".join(chance.choices(_WORDS, k=4)),
        "start_date": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "distance": round(chance.uniform(1000, 40000), 1),
        "gear": {"id": f"g{chance.randint(1, 9)}", "primary": True},
        "laps": [
            {
                "index": lap,
                "elapsed_time": chance.randint(200, 600),
                "distance": round(chance.uniform(900, 1100), 2),
                "average_heartrate": round(chance.uniform(110, 175), 1),
                "start_index": lap * 300,
                "end_index": lap * 300 + 299,
                "pace_zone": chance.randint(1, 5),
            }
            for lap in range(27)
        ],
    }


def _schema_of(record: dict[str, Any]) -> dict[str, Any]:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    properties = {
        name: {
            "type": ["null", *({kinds[type(value)]} if value is not None else {"integer", "array", "string"})]
        }
        for name, value in record.items()
    }
    return {"type": "object", "properties": properties}


KINDS: dict[str, tuple[Callable[[int, random.Random], dict[str, Any]], str]] = {
    "time_entries": (time_entry, "start"),
    "heart_rate": (heart_rate, "timestamp"),
    "activities": (activity, "start_date"),
}


def messages(kind: str, count: int, *, changed: float = 0.0) -> Iterator[str]:
    """Yield a SCHEMA, *count* RECORDs and STATEs in between; the same for the same arguments.

    Args:
        kind: One of `KINDS`.
        count: Records.
        changed: Share of records whose content differs from that without it.
    """
    make, moment = KINDS[kind]
    schema = _schema_of(make(0, random.Random(0))) | {"x-source-timestamp": moment}
    schema["properties"]["id"] = {"type": "integer"}
    yield json.dumps({"type": "SCHEMA", "stream": kind, "schema": schema, "key_properties": ["id"]})
    every = round(1 / changed) if changed else 0
    for number in range(count):
        record = make(number, random.Random(number))
        if every and number % every == 0:
            record["description"] = record["device"] = record["name"] = "changed"
            record = {name: value for name, value in record.items() if name in schema["properties"]}
        yield json.dumps(
            {
                "type": "RECORD",
                "stream": kind,
                "record": record,
                "time_extracted": "2026-01-01T00:00:00+00:00",
            },
            separators=(",", ":"),
        )
        if number % _STATE_EVERY == _STATE_EVERY - 1:
            yield json.dumps({"type": "STATE", "value": {"bookmarks": {kind: {"position": number}}}})


def write(path: Path, kind: str, count: int, *, changed: float = 0.0) -> None:
    """Write `messages` to a file, a line each."""
    with path.open("w") as out:
        out.writelines(f"{line}\n" for line in messages(kind, count, changed=changed))
