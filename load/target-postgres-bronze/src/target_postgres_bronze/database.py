"""Which database is meant, and how to reach it: settings, ``.env``, or the embedded server."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from target_postgres_bronze import embedded, login_errors, project, tls_errors
from target_postgres_bronze.addresses import AddressError, read_url, write_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import psycopg

DATABASE: Final = "bronze"
DEMO: Final = "demo"
DEMO_DATABASE: Final = "bronze_demo"
OLDEST_SERVER: Final = 15
#: Options of every connection unless the address has others.
_OPTIONS: Final = (("connect_timeout", "10"), ("application_name", "bronze"))


class DatabaseError(Exception):
    """The database cannot be used; the message says which, why, and the remedy, and holds no password.

    Attributes:
        is_passing: The server is there, and will let us in after a moment: it is starting up.
    """

    is_passing = False


@dataclass(frozen=True)
class Target:
    """A database to connect to.

    Attributes:
        conninfo: libpq connection string, the password included: never to be shown.
        display: The same for people, without a password.
        server: The embedded server, if it is that.
        keep: Something that must live as long as the connection (an SSH tunnel).
    """

    conninfo: str = field(repr=False)
    display: str
    server: embedded.Server | None = None
    keep: object = field(default=None, repr=False)

    def url(self) -> str:
        """Return the address for other programs, without a password."""
        from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - half a second that --help need not pay

        parts = conninfo_to_dict(self.conninfo)
        if self.server:
            return self.server.url(str(parts["dbname"]))
        return write_url({name: value for name, value in parts.items() if (name, str(value)) not in _OPTIONS})

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """Connect, with *options* as `psycopg.connect` takes them.

        Raises:
            DatabaseError: The server does not answer, refuses, or is too old.
        """
        import psycopg  # noqa: PLC0415 - half a second that --help need not pay

        if self.server:
            embedded.forget_libpq_environment()
        with explained(self):
            connection = psycopg.connect(self.conninfo, **options)
        if connection.info.server_version < OLDEST_SERVER * 10_000:
            version = connection.info.server_version // 10_000
            connection.close()
            raise DatabaseError(
                f"{self.display}: the server is PostgreSQL {version}, and {OLDEST_SERVER} or newer is needed. Upgrade "
                "it, or unset PG_HOST and PG_URL to use the embedded one."
            )
        return connection


def resolve(config: Mapping[str, Any], env: Mapping[str, str]) -> Target:
    """Return the database that is meant, started and made if it is the embedded one.

    The loader's settings come first, then ``PG_URL``, then ``PG_HOST`` and its siblings, then the embedded server.
    The demo always uses the embedded one, so that it never mixes with a person's rows. An empty text is unset.

    Args:
        config: The loader's settings; empty for the operator command.
        env: The environment (see `project.environment`).

    Raises:
        DatabaseError: The settings contradict themselves, or the SSH tunnel cannot be opened.
        EmbeddedServerError: The embedded server cannot be started.
        ProjectError: It is the embedded one, and there is no project to keep it in.
    """
    config = {name: value for name, value in config.items() if value not in (None, "")}
    if env.get("MELTANO_ENVIRONMENT") == DEMO:
        return _embedded(DEMO_DATABASE)
    if "sqlalchemy_url" in config:
        return _from_url(str(config["sqlalchemy_url"]), "the setting sqlalchemy_url")
    if "host" in config:
        return _from_settings(config)
    if url := env.get("PG_URL"):
        return _from_url(url, "PG_URL")
    named = {
        name: env[f"PG_{name}"] for name in ("HOST", "PORT", "DB", "USER", "PASS") if env.get(f"PG_{name}")
    }
    if "HOST" in named:
        return _from_parts(
            host=named["HOST"],
            port=named.get("PORT"),
            dbname=named.get("DB", DATABASE),
            user=named.get("USER"),
            password=named.get("PASS"),
        )
    if stray := sorted(named.keys() & {"PORT", "USER", "PASS"}):
        raise DatabaseError(
            f"PG_{stray[0]} is set, but not PG_HOST: set PG_HOST to use that server, or unset PG_{stray[0]} to use the "
            "embedded one."
        )
    return _embedded(str(config.get("database") or named.get("DB") or DATABASE))


@contextlib.contextmanager
def explained(target: Target) -> Iterator[None]:
    """Turn psycopg's errors about the connection into sentences; others pass."""
    import psycopg  # noqa: PLC0415 - half a second that --help need not pay

    try:
        yield
    except psycopg.OperationalError as error:
        state = login_errors.find_state(error, target.conninfo)
        failure = DatabaseError(f"{target.display}: {_reason(error, target.conninfo, state)}")
        failure.is_passing = state == login_errors.NOT_YET
        raise failure from error


