"""Why an encrypted connection does not stand, and what helps.

libpq says "certificate verify failed" whatever is wrong with a certificate. Python's ssl, on the same kind of library, says what: it is asked
by a handshake of its own, after which nothing is sent.

Sources: PostgreSQL 18 documentation, 32.19 (SSL support) and 54.2.11 (SSLRequest); OpenSSL, x509_vfy.h (X509_V_ERR_…).
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import Final

_SECONDS: Final = 10
_SSL_REQUEST: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
_NOT_YET_VALID, _EXPIRED = 9, 10
#: Roots that come with the machine, as libpq names them.
_SYSTEM: Final = "system"

_OF_THE_CERTIFICATE: Final = {
    _EXPIRED: "the server's certificate has expired. Renew it on the server, or correct this machine's clock",
    _NOT_YET_VALID: "the server's certificate is not valid yet. Correct this machine's clock, or the server's certificate",
}
_FOREIGN: Final = (
    "the server's certificate is signed by an authority that sslrootcert does not hold, so that anybody may be answering. Name the right "
    "authority's file as sslrootcert in PG_URL"
)
_UNKNOWN: Final = "the server's certificate cannot be verified. Check sslrootcert in PG_URL, the certificate and this machine's clock"

#: What libpq says, and the sentence; the parts in brackets go into it.
_SAID: Final = (
    (
        r'server certificate for "([^"]*)".* does not match host name',
        "the server's certificate is for another host ({0}). Write that name as the host in PG_URL, if it is your server",
    ),
    (
        r'root certificate file "([^"]*)" does not exist',
        "the file with the certificate authority, {0}, is not there. Correct sslrootcert in PG_URL (system: the machine's own authorities)",
    ),
    (
        r'could not read root certificate file "([^"]*)"',
        "the file with the certificate authority, {0}, cannot be read. Correct sslrootcert in PG_URL; it wants a file in PEM form",
    ),
    (
        r"does not support SSL",
        "the server speaks no TLS. Turn it on there (ssl = on), or leave sslmode out of PG_URL on a network of your own",
    ),
    (
        r"no pg_hba\.conf entry .*, no encryption",
        "the server lets this user in only with TLS, or not at all. Add ?sslmode=verify-full&sslrootcert=FILE to PG_URL, or change pg_hba.conf",
    ),
    (r'invalid sslmode value: "([^"]*)"', "there is no sslmode {0}. Write sslmode=verify-full in PG_URL"),
)


def reason(said: str, conninfo: str) -> str:
    """Return class and remedy of what libpq *said*, without a full stop; nothing where it is not about TLS.

    Args:
        said: libpq's words.
        conninfo: The connection string that it was given; host, port and sslrootcert are used.
    """
    for pattern, sentence in _SAID:
        if found := re.search(pattern, said):
            return sentence.format(*found.groups())
    if "certificate verify failed" not in said:
        return ""
    code = _code(conninfo)
    return _UNKNOWN if code is None else _OF_THE_CERTIFICATE.get(code, _FOREIGN)


def _code(conninfo: str) -> int | None:
    """Return OpenSSL's code of what is wrong with the server's certificate; None where it cannot be found out."""
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - half a second that --help need not pay

    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    roots = parts.get("sslrootcert", _SYSTEM)
    address = (parts.get("hostaddr") or parts.get("host", "localhost"), int(parts.get("port", 5432)))
    try:
        context = ssl.create_default_context(cafile=None if roots == _SYSTEM else roots)
        context.check_hostname = False
        with socket.create_connection(address, timeout=_SECONDS) as plain:
            plain.sendall(_SSL_REQUEST)
            if plain.recv(1) != b"S":
                return None
            with context.wrap_socket(plain):
                return None
    except ssl.SSLCertVerificationError as error:
        code: int = error.verify_code
        return code
    except (OSError, ValueError):
        return None
