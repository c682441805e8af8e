"""A PostgreSQL that speaks TLS on this machine, and certificates that are right or wrong in one way each."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from target_postgres_bronze import embedded
from target_postgres_bronze.embedded_account import Account, account_for

HOST: Final = "localhost"
#: Over the network only with TLS and a password, as managed servers have it.
RULES: Final = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
DAY: Final = timedelta(days=1)


def programs() -> Path | None:
    """Return the folder of a PostgreSQL with TLS on this machine: the embedded one, PG_BIN_15, the PATH's or Debian's."""
    on_path = shutil.which("postgres")
    folders = [
        *(embedded.program("psql").parents[2] / name / "bin" for name in embedded.PROGRAMS.values()),
        *(Path(found).parent for found in (on_path,) if found),
        *(Path(found) for found in (os.environ.get("PG_BIN_15"),) if found),
        *sorted(Path("/usr/lib/postgresql").glob("*/bin")),
    ]
    return next((folder for folder in folders if (folder / "initdb").exists() and _has_tls(folder)), None)


def _has_tls(folder: Path) -> bool:
    """Tell whether the server in *folder* is linked with a library for TLS."""
    return b"libssl" in (folder / "postgres").read_bytes()


@dataclass(frozen=True)
class Authority:
    """A certificate authority."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, name: str) -> Authority:
        """Make one that signs itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, name, key, datetime.now(UTC) - DAY)
        basic = x509.BasicConstraints(ca=True, path_length=0)
        return cls(key, builder.add_extension(basic, critical=True).sign(key, hashes.SHA256()))

    def pem(self) -> bytes:
        """Return the certificate that clients believe."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, host: str, *, days: int = 0) -> tuple[bytes, bytes]:
        """Return certificate and key of a server called *host*, valid for 30 days from *days* ago or ahead."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        since = datetime.now(UTC) + (days - 1) * DAY
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = _builder(host, str(issuer), key, since).add_extension(names, critical=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), private


def _builder(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, since: datetime
) -> x509.CertificateBuilder:
    def common(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    return (
        x509.CertificateBuilder()
        .subject_name(common(name))
        .issuer_name(common(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + 30 * DAY)
    )


class TlsServer:
    """PostgreSQL on the loopback address, which lets in who comes with TLS and a password."""

    def __init__(self, folder: Path, programs: Path) -> None:
        """Make one in *folder*; `start` starts it."""
        self._data = folder / "data"
        self._folder = folder
        self._programs = programs
        self._account: Account = account_for(self._data, programs / "postgres")
        self.authority = Authority.make("bronze test authority")
        self.port = _free_port()

    def start(self) -> None:
        """Make the data folder, and start."""
        self._data.mkdir()
        self._account.own(self._data)
        initdb = ["-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        self._run("initdb", *initdb)
        (self._data / "pg_hba.conf").write_text(RULES)
        (self._folder / "ca.pem").write_bytes(self.authority.pem())
        self._write(*self.authority.sign(HOST))
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "ssl": "on",
            "fsync": "off",
            "max_locks_per_transaction": 256,
            "unix_socket_directories": self._data,
        }
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self._control("start", "-l", str(self._data / "log"))

    def stop(self) -> None:
        """End it."""
        self._control("stop", "-m", "immediate")

    def admin(self, dbname: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection of the administrator, over the socket."""
        return psycopg.connect(
            host=str(self._data), port=self.port, user="postgres", dbname=dbname, autocommit=True
        )

    def url(self, user: str, password: str, *, ca: str = "ca.pem", sslmode: str = "verify-full") -> str:
        """Return what a person writes as PG_URL."""
        options = f"sslmode={sslmode}&sslrootcert={self._folder / ca}"
        return f"postgresql://{user}:{password}@{HOST}:{self.port}/bronze?{options}"

    def show(self, certificate: bytes, key: bytes) -> None:
        """Present another certificate from now on."""
        self._write(certificate, key)
        before = self._presented()
        with self.admin() as admin:
            admin.execute("SELECT pg_reload_conf()")
        for _ in range(200):
            if self._presented() != before:
                return
            time.sleep(0.01)
        raise AssertionError("the server still shows its former certificate")

    def _presented(self) -> bytes:
        """Return the certificate that a client is shown."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
            plain.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")  # SSLRequest
            assert plain.recv(1) == b"S"
            with context.wrap_socket(plain) as secure:
                return secure.getpeercert(binary_form=True) or b""

    def _write(self, certificate: bytes, key: bytes) -> None:
        for name, content in (("server.crt", certificate), ("server.key", key)):
            file = self._data / name
            file.write_bytes(content)
            file.chmod(0o600)
            if self._account.switch:
                os.chown(file, self._account.uid, self._account.gid)

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-w", "-s", "-D", str(self._data), *words)

    def _run(self, program: str, *words: str) -> None:
        done = self._account.run([str(self._programs / program), *words], timeout=120)
        assert done.returncode == 0, done.stdout


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
