"""Servers and databases for the tests: the embedded PostgreSQL always, Debian's 15 where its programs are."""

from __future__ import annotations

import io
import itertools
import json
import logging
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from target_postgres_bronze import embedded, project
from target_postgres_bronze.embedded_account import account_for
from target_postgres_bronze.layout import ensure_layout, read_layout
from target_postgres_bronze.pipeline import run_loader

if TYPE_CHECKING:
    from collections.abc import Iterator

_numbers = itertools.count(1)


def _programs_of_15() -> Path | None:
    """Return the folder of PostgreSQL 15's programs, if this machine has them."""
    on_path = shutil.which("postgres")
    for folder in (
        os.environ.get("PG_BIN_15"),
        on_path and Path(on_path).parent,
        "/usr/lib/postgresql/15/bin",
    ):
        if folder and Path(folder, "initdb").exists() and "15" in Path(folder).resolve().parts:
            return Path(folder).resolve()
    return None


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """The embedded server on a fresh folder."""
    data_dir = tmp_path_factory.mktemp("embedded") / "postgres"
    yield embedded.ensure_running(data_dir)
    embedded.stop(data_dir)


@pytest.fixture(scope="session")
def server_15(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Server]:
    """PostgreSQL 15 on a fresh folder, reached over a socket as well."""
    programs = _programs_of_15()
    assert programs is not None
    data_dir = tmp_path_factory.mktemp("server15") / "data"
    account = account_for(data_dir, programs / "postgres")
    data_dir.mkdir()
    account.own(data_dir)
    initdb = [str(programs / "initdb"), "-D", str(data_dir), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    assert account.run([*initdb, "--locale=C.UTF-8", "--data-checksums"], timeout=120).returncode == 0
    control = [str(programs / "pg_ctl"), "-w", "-s", "-D", str(data_dir)]
    options = f"-c listen_addresses= -c max_locks_per_transaction=256 -k '{data_dir}'"
    started = account.run([*control, "-l", str(data_dir / "log"), "-o", options, "start"], timeout=60)
    assert started.returncode == 0, started.stdout
    yield embedded.Server(data_dir=data_dir, socket_dir=data_dir)
    account.run([*control, "-m", "immediate", "stop"], timeout=60)


@pytest.fixture(scope="session", params=["embedded", *(["15"] if _programs_of_15() else [])])
def server(request: pytest.FixtureRequest) -> embedded.Server:
    """Every server that a person may have here, one after the other."""
    name = {"embedded": "embedded_server", "15": "server_15"}[request.param]
    found: embedded.Server = request.getfixturevalue(name)
    return found


@pytest.fixture
def database(server: embedded.Server) -> Iterator[str]:
    """A fresh database: its connection string."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        yield make_conninfo(server.conninfo(name))
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@dataclass(frozen=True)
class Outcome:
    """What a run of the loader left behind: its exit code, the STATE values it confirmed, what it said."""

    code: int
    states: list[Any]
    log: str


class Bronze:
    """A database with the layout, a loader in front of it, and short ways to write Singer messages.

    The source is ``shop``, the stream ``orders`` unless a call names others.
    """

    def __init__(self, conninfo: str, folder: Path) -> None:
        self.conninfo = conninfo
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        parts = conninfo_to_dict(conninfo)
        self.env = {
            "PG_HOST": str(parts["host"]),
            "PG_PORT": str(parts.get("port", "")),
            "PG_DB": str(parts["dbname"]),
            "PG_USER": str(parts["user"]),
        }

    @staticmethod
    def schema(
        stream: str = "orders",
        *,
        key: str | list[str] | None = "id",
        properties: dict[str, Any] | None = None,
        replication_key: str | None = None,
        **annotations: Any,
    ) -> dict[str, Any]:
        """Make a SCHEMA message; ``x_absence="full"`` becomes the annotation ``x-absence``."""
        schema = {"type": "object"} if properties is None else {"type": "object", "properties": properties}
        message: dict[str, Any] = {
            "type": "SCHEMA",
            "stream": stream,
            "schema": schema | {name.replace("_", "-"): value for name, value in annotations.items()},
            "key_properties": [key] if isinstance(key, str) else key or [],
        }
        if replication_key:
            message["bookmark_properties"] = [replication_key]
        return message

    @staticmethod
    def record(content: dict[str, Any], stream: str = "orders", **provenance: Any) -> dict[str, Any]:
        """Make a RECORD message; further names are members of its provenance."""
        message = {"type": "RECORD", "stream": stream, "record": content}
        return message | {"provenance": provenance} if provenance else message

    @staticmethod
    def raw_record(content: bytes, stream: str = "orders") -> bytes:
        """Make a RECORD message around a record's own bytes."""
        return b'{"type": "RECORD", "stream": "%s", "record": %s}' % (stream.encode(), content)

    @staticmethod
    def state(value: Any) -> dict[str, Any]:
        """Make a STATE message."""
        return {"type": "STATE", "value": value}

    @staticmethod
    def finish(stream: str = "orders") -> dict[str, Any]:
        """Make the ACTIVATE_VERSION message that ends a stream."""
        return {"type": "ACTIVATE_VERSION", "stream": stream, "version": 1}

    @staticmethod
    def lines(*messages: dict[str, Any] | bytes) -> bytes:
        """Write messages as a tap does; bytes are lines as they are."""
        return b"".join(
            (message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode())
            + b"\n"
            for message in messages
        )

    def load(self, *messages: dict[str, Any] | bytes, **settings: Any) -> Outcome:
        """Run the loader in this process."""
        return self.load_from(io.BytesIO(self.lines(*messages)), **settings)

    def load_from(self, source: IO[Any], /, **settings: Any) -> Outcome:
        """Run the loader in this process on *source*."""
        out, log = io.BytesIO(), io.StringIO()
        handler = logging.StreamHandler(log)
        logger = logging.getLogger("target_postgres_bronze")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            code = run_loader(self.config(**settings), source, out, self.env)
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
        return Outcome(code, [json.loads(line) for line in out.getvalue().splitlines()], log.getvalue())

    def start(self, messages: Path | None = None, **settings: Any) -> subprocess.Popen[bytes]:
        """Start the loader as a process of its own, reading a file or waiting for messages on its standard input."""
        config = self.folder / "config.json"
        config.write_text(json.dumps(self.config(**settings)))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "MELTANO"))}
        arguments = ["--config", str(config), *(["--input", str(messages)] if messages else [])]
        loader = subprocess.Popen(
            [str(Path(sys.executable).with_name("target-postgres-bronze")), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=kept | self.env,
        )
        self.started.append(loader)
        return loader

    def config(self, **settings: Any) -> dict[str, Any]:
        """Return the loader's settings: source ``shop``, the archive off unless a folder is named."""
        return {"source": "shop", "archive": "archive_dir" in settings, **settings}

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def column(self, expression: str, where: str = "TRUE") -> list[Any]:
        """Return an expression over the rows of bronze_shop, in the order of their landing."""
        return [
            row[0] for row in self.query(f"SELECT {expression} FROM bronze_shop WHERE {where} ORDER BY id")
        ]

    def books(self) -> tuple[str, int, int, int, int, int]:
        """Return the newest run's outcome and figures: read, new, changed, known, rejected."""
        (row,) = self.query(
            "SELECT status, read_count, new_count, changed_count, known_count, rejected_count FROM bronze.runs "
            "ORDER BY started_at DESC LIMIT 1"
        )
        return row


@pytest.fixture(scope="session")
def templates() -> dict[str, str]:
    """By the server's data folder, the name of its database that has the layout and the source shop."""
    return {}


def _template(server: embedded.Server, templates: dict[str, str]) -> str:
    key = str(server.data_dir)
    if key not in templates:
        templates[key] = "with_layout"
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
            # hundreds of databases come and go; none has to outlive a power failure
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
            admin.execute("CREATE DATABASE with_layout")
        with psycopg.connect(server.conninfo("with_layout"), autocommit=True) as connection:
            ensure_layout(connection, read_layout(project.sql_dir()))
            connection.execute("SELECT bronze.create_source('shop')")
    return templates[key]


def _copy(server: embedded.Server, templates: dict[str, str], folder: Path) -> Iterator[Bronze]:
    template = _template(server, templates)
    name = f"bronze_{next(_numbers)}"
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        bronze = Bronze(server.conninfo(name), folder)
        yield bronze
        for loader in bronze.started:
            loader.kill()
            loader.wait(timeout=30)
            for stream in (loader.stdin, loader.stdout, loader.stderr):
                assert stream is not None
                with suppress(BrokenPipeError):
                    stream.close()
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def bronze(server: embedded.Server, templates: dict[str, str], tmp_path: Path) -> Iterator[Bronze]:
    """A database with the layout, on every server."""
    yield from _copy(server, templates, tmp_path)


@pytest.fixture
def bronze_18(
    embedded_server: embedded.Server, templates: dict[str, str], tmp_path: Path
) -> Iterator[Bronze]:
    """The same on the embedded server alone, for what PostgreSQL's version has no part in."""
    yield from _copy(embedded_server, templates, tmp_path)


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[tuple[Bronze, Path]]:
    """An embedded server that a test may stop and start: its database, and its data folder."""
    data_dir = tmp_path_factory.mktemp("own") / "postgres"
    yield Bronze(embedded.ensure_running(data_dir).conninfo("postgres"), tmp_path), data_dir
    embedded.stop(data_dir)