def _embedded(name: str) -> Target:
    """Return database *name* of the embedded server, made where need be."""
    data_dir = project.postgres_dir(project.find_root())
    server = embedded.ensure_running(data_dir)
    with explained(Target(server.conninfo("postgres"), "embedded PostgreSQL, database postgres", server)):
        embedded.ensure_database(server, name)
    return Target(server.conninfo(name), f"embedded PostgreSQL, database {name}", server)


def _from_url(url: str, where: str) -> Target:
    """Return the database of *url*: libpq's form or SQLAlchemy's (``postgresql+psycopg://``)."""
    try:
        parts = read_url(url)
    except AddressError as error:
        raise DatabaseError(f"{where} {error}") from None
    return _from_parts(**{"dbname": DATABASE, **parts})


def _from_settings(config: Mapping[str, Any]) -> Target:
    """Return the database of target-postgres' settings; TLS files and the SSH tunnel are its own work."""
    tunnel = config.get("ssh_tunnel") or {}
    if not (config.get("ssl_enable") or config.get("ssl_client_certificate_enable") or tunnel.get("enable")):
        return _from_parts(
            host=config["host"],
            port=config.get("port"),
            dbname=config.get("database", DATABASE),
            user=config.get("user"),
            password=config.get("password"),
        )
    from target_postgres.connector import PostgresConnector  # noqa: PLC0415 - a second that is rarely needed

    defaults = {
        "user": None,
        "password": None,
        "database": DATABASE,
        "port": 5432,
        "dialect+driver": "postgresql",
    }
    try:
        connector = PostgresConnector({**defaults, **config})
    except Exception as error:
        # paramiko and the certificate files raise many classes; their text names no secret.
        raise DatabaseError(
            f"{config['host']}: the SSH tunnel or the TLS files do not work ({type(error).__name__}). Check the "
            "settings ssh_tunnel.* and ssl_*."
        ) from error
    target = _from_url(connector.sqlalchemy_url, "the loader's settings")
    return Target(target.conninfo, target.display, keep=connector)


def _from_parts(**parts: Any) -> Target:
    """Return the database that libpq's keywords *parts* describe."""
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - half a second that --help need not pay

    known = {name: value for name, value in parts.items() if value not in (None, "")}
    if not str(known.get("port", 0)).isdecimal():
        raise DatabaseError(
            f"{known.get('host', 'localhost')}: the port is no number. Correct PG_PORT in .env."
        )
    user = f"{known['user']}@" if "user" in known else ""
    display = f"{user}{known.get('host', 'localhost')}:{known.get('port', 5432)}/{known['dbname']}"
    return Target(make_conninfo("", **(dict(_OPTIONS) | known)), display)


def _reason(error: psycopg.OperationalError, conninfo: str, state: str) -> str:
    """Return why the connection failed and what to do, without quoting the connection string."""
    said = str(error)
    if of_tls := tls_errors.reason(said, conninfo):
        return f"{of_tls}."
    if state in login_errors.REMEDIES:
        return f"{login_errors.REMEDIES[state]}."
    for words, remedy in (
        ("could not translate host name", "the host name is unknown. Correct PG_HOST in .env"),
        ("failed to resolve host", "the host name is unknown. Correct PG_HOST in .env"),
        ("requirepeer", "the socket is another user's. Stop that server, or move the project"),
        ("timeout", "the server does not answer within 10 seconds. Check PG_HOST, PG_PORT and the firewall"),
        ("SSL", "the encrypted connection failed. Check sslmode and the certificates"),
        ("certificate", "the encrypted connection failed. Check sslmode and the certificates"),
    ):
        if words in said:
            return f"{remedy}."
    if login_errors.is_of_the_server(error):
        shown = f" (SQLSTATE {state})" if state else ""
        return f"the server refused the connection{shown}. Its log says why."
    return "no server answers there. Start it, or correct PG_HOST and PG_PORT in .env."
