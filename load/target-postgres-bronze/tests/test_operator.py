"""The operator command: what it shows, and the sentences when there is nothing to show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from target_postgres_bronze import embedded, project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Bronze = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bronze(tmp_path: Path) -> Bronze:
    """Runs the command in a project of its own, without any variable that names a database."""
    (tmp_path / "meltano.yml").write_text("project_id: test\n")

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "MELTANO"))}
        return subprocess.run(
            [sys.executable, "-m", "target_postgres_bronze.operator", *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env=kept | variables,
        )

    return run


@pytest.fixture
def address(database: str) -> dict[str, str]:
    """The variables that name a database with the layout, which is otherwise empty."""
    with psycopg.connect(database, autocommit=True) as connection:
        for file in sorted((project.sql_dir() / "bronze").glob("*.sql")):
            connection.execute(file.read_bytes())
    return variables(database)


def variables(conninfo: str) -> dict[str, str]:
    parts = conninfo_to_dict(conninfo)
    return {"PG_HOST": str(parts["host"]), "PG_DB": str(parts["dbname"]), "PG_USER": "postgres"}


STREAM = """
    INSERT INTO bronze.runs (run_id, source, environment, status, read_count, new_count, ended_at)
    VALUES ('r1', 'git', 'dev', 'succeeded', 1200, 1200, '2024-02-03 04:05:06');
    INSERT INTO bronze.streams (source, stream, account, lineage_prefix, row_count, record_count, invalid_count, last_run_id)
    VALUES ('git', 'commits', '', '0a1b', 1200, 1100, 7, 'r1');
