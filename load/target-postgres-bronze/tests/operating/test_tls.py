"""docs/moving.md, step by step, to a server that wants TLS; and what is said when the encryption does not stand."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from copy import copy
from typing import TYPE_CHECKING

import psycopg
import pytest

from operating.tls import HOST, Authority, TlsServer, programs
from target_postgres_bronze import project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operating.conftest import Bronze, Operator

OWNER, PASSWORD = "bronze", "p%40ss"
#: As docs/moving.md has it.
MAKE = (
    "CREATE ROLE bronze LOGIN CREATEDB CREATEROLE CONNECTION LIMIT 20 PASSWORD 'p@ss'",
    "CREATE DATABASE bronze OWNER bronze ENCODING 'UTF8' TEMPLATE template0",
)
FINGERPRINTS = "SELECT * FROM bronze.fingerprints ORDER BY name"


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """A server on the loopback address that wants TLS and a password."""
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL with TLS is here: the embedded one is built without")
    server = TlsServer(tmp_path_factory.mktemp("tls"), found)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def there(tls_server: TlsServer) -> Iterator[TlsServer]:
    """The server with the new database and the user that owns it."""
    with tls_server.admin() as admin:
        for statement in MAKE:
            admin.execute(statement.encode())
        yield tls_server
        admin.execute("DROP DATABASE bronze WITH (FORCE)")
        for role in ("etl", "silver", "bronze_loader", "bronze_reader", OWNER):
            admin.execute(f"DROP ROLE IF EXISTS {role}".encode())


def name_in_env(operator: Operator, url: str) -> None:
    """Write *url* into `.env`, as step 4 says."""
    (operator.root / ".env").write_text(f"PG_URL='{url}'\n")
    (operator.root / ".env").chmod(0o600)


@pytest.fixture
def moving(orders: Operator, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """The project with its rows in the embedded server and a backup; the next step names the new server in `.env`."""
    assert orders("backup", "saved").code == 0
    for name in orders.bronze.env:
        monkeypatch.delenv(name)
    return orders


def program(operator: Operator, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a program of its own, as it becomes psql."""
    command = [sys.executable, "-m", "target_postgres_bronze.operator", *words]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, cwd=operator.root, env=os.environ
    )


def loader_of(operator: Operator, url: str) -> Bronze:
    """Return the loader, aimed at *url*."""
    other = copy(operator.bronze)
    other.env = {"PG_URL": url}
    other.conninfo = url
    return other


