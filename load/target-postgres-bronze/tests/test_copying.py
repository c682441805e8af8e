"""COPY sends no faster than the server takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from target_postgres_bronze.copying import copy_in

if TYPE_CHECKING:
    from conftest import Bronze

MB = 1024 * 1024
ROWS = 24


def test_nothing_is_left_in_memory_of_what_a_slow_server_was_sent(bronze: Bronze) -> None:
    with psycopg.connect(bronze.conninfo) as connection:
        connection.execute("CREATE TABLE slow (number integer, filler text)")
        connection.execute(
            "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END'"
        )
        connection.execute("CREATE TRIGGER pause BEFORE INSERT ON slow FOR EACH ROW EXECUTE FUNCTION pause()")
        with copy_in(connection.cursor(), b"COPY slow FROM STDIN") as copy:
            for number in range(ROWS):
                copy.write(b"%d\t%b\n" % (number, b"x" * MB))
                assert connection.pgconn.flush() == 0

        found = connection.execute("SELECT count(*), sum(number), min(length(filler)) FROM slow").fetchone()
        assert found == (ROWS, sum(range(ROWS)), MB)


def test_what_is_written_at_once_arrives_whole(bronze: Bronze) -> None:
    lines = b"".join(b"%d\tline %d\n" % (number, number) for number in range(200_000))
    assert len(lines) > 2 * MB
    with psycopg.connect(bronze.conninfo) as connection:
        connection.execute("CREATE TABLE written (number integer, line text)")
        with copy_in(connection.cursor(), b"COPY written FROM STDIN") as copy:
            copy.write(lines)

        digest = "SELECT string_agg(number || E'\\t' || line || E'\\n', '' ORDER BY number) FROM written"
        found = connection.execute(digest).fetchone()
        assert found is not None
        assert found[0].encode() == lines
