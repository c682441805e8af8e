"""The project never opens more than twenty connections, whatever runs side by side."""

from __future__ import annotations

import json
import stat
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import yaml

from target_postgres_bronze.operator import meltano, running

if TYPE_CHECKING:
    import pytest

    from operating.conftest import Operator

MOST = 20
SOURCES = [f"shop{number}" for number in range(running.MOST + 2)]
#: In place of Meltano: the real loader, on the messages of the source whose extractor is named.
MELTANO = """#!/bin/sh
exec "{loader}" --config "{root}/$2.json" < "{root}/messages.singer"
"""
COUNT = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Watcher:
    """Counts the connections to a database until it is told to stop."""

    def __init__(self, conninfo: str) -> None:
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(conninfo,))

    def __enter__(self) -> Watcher:  # noqa: PYI034 - no class is derived from it
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self, conninfo: str) -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            while not self._over.wait(0.02):
                row = connection.execute(COUNT).fetchone()
                assert row is not None
                self.most = max(self.most, row[0])


def test_runs_side_by_side_beside_other_commands_stay_below_twenty(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, make = operator.root, operator.bronze
    plugins = root / "plugins" / "extractors"
    plugins.mkdir(parents=True)
    for source in SOURCES:
        entry = {"name": f"tap-{source}", "namespace": f"tap_{source}"}
        (plugins / f"tap-{source}.meltano.yml").write_text(
            yaml.safe_dump({"plugins": {"extractors": [entry]}})
        )
        (root / f"tap-{source}.json").write_text(
            json.dumps({"source": source, "archive": False, "batch_size_rows": 200})
        )
    records = [make.record({"id": number, "text": "x" * 200}) for number in range(3000)]
    (root / "messages.singer").write_bytes(make.lines(make.schema(), *records))
    program = root / "meltano-stand-in"
    loader = Path(sys.executable).with_name("target-postgres-bronze")
    program.write_text(MELTANO.format(loader=loader, root=root))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(meltano, "program", lambda: str(program))

    with Watcher(make.conninfo) as watcher:
        answer = operator("run", *SOURCES, "--jobs", str(running.MOST))
        assert answer.code == 0, answer.err
        assert operator("backup", "saved").code == 0
        for words in (["verify"], ["maintain"], ["check"]):
            assert operator(*words).code == 0, words

    assert running.MOST // 2 <= watcher.most <= MOST
    assert make.query("SELECT count(*), sum(row_count)::integer FROM bronze.streams") == [
        (len(SOURCES), 3000 * len(SOURCES))
    ]
