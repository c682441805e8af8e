"""Addresses of databases as URLs, read and written as libpq does.

Source: PostgreSQL 18 documentation, 32.1.1.2 (Connection URIs).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+")
_UNKNOWN: Final = re.compile(r'invalid URI query parameter: "([^"]*)"')
_FORM: Final = "Write postgresql://user:password@host:5432/database"


class AddressError(ValueError):
    """An address cannot be used; the message begins after its name, and quotes nothing that may be a password."""


def read_url(url: str) -> dict[str, Any]:
    """Return libpq's keywords of *url*, in libpq's form or SQLAlchemy's (``postgresql+psycopg://``).

    Raises:
        AddressError: It is not the URL of one PostgreSQL database.
    """
    import psycopg  # noqa: PLC0415 - half a second that --help need not pay
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - the same

    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise AddressError(
            "is not a URL of a PostgreSQL database. Write postgresql://user@host:5432/database."
        )
    try:
        parts = conninfo_to_dict(f"postgresql://{rest}")
    except psycopg.ProgrammingError as error:
        unknown = _UNKNOWN.search(str(error))
        if unknown is None or _may_show_a_password(rest, {}):
            raise _unreadable() from None
        raise AddressError(
            f"has the parameter {unknown[1]!r}, which libpq does not know. Correct or remove it; the names are in PostgreSQL's "
            "documentation of connection strings."
        ) from None
    if _may_show_a_password(rest, parts):
        raise _unreadable()
    if "," in f"{parts.get('host', '')}{parts.get('port', '')}{parts.get('hostaddr', '')}":
        raise AddressError("names several hosts. Name the one that rows are to go to.")
    if not str(parts.get("port", "0")).isdecimal():
        raise _unreadable()
    return parts


def _unreadable() -> AddressError:
    return AddressError(
        f"cannot be read as a URL. {_FORM}, with %40 for @, %2F for / and %3A for : inside the password."
    )


def _may_show_a_password(rest: str, parts: Mapping[str, Any]) -> bool:
    """Return whether an ``@`` or ``/`` that was left as it is puts the end of a password into host, port or database."""
    authority, _, tail = rest.partition("/")
    path, _, query = tail.partition("?")
    return bool(
        authority.count("@") > 1
        or set("@/") & set(path)
        or (authority and "@" in query and ("@" not in authority or not parts))
        or not re.fullmatch(r"[0-9,]*", str(parts.get("port", "")))
    )


def write_url(parts: Mapping[str, Any]) -> str:
    """Return the URL of libpq's keywords *parts*, without a password.

    A socket's folder and whatever else has no place between ``//`` and ``/`` becomes a parameter.
    """
    left = {name: str(value) for name, value in parts.items() if name != "password"}
    host, database = left.get("host", ""), left.pop("dbname", "")
    authority = f"{quote(left.pop('user'), safe='')}@" if "user" in left else ""
    if ":" in host and not host.startswith(("/", "@")):
        authority += f"[{left.pop('host')}]"
    elif _HOST.fullmatch(host):
        authority += left.pop("host")
    if host and "host" not in left:
        authority += f":{left.pop('port', '5432')}"
    query = f"?{urlencode(left, quote_via=quote, safe='')}" if left else ""
    return f"postgresql://{authority}/{quote(database, safe='')}{query}"