"""


def test_status_shows_a_line_per_stream(bronze: Bronze, address: dict[str, str], database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STREAM)
    shown = bronze("status", **address)
    assert shown.returncode == 0, shown.stderr
    row = next(line for line in shown.stdout.splitlines() if "commits" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][:5] == [
        "git",
        "commits",
        "1,200",
        "1,100",
        "7",
    ]
    assert "succeeded" in row
    assert "gone" not in shown.stdout


def test_status_for_scripts_is_one_object(bronze: Bronze, address: dict[str, str], database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STREAM)
        connection.execute(
            "INSERT INTO bronze.dead_letters (source, category, reason, original, original_hash, first_run_id, last_run_id)"
            " VALUES ('git', 'validation', 'no JSON', 'x', 'h', 'r1', 'r1')"
        )
    told = json.loads(bronze("status", "--json", **address).stdout)
    assert told["streams"][0]["row_count"] == 1200
    assert told["streams"][0]["last_run_ended_at"] == "2024-02-03T04:05:06"
    assert told["dead_letters"][0] | {"last_seen_at": ""} == {
        "source": "git",
        "category": "validation",
        "open_count": 1,
        "last_seen_at": "",
    }


def test_status_of_an_empty_database_says_what_to_do(bronze: Bronze, database: str) -> None:
    shown = bronze("status", **variables(database))
    assert shown.returncode == 1
    assert "nothing has been loaded here yet. Run a pipeline" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_json_is_one_document_also_when_there_is_nothing_or_an_error(bronze: Bronze, database: str) -> None:
    empty = bronze("status", "--json", **variables(database))
    assert (empty.returncode, json.loads(empty.stdout)["streams"]) == (0, [])
    refused = bronze("catalog", "--json", **variables(database))
    assert (refused.returncode, list(json.loads(refused.stdout))) == (1, ["error"])


def test_psql_takes_its_own_arguments_and_returns_its_exit_code(bronze: Bronze, database: str) -> None:
    address = variables(database)
    shown = bronze("psql", "-At", "-c", "SELECT current_database()", **address)
    assert shown.stdout.strip() == address["PG_DB"]
    assert bronze("psql", "-c", "SELECT nonsense", **address).returncode == 1


def test_an_unreachable_server_is_a_sentence_for_every_command(bronze: Bronze, tmp_path: Path) -> None:
    for words in (["status"], ["psql"], ["db", "start"]):
        shown = bronze(*words, PG_HOST=str(tmp_path), PG_PASS="geheim")
        assert shown.returncode == 1
        assert "no server answers there" in shown.stderr
        assert "Traceback" not in shown.stderr
        assert "geheim" not in shown.stderr


def test_the_embedded_server_is_started_named_and_stopped(bronze: Bronze, tmp_path: Path) -> None:
    assert bronze("db", "status").stdout.startswith("Not running")
    assert bronze("db", "start").stdout == "embedded PostgreSQL, database bronze is running.\n"
    try:
        with psycopg.connect(bronze("db", "url").stdout.strip()) as connection:
            assert connection.info.dbname == "bronze"
        assert bronze("-e", "demo", "psql", "-Atc", "SELECT current_database()").stdout == "bronze_demo\n"
        assert bronze("db", "status").stdout.startswith("Running")
    finally:
        assert bronze("db", "stop").stdout == "Stopped.\n"
    assert embedded.status(tmp_path / "data" / "postgres") is None


def test_a_named_servers_url_has_no_password(bronze: Bronze) -> None:
    shown = bronze("db", "url", PG_HOST="db.home", PG_USER="ann", PG_PASS="geheim")
    assert shown.stdout == "postgresql://ann@db.home:5432/bronze\n"


PLUGIN = """
plugins:
  extractors:
  - name: tap-sea
    pip_url: -e extract/tap-sea
    settings:
    - {name: api_token, sensitive: true}
    - {name: api_key, sensitive: true, value: $SEA_KEY}
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A project with one extractor, whose environment is there."""
    (tmp_path / "plugins" / "extractors").mkdir(parents=True)
    (tmp_path / "plugins" / "extractors" / "tap-sea.meltano.yml").write_text(PLUGIN)
    installed = tmp_path / ".meltano" / "extractors" / "tap-sea" / "venv"
    installed.mkdir(parents=True)
    return installed


@pytest.mark.usefixtures("plugin")
def test_doctor_names_credentials_that_are_missing(bronze: Bronze, address: dict[str, str]) -> None:
    shown = bronze("doctor", TAP_SEA_API_TOKEN="x", **address)
    assert shown.returncode == 0, shown.stdout
    assert "--  tap-sea is installed; SEA_KEY is not set  ->  To use it, set it in .env" in shown.stdout
    assert "credentials are set" in bronze("doctor", TAP_SEA_API_TOKEN="x", SEA_KEY="y", **address).stdout


def test_doctor_fails_for_a_plugin_that_is_not_installed(
    bronze: Bronze, address: dict[str, str], plugin: Path
) -> None:
    plugin.rmdir()
    shown = bronze("doctor", **address)
    assert shown.returncode == 1
    assert "!!  tap-sea is not installed  ->  Run ./bronze setup." in shown.stdout


def test_doctor_fails_for_a_database_that_does_not_answer(bronze: Bronze, tmp_path: Path) -> None:
    shown = bronze("doctor", PG_HOST=str(tmp_path))
    assert shown.returncode == 1
    assert "no server answers there" in shown.stdout


def test_doctor_compares_the_layouts(bronze: Bronze, address: dict[str, str], database: str) -> None:
    assert "The database has no layout yet" in bronze("doctor", **address).stdout
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO bronze.layout (version, fingerprint) VALUES (9999, 'later')")
    shown = bronze("doctor", **address)
    assert shown.returncode == 1
    assert "The layout is version 9999" in shown.stdout


def test_no_project_is_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "target_postgres_bronze.operator", "db", "status"]
    env = os.environ | {"MELTANO_PROJECT_ROOT": str(tmp_path)}
    shown = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert shown.returncode == 1
    assert "has no meltano.yml" in shown.stderr


def test_the_version_is_the_packages(bronze: Bronze) -> None:
    assert bronze("--version").stdout == f"bronze, version {version('target-postgres-bronze')}\n"
