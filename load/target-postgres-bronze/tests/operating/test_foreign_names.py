"""Names of streams, files and accounts come from elsewhere: none of them acts upon the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_postgres_bronze.operator import session

if TYPE_CHECKING:
    import pytest

NAME = "[red]a\x1b[2J\nb\u202e" + "x" * 10_000


def test_a_table_shows_names_as_they_are_and_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    session.show_table(NAME, ["name"], [[NAME]])
    said = capsys.readouterr().out
    assert "[red]a" in said
    assert r"\x1b[2J\nb\u202e" in said
    assert len(said) < 5_000
    assert not {"\x1b", "\u202e"} & set(said)


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    session.echo(NAME)
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 1
    assert len(said) <= session.MAX_LINE + 1
    assert "\x1b" not in said
