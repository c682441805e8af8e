"""The command: what it says of itself, and its two ways in, which do the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from target_postgres.target import TargetPostgres

from target_postgres_bronze.settings import OWN_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Bronze

    Command = Callable[..., subprocess.CompletedProcess[bytes]]

COMMAND = Path(sys.executable).with_name("target-postgres-bronze")


@pytest.fixture
def command(bronze_18: Bronze, tmp_path: Path) -> Command:
    """Runs the command where no project is, with the database named by variables."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "MELTANO", "TARGET"))
    }

    def run(*arguments: str, given: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [str(COMMAND), *arguments],
            input=given,
            check=False,
            capture_output=True,
            timeout=60,
            cwd=tmp_path,
            env=kept | bronze_18.env | variables,
        )

    return run


def test_it_tells_the_connection_settings_of_target_postgres_and_its_own(command: Command) -> None:
    about = json.loads(command("--about", "--format=json").stdout)

    told: dict[str, Any] = about["settings"]["properties"]
    theirs: dict[str, Any] = TargetPostgres.config_jsonschema["properties"]
    connection = {name for name in theirs if name.startswith("ssl_")} | {
        *("host", "port", "user", "password", "database", "sqlalchemy_url", "ssh_tunnel")
    }
    assert connection <= theirs.keys()
    assert told.keys() == connection | OWN_SETTINGS.keys()
    assert all(schema.get("description") for schema in told.values())
    assert {name for name, schema in told.items() if schema.get("secret")} >= {"password", "sqlalchemy_url"}


def test_it_tells_its_version(command: Command) -> None:
    said = command("--version")

    assert said.returncode == 0
    assert version("target-postgres-bronze").encode() in said.stdout + said.stderr


WAYS = [
    (["--config", "config.json", "--input", "messages.singer"], {}),
    (["--config=config.json"], {}),
    (["--config", "config.json", "--config", "more.json"], {}),
    (["--config=ENV", "--input", "messages.singer"], {"TARGET_POSTGRES_BRONZE_SOURCE": "shop", "TARGET_POSTGRES_BRONZE_ARCHIVE": "false"}),
    (["--config=ENV"], {"TARGET_POSTGRES_BRONZE_SOURCE": "shop", "TARGET_POSTGRES_BRONZE_ARCHIVE": "false"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "variables"),
    WAYS,
    ids=["files", "stdin", "two files", "environment", "environment and stdin"],
)
def test_every_way_in_lands_the_same(
    command: Command, bronze_18: Bronze, tmp_path: Path, arguments: list[str], variables: dict[str, str]
) -> None:
    messages = bronze_18.lines(
        bronze_18.schema(), bronze_18.raw_record(b'{"id": 1.10, "a": "\xc3\xa9"}'), bronze_18.state({"a": 1})
    )
    (tmp_path / "messages.singer").write_bytes(messages)
    (tmp_path / "config.json").write_text(json.dumps({"source": "shop", "archive": False}))
    (tmp_path / "more.json").write_text("{}")

    done = command(*arguments, given=messages, **variables)

    assert done.returncode == 0, done.stderr
    assert done.stdout == b'{"a": 1}\n'
    assert b"shop.orders: 1 read, 1 new" in done.stderr
    assert bronze_18.query("SELECT raw_id, raw_data::text FROM bronze_shop") == [
        ("1.10", '{"a": "é", "id": 1.10}')
    ]


@pytest.mark.parametrize("way", ["files", "environment"])
def test_every_way_in_fails_with_the_same_sentence_and_code(
    command: Command, tmp_path: Path, way: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"source": "shop", "archive": False}))
    named = {"TARGET_POSTGRES_BRONZE_SOURCE": "shop", "TARGET_POSTGRES_BRONZE_ARCHIVE": "false"}
    arguments = ["--config=ENV"] if way == "environment" else ["--config", "config.json"]

    done = command(*arguments, given=b"", PG_DB="missing", **named)

    assert done.returncode == 1
    assert b"the database does not exist" in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--config", "missing.json"], b"missing.json cannot be read"),
        (["--config", "list.json"], b"holds no JSON object"),
        (["--config", "broken.json"], b"is no JSON"),
        (["--config", "good.json", "--input", "missing.singer"], b"missing.singer cannot be read"),
    ],
    ids=["no file", "list", "no json", "no input"],
)
def test_a_file_that_cannot_be_read_is_one_sentence(
    command: Command, tmp_path: Path, arguments: list[str], sentence: bytes
) -> None:
    for name, text in (("list", "[]"), ("broken", "{"), ("good", "{}")):
        (tmp_path / f"{name}.json").write_text(text)

    done = command(*arguments)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert b"Traceback" not in done.stderr
