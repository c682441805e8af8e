"""The SDK's standard tests of targets, on the embedded server; where the contract differs, its own expectation instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.runners import TargetTestRunner
from singer_sdk.testing.suites import target_tests
from singer_sdk.testing.target_tests import TargetMultipleStateMessages
from singer_sdk.testing.templates import TargetFileTestTemplate

from target_postgres_bronze import project
from target_postgres_bronze.layout import ensure_layout, read_layout
from target_postgres_bronze.target import TargetPostgresBronze

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_postgres_bronze import embedded

CONFIG: dict[str, Any] = {
    "source": "standard",
    "archive": False,
    "max_rejected_share": 1,
    "max_invalid_share": 1,
}
FILES = {
    test.name: test().singer_filepath
    for test in target_tests.tests
    if issubclass(test, TargetFileTestTemplate)
}
DATABASE = "standard_tests"


@pytest.fixture(scope="module", autouse=True)
def connection(embedded_server: embedded.Server) -> Iterator[psycopg.Connection[Any]]:
    """A database of their own: the SDK's tests land in it one after the other."""
    with psycopg.connect(embedded_server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {DATABASE}")
        CONFIG["sqlalchemy_url"] = embedded_server.url(DATABASE)
        with psycopg.connect(embedded_server.conninfo(DATABASE), autocommit=True) as connection:
            # any of the tests may be the first
            ensure_layout(connection, read_layout(project.sql_dir()))
            yield connection
        admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


_Standard: Any = get_target_test_class(TargetPostgresBronze, config=CONFIG, parse_env_config=False)


class TestTargetPostgresBronze(_Standard):  # type: ignore[misc] # the SDK makes the class
    """All standard tests; the methods here replace those whose expectation contradicts the contract."""

    @pytest.fixture
    def runner(self) -> Iterator[TargetTestRunner]:
        """The SDK's own runner, whose input file is closed at the end."""
        runner = TargetTestRunner(target_class=TargetPostgresBronze, config=CONFIG, parse_env_config=False)
        yield runner
        if runner._input is not None:
            runner._input.close()

    def test_target_record_before_schema(
        self, runner: TargetTestRunner, connection: psycopg.Connection[Any]
    ) -> None:
        """The SDK expects an exception; here nothing that a tap sends is lost, so it is a dead letter."""
        assert self.letters(runner, connection, "record_before_schema") == {
            "a RECORD came before the SCHEMA of its stream"
        }

    def test_target_invalid_schema(
        self, runner: TargetTestRunner, connection: psycopg.Connection[Any]
    ) -> None:
        """The SDK expects an exception for a schema without properties; here it is one that lets every field in."""
        assert self.letters(runner, connection, "invalid_schema") == set()

    def test_target_record_missing_key_property(
        self, runner: TargetTestRunner, connection: psycopg.Connection[Any]
    ) -> None:
        """The SDK expects an exception; here a record without its key lands as invalid, identified by its content."""
        assert self.letters(runner, connection, "record_missing_key_property") == set()
        rows = connection.execute(
            "SELECT validation_status, error_message LIKE '%missing or null' FROM bronze_standard WHERE raw_id LIKE '#%'"
        ).fetchall()
        assert ("invalid", True) in rows

    def test_target_multiple_state_messages(self, runner: TargetTestRunner) -> None:
        """The SDK has this test in no suite, and expects each STATE; here those within a batch give way to the last."""
        runner.input_filepath = TargetMultipleStateMessages().singer_filepath
        runner.sync_all()
        last = {"test_multiple_state_messages_a": 5, "test_multiple_state_messages_b": 6}
        assert runner.state_messages[-1] == last

    @staticmethod
    def letters(runner: TargetTestRunner, connection: psycopg.Connection[Any], name: str) -> set[str]:
        """Land a file of the SDK's and return why lines of it were refused."""
        before = {row[0] for row in connection.execute("SELECT id FROM bronze.dead_letters")}
        runner.input_filepath = FILES[name]
        runner.sync_all()
        found = connection.execute("SELECT id, reason FROM bronze.dead_letters").fetchall()
        return {reason for number, reason in found if number not in before}


def test_every_record_of_the_standard_streams_has_landed_or_is_a_dead_letter(
    connection: psycopg.Connection[Any],
) -> None:
    # run here, as the tests above may run in another process
    for path in FILES.values():
        runner = TargetTestRunner(target_class=TargetPostgresBronze, config=CONFIG, parse_env_config=False)
        runner.input_filepath = path
        runner.sync_all()
        if runner._input is not None:
            runner._input.close()

    unbalanced = "SELECT count(*) FILTER (WHERE read_count <> new_count + changed_count + known_count + rejected_count), sum(read_count) > 40 FROM bronze.runs"
    assert connection.execute(unbalanced.encode()).fetchall() == [(0, True)]
