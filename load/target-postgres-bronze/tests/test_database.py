"""Which database is meant, how it is shown, and what a person reads when it cannot be reached."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from target_postgres_bronze import embedded, project
from target_postgres_bronze.database import DatabaseError, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PG = {"PG_HOST": "db.home", "PG_PORT": "6000", "PG_DB": "life", "PG_USER": "ann", "PG_PASS": "p'w d"}


@pytest.mark.parametrize(
    ("config", "env", "expected", "display"),
    [
        pytest.param({}, PG, {"host": "db.home", "port": "6000", "dbname": "life", "user": "ann", "password": "p'w d"}, "ann@db.home:6000/life", id="variables"),
        pytest.param({}, {"PG_HOST": "db.home"}, {"host": "db.home", "dbname": "bronze"}, "db.home:5432/bronze", id="host alone"),
        pytest.param({}, PG | {"PG_URL": "postgresql://bo:s%40c@other/x"}, {"host": "other", "dbname": "x", "user": "bo", "password": "s@c"}, "bo@other:5432/x", id="url before host"),
        pytest.param({"host": "set", "port": 1, "user": "u", "password": "w", "database": "d"}, PG, {"host": "set", "port": "1", "dbname": "d", "user": "u", "password": "w"}, "u@set:1/d", id="settings before variables"),
        pytest.param({"sqlalchemy_url": "postgresql+psycopg://u:w@h:2/d?sslmode=require", "host": "no"}, PG, {"host": "h", "port": "2", "dbname": "d", "user": "u", "password": "w", "sslmode": "require"}, "u@h:2/d", id="sqlalchemy_url before all"),
        pytest.param({"host": "", "sqlalchemy_url": None, "port": 5432}, PG, {"host": "db.home"}, "ann@db.home:6000/life", id="empty is unset"),
    ],
)  # fmt: skip
def test_the_first_that_is_named_is_meant(
    config: Mapping[str, Any], env: Mapping[str, str], expected: Mapping[str, str], display: str
) -> None:
    target = resolve(config, env)
    assert expected.items() <= conninfo_to_dict(target.conninfo).items()
    assert target.display == display
    assert not any(secret in repr(target) for secret in ("p'w", "s@c", "s%40c", ":w@"))


@pytest.mark.parametrize("url", ["mysql://h/d", "h:5432/d", "postgresql://u:se/cr@et@h:x/d"])
def test_a_url_that_is_none_is_told_without_quoting_it(url: str) -> None:
    with pytest.raises(DatabaseError, match="PG_URL") as refusal:
        resolve({}, {"PG_URL": url})
    assert url not in str(refusal.value)
    assert "se/cr" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunter@two@db.home/bronze",
        "postgresql://ann:hunter/two@db.home/bronze",
        "postgresql://ann:hunter/two?x=1@db.home/bronze",
        "postgresql://ann:hunter@x/two@db.home/bronze",
        "postgresql://ann:1234/hunter@db.home/bronze",
        "postgresql+psycopg://hunter@two@db.home/bronze",
    ],
)
def test_a_password_with_reserved_characters_is_told_and_not_shown(url: str) -> None:
    with pytest.raises(DatabaseError, match="with %40 for @") as refusal:
        resolve({}, {"PG_URL": url})
    assert not any(part in str(refusal.value) for part in ("hunter", "two", "1234"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://ann:secret@db.home/bronze?sslmod=require", "has the parameter 'sslmod', which libpq does not know"),
        ("postgresql://ann:secret@a:1,b:2/bronze", "names several hosts"),
        ("postgresql://ann:secret@/bronze?host=a,b", "names several hosts"),
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_told_by_its_own_fault(url: str, said: str) -> None:
    with pytest.raises(DatabaseError, match=said) as refusal:
        resolve({}, {"PG_URL": url})
    assert "secret" not in str(refusal.value)
    assert "%40" not in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann@db.home:6000/life",
        "postgresql://ann@db.home/life?sslmode=verify-full&sslrootcert=%2Fhome%2Fann%2Fmy%20ca.pem",
        "postgresql://ann@[2001:db8::1]:6000/life",
        "postgresql://ann@/life?host=%2Frun%2Fpost%20gres&port=6000",
        "postgresql://ann%40home@db.home/my%20life%2Fnow",
        "postgresql://db.home/life?application_name=mine",
    ],
)
def test_the_address_for_other_programs_means_the_same_to_libpq(url: str) -> None:
    target = resolve({}, {"PG_URL": url.replace("ann@", "ann:s%40cret@")})
    assert "cret" not in target.url()
    assert conninfo_to_dict(target.url()) == {"port": "5432", **conninfo_to_dict(url)}


def test_a_user_without_a_host_is_told() -> None:
    with pytest.raises(DatabaseError, match="PG_USER is set, but not PG_HOST"):
        resolve({}, {"PG_USER": "ann"})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded_server: embedded.Server) -> Path:
    """A project whose embedded server is the one of these tests."""
    (tmp_path / "meltano.yml").write_text("version: 1\n")
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    monkeypatch.setattr(project, "postgres_dir", lambda _: embedded_server.data_dir)
    return tmp_path


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("env", "name"),
    [
        pytest.param({}, "bronze", id="nothing named"),
        pytest.param({"PG_DB": "mine"}, "mine", id="a name alone"),
        pytest.param(PG | {"MELTANO_ENVIRONMENT": "demo"}, "bronze_demo", id="the demo never mixes"),
    ],
)
def test_the_embedded_server_is_started_and_the_database_made(env: Mapping[str, str], name: str) -> None:
    target = resolve({}, env)
    assert target.server is not None
    with target.connect() as connection:
        assert connection.info.dbname == name
    assert target.display == f"embedded PostgreSQL, database {name}"


@pytest.mark.usefixtures("home")
def test_an_embedded_server_that_refuses_is_a_sentence(embedded_server: embedded.Server) -> None:
    with psycopg.connect(embedded_server.conninfo("template1"), autocommit=True) as admin:
        admin.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS false")
        try:
            with pytest.raises(
                DatabaseError, match="embedded PostgreSQL, database postgres: the database accepts no"
            ):
                resolve({}, {})
        finally:
            admin.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS true")


def refusal(env: Mapping[str, str]) -> str:
    with pytest.raises(DatabaseError) as caught:
        resolve({}, env).connect()
    return str(caught.value)


def test_nobody_listening_is_told_with_the_place() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = str(unused.getsockname()[1])
    assert refusal({"PG_HOST": "127.0.0.1", "PG_PORT": port}) == (
        f"127.0.0.1:{port}/bronze: no server answers there. Start it, or correct PG_HOST and PG_PORT in .env."
    )


def test_an_unknown_host_is_told() -> None:
    assert "the host name is unknown" in refusal({"PG_HOST": "nowhere.invalid"})


def test_a_port_that_is_no_number_is_told() -> None:
    assert "Correct PG_PORT" in refusal({"PG_HOST": "localhost", "PG_PORT": "many"})


def test_a_missing_database_is_told(server: embedded.Server) -> None:
    env = {"PG_HOST": str(server.socket_dir), "PG_USER": "postgres", "PG_DB": "absent"}
    assert refusal(env).endswith(
        "absent: the database does not exist. Make it (createdb), or correct PG_DB in .env."
    )


def test_a_missing_user_is_told(server: embedded.Server) -> None:
    assert "does not let this user in" in refusal({"PG_HOST": str(server.socket_dir), "PG_USER": "absent"})


@pytest.mark.parametrize(
    ("statements", "user", "said"),
    [
        (["CREATE ROLE shut NOLOGIN"], "shut", "does not let this user in"),
        (["CREATE ROLE few LOGIN CONNECTION LIMIT 0"], "few", "no connection is left"),
        (["CREATE ROLE out LOGIN", "REVOKE CONNECT ON DATABASE {} FROM PUBLIC"], "out", "Grant CONNECT"),
        (["ALTER DATABASE {} CONNECTION LIMIT 0", "CREATE ROLE late LOGIN"], "late", "no connection is left"),
        (["ALTER DATABASE {} ALLOW_CONNECTIONS false"], "postgres", "accepts no connections"),
    ],
)
def test_a_refused_login_is_told_by_its_reason(
    server: embedded.Server, database: str, statements: list[str], user: str, said: str
) -> None:
    name = str(conninfo_to_dict(database)["dbname"])
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement.format(name).encode())
        try:
            found = refusal({"PG_HOST": str(server.socket_dir), "PG_USER": user, "PG_DB": name})
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
            if user != "postgres":
                admin.execute(f"DROP ROLE {user}".encode())
    assert said in found


@contextmanager
def refusing_server(state: str) -> Iterator[int]:
    """Answer each connection as a German server does that refuses it with SQLSTATE *state*."""
    fields = {"S": "FATAL", "V": "FATAL", "C": state, "M": "Anmeldung für »ann« fehlgeschlagen"}
    body = b"".join(f"{code}{text}\0".encode() for code, text in fields.items()) + b"\0"
    answer = b"E" + (len(body) + 4).to_bytes(4, "big") + body

    def serve(client: socket.socket) -> None:
        with client:
            while words := client.recv(4096):
                if len(words) == 8:  # asks for encryption
                    client.sendall(b"N")
                else:
                    client.sendall(answer)
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                serve(client)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=10)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("28P01", "the password is wrong"),
        ("28000", "does not let this user in"),
        ("3D000", "the database does not exist"),
        ("42501", "Grant CONNECT"),
        ("53300", "no connection is left"),
        ("55000", "accepts no connections"),
        ("57P03", "Try again in a moment"),
        ("08P01", "the server refused the connection (SQLSTATE 08P01)"),
    ],
)
def test_a_refusal_is_understood_in_any_language(state: str, said: str) -> None:
    with refusing_server(state) as port:
        found = refusal({"PG_HOST": "127.0.0.1", "PG_PORT": str(port), "PG_USER": "ann", "PG_PASS": "x"})
    assert said in found
    assert "no server answers" not in found


def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path) -> None:
    server = embedded.ensure_running(tmp_path / "postgres")
    try:
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
            admin.execute("CREATE ROLE ann LOGIN PASSWORD 'right'")
        rules = server.data_dir / "pg_hba.conf"
        rules.write_text("local all ann scram-sha-256\nlocal all all trust\n")
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
            admin.execute("SELECT pg_reload_conf()")
            while admin.execute("SELECT count(*) FROM pg_hba_file_rules").fetchone() != (2,):
                pass
        env = {"PG_HOST": str(server.socket_dir), "PG_USER": "ann", "PG_DB": "postgres"}
        for password in ("wr0ng", ""):
            said = refusal(env | {"PG_PASS": password})
            assert said.endswith("the password is wrong. Correct PG_PASS in .env.")
            assert "wr0ng" not in said
    finally:
        embedded.stop(server.data_dir)


def test_a_server_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch, server: embedded.Server) -> None:
    monkeypatch.setattr("target_postgres_bronze.database.OLDEST_SERVER", 99)
    assert "99 or newer is needed" in refusal(
        {"PG_HOST": str(server.socket_dir), "PG_USER": "postgres", "PG_DB": "postgres"}
    )
