"""The programs of PostgreSQL that come along: which are taken, and what they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from target_postgres_bronze.database import Target
from target_postgres_bronze.operator import libpq, pgtools
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

#: Nobody listens on port 1.
WITH_TLS = Target(
    "host=127.0.0.1 port=1 dbname=bronze sslmode=verify-ca sslrootcert=/none password=geheim", "server"
)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without other programs of PostgreSQL."""
    monkeypatch.setattr(pgtools, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize("major", [16, 18])
def test_programs_that_come_along_speak_tls(major: int) -> None:
    with pytest.raises(OperatorError, match=r"^server: pg_dump: error: connection .* refused"):
        pgtools.dump(WITH_TLS, ["--file=/dev/null"], major=major)


def test_programs_that_cannot_are_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libpq, "_library", lambda: None)
    with pytest.raises(OperatorError, match="speak no TLS here"):
        pgtools.dump(WITH_TLS, ["--file=/dev/null"], major=18)


def test_a_library_that_somebody_preloads_stays_behind_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(libpq.PRELOAD, "/lib/mine.so")
    command, env = pgtools.aimed(WITH_TLS, pgtools.find("pg_dump", 18))
    first, second = env[libpq.PRELOAD].split()
    assert "libpq-" in first
    assert second == "/lib/mine.so"
    assert env["PGPASSWORD"] == "geheim"
    assert "geheim" not in " ".join(command)


def test_other_programs_are_left_as_they_are(tmp_path: Path) -> None:
    assert libpq.PRELOAD not in libpq.environment(str(tmp_path / "psql"), {})


def test_a_version_that_nobody_has_is_a_sentence() -> None:
    with pytest.raises(OperatorError, match="postgresql-client-99"):
        pgtools.find("pg_restore", 99)
