"""The operator's commands in this process, on a project and a database of their own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
import pytest
from click.testing import CliRunner

from target_postgres_bronze.database import DatabaseError
from target_postgres_bronze.embedded import EmbeddedServerError
from target_postgres_bronze.operator.cli import group
from target_postgres_bronze.operator.session import OperatorError
from target_postgres_bronze.project import ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXPECTED = (DatabaseError, EmbeddedServerError, OperatorError, ProjectError)


class Bronze(Protocol):
    """What these tests use of the database that tests/conftest.py makes."""

    conninfo: str
    env: dict[str, str]

    def load(self, *messages: Any, **settings: Any) -> Any: ...
    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]: ...
    def schema(self, stream: str = "orders", **members: Any) -> dict[str, Any]: ...
    def record(
        self, content: dict[str, Any], stream: str = "orders", **provenance: Any
    ) -> dict[str, Any]: ...
    def lines(self, *messages: Any) -> bytes: ...
    def finish(self, stream: str = "orders") -> dict[str, Any]: ...


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code; an expected error is on stderr, as on the command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Operator:
    """The command ``bronze`` in the project *root*."""

    root: Path
    bronze: Bronze

    def __call__(self, *words: str) -> Answer:
        result = CliRunner().invoke(group, words, prog_name="bronze")
        error = result.exception
        if isinstance(error, EXPECTED):
            return Answer(1, result.stdout, f"{result.stderr}{error}\n")
        if error is not None and not isinstance(error, SystemExit):
            raise error
        return Answer(result.exit_code, result.stdout, result.stderr)

    def load(self, *messages: Any) -> None:
        """Run the loader as the project does, the raw archive included."""
        outcome = self.bronze.load(*messages, archive_dir=str(self.root / "data" / "bronze"))
        assert outcome.code == 0, outcome.log


def _operator(bronze: Bronze, root: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    (root / "meltano.yml").write_text("project_id: test\n")
    for name in os.environ:
        if name.startswith(("PG", "MELTANO", "TARGET_", "BRONZE_")):
            monkeypatch.delenv(name)
    for name, value in bronze.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(root)
    return Operator(root, bronze)


@pytest.fixture
def operator(bronze_18: Bronze, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """The command on the embedded server."""
    return _operator(bronze_18, tmp_path, monkeypatch)


@pytest.fixture
def operator_everywhere(bronze: Bronze, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """The command on every server."""
    return _operator(bronze, tmp_path, monkeypatch)


@pytest.fixture
def orders(operator: Operator) -> Operator:
    """The command, with five orders in three months, of which one has changed."""
    return _with_orders(operator)


@pytest.fixture
def orders_everywhere(operator_everywhere: Operator) -> Operator:
    """The same on every server."""
    return _with_orders(operator_everywhere)


def _with_orders(operator: Operator) -> Operator:
    make = operator.bronze
    schema = make.schema(
        properties={
            "id": {"type": "integer", "description": "Number of the order."},
            "at": {"type": "string"},
            "total": {"type": "number"},
        },
        x_source_timestamp="at",
        x_volatile=["/seen"],
    )
    days = ("2024-01-03", "2024-01-04", "2024-02-05", "2024-05-06", "2024-05-07")
    records = [{"id": number, "at": day, "total": number / 7} for number, day in enumerate(days)]
    operator.load(schema, *map(make.record, records))
    operator.load(schema, make.record({**records[0], "total": 10}))
    return operator


@pytest.fixture
def rewrite(operator: Operator) -> Callable[[str], None]:
    """Runs a statement as a damaged disk or a careless hand would: past the guard of the rows."""

    def run(statement: str) -> None:
        with psycopg.connect(operator.bronze.conninfo) as connection:
            connection.execute("SET LOCAL bronze.maintenance = 'on'")
            connection.execute(statement.encode())

    return run
