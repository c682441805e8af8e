"""``bronze maintain`` fits the embedded server to the machine, once, and not where somebody has set it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from click.testing import CliRunner

from target_postgres_bronze import embedded, project
from target_postgres_bronze.layout import ensure_layout, read_layout
from target_postgres_bronze.operator.cli import group

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SET = (
    "SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%%/postgresql.auto.conf' ORDER BY name"
)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A project with the embedded server: its database, where somebody has set the memory for maintenance."""
    (tmp_path / "meltano.yml").write_text("project_id: test\n")
    for name in os.environ:
        if name.startswith(("PG", "MELTANO", "TARGET_", "BRONZE_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    data_dir = tmp_path / "data" / "postgres"
    server = embedded.ensure_running(data_dir)
    embedded.ensure_database(server, "bronze")
    with psycopg.connect(server.conninfo("bronze"), autocommit=True) as connection:
        ensure_layout(connection, read_layout(project.sql_dir()))
        connection.execute("ALTER SYSTEM SET maintenance_work_mem = '48MB'")
    yield server.conninfo("bronze")
    embedded.stop(data_dir)


def maintain() -> str:
    answer = CliRunner().invoke(group, ["maintain"], prog_name="bronze")
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_memory_follows_the_machine_where_nobody_has_set_it(own: str) -> None:
    said = maintain()
    total = psutil.virtual_memory().total // 2**20
    with psycopg.connect(own) as connection:
        found: dict[str, str] = dict(connection.execute(SET).fetchall())
    assert found == {
        "effective_cache_size": f"{min(total // 2, 65536)}MB",
        "maintenance_work_mem": "48MB",
        "shared_buffers": f"{min(total // 4, 2048)}MB",
    }
    assert 'ALTER SYSTEM SET "shared_buffers" = \'' in said
    assert "takes effect after bronze db stop" in said
    assert "ALTER SYSTEM" not in maintain()