@pytest.mark.parametrize("tools", ["whatever is here", "what comes along alone"])
def test_moving_to_a_server_with_tls_step_by_step(
    moving: Operator, there: TlsServer, tools: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tools == "what comes along alone":
        monkeypatch.setattr("target_postgres_bronze.operator.pgtools.DEBIAN", project.sql_dir() / "none")
        monkeypatch.setenv("PATH", "/none")
    before = moving.bronze.query(FINGERPRINTS)
    url = there.url(OWNER, PASSWORD)
    name_in_env(moving, url)
    doctor = moving("doctor")
    assert f"{OWNER}@{HOST}:{there.port}/bronze answers" in doctor.out

    (folder,) = (file for file in (moving.root / "saved").iterdir() if file.name != "archive")
    answer = moving("restore", str(folder))
    assert answer.code == 0, answer.err
    assert loader_of(moving, url).query(FINGERPRINTS) == before
    answer = moving("verify")
    assert (answer.code, answer.out) == (0, "shop: 6 rows, everything agrees.\n"), answer.out

    make = loader_of(moving, url)
    outcome = make.load(make.schema(), make.record({"id": 100}))
    assert outcome.code == 0, outcome.log
    answer = moving("backup", "saved there")
    assert answer.code == 0, answer.err
    assert "restored into a scratch database and found equal" in answer.out

    shown = program(moving, "psql", "-At", "-c", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert shown.stdout == "t\n", shown.stderr


def test_the_least_that_each_role_needs_over_tls(moving: Operator, there: TlsServer) -> None:
    name_in_env(moving, there.url(OWNER, PASSWORD))
    (folder,) = (file for file in (moving.root / "saved").iterdir() if file.name != "archive")
    assert moving("restore", str(folder)).code == 0
    for words in (
        ("-f", str(project.sql_dir() / "roles.sql")),
        ("-c", "CREATE ROLE etl LOGIN PASSWORD 'e' IN ROLE bronze_loader"),
        ("-c", "CREATE ROLE silver LOGIN PASSWORD 's' IN ROLE bronze_reader"),
    ):
        done = program(moving, "psql", "-v", "ON_ERROR_STOP=1", "-q", *words)
        assert done.returncode == 0, done.stderr

    etl = loader_of(moving, there.url("etl", "e"))
    outcome = etl.load(etl.schema(), etl.record({"id": 100}))
    assert outcome.code == 0, outcome.log
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        etl.query("SET bronze.maintenance = 'on'; DELETE FROM bronze_shop")

    silver = loader_of(moving, there.url("silver", "s"))
    assert silver.query("SELECT count(*) FROM bronze_shop") == [(7,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        silver.query("UPDATE bronze.heads SET gone = TRUE")


#: What is wrong, and what is said of it.
WRONG = {
    "authority": "the server's certificate is signed by an authority that sslrootcert does not hold",
    "expired": "the server's certificate has expired. Renew it on the server",
    "not yet valid": "the server's certificate is not valid yet. Correct this machine's clock",
    "host": "the server's certificate is for another host (db.example.org)",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_certificate_that_does_not_prove_the_server_is_a_sentence(
    moving: Operator, there: TlsServer, wrong: str
) -> None:
    authority = there.authority
    signed = {
        "authority": Authority.make("somebody else").sign(HOST),
        "expired": authority.sign(HOST, days=-100),
        "not yet valid": authority.sign(HOST, days=100),
        "host": authority.sign("db.example.org"),
    }
    there.show(*signed[wrong])
    url = there.url(OWNER, PASSWORD)
    name_in_env(moving, url)
    outcome = loader_of(moving, url).load(moving.bronze.schema())
    assert outcome.code == 1
    for said in (moving("status").err, outcome.log.strip() + "\n"):
        assert said.startswith(f"{OWNER}@{HOST}:{there.port}/bronze: {WRONG[wrong]}")
        assert said.count("\n") == 1
        assert "p@ss" not in said
    there.show(*authority.sign(HOST))
    assert "nothing has been loaded here yet" in moving("status").err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ca": "none.pem"}, "none.pem, is not there. Correct sslrootcert in PG_URL"),
        ({"ca": "data/PG_VERSION"}, "PG_VERSION, cannot be read. Correct sslrootcert in PG_URL"),
        ({"sslmode": "disable"}, "only with TLS, or not at all. Add ?sslmode=verify-full&sslrootcert=FILE"),
        ({"sslmode": "verifyfull"}, "there is no sslmode verifyfull. Write sslmode=verify-full"),
    ],
    ids=["no authority", "no PEM", "without TLS", "misspelt"],
)
def test_settings_that_do_not_fit_the_server_are_a_sentence(
    moving: Operator, there: TlsServer, options: dict[str, str], words: str
) -> None:
    name_in_env(moving, there.url(OWNER, PASSWORD, **options))
    said = moving("status").err
    assert words in said
    assert said.count("\n") == 1


def test_a_server_without_tls_is_a_sentence(orders: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        for name in orders.bronze.env:
            monkeypatch.delenv(name)
        name_in_env(orders, f"postgresql://ann@127.0.0.1:{listening.getsockname()[1]}/bronze?sslmode=require")

        def refuse() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(8)
                connection.sendall(b"N")

        answering = threading.Thread(target=refuse)
        answering.start()
        said = orders("status").err
        answering.join()
    assert "the server speaks no TLS. Turn it on there" in said
