"""What every command owes the people and scripts that call it: an example, exit codes, JSON; and what the documents say of both."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from target_postgres_bronze import project
from target_postgres_bronze.operator.cli import group

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Commands without ``--json``, and what a script goes by instead.
WITHOUT_JSON = {
    "db start": "its exit code",
    "db stop": "its exit code",
    "db url": "one line, the URL",
    "dead-letters give-up": "its exit code",
    "dead-letters replay": "its exit code",
    "dead-letters show": "JSON always, or the message itself",
    "export": "JSON Lines or Parquet",
    "inbox": "its exit code: a person drops files and reads what became of them",
    "metrics": "Prometheus' text",
    "new-source": "its exit code",
    "psql": "psql's own options",
    "rebuild": "its exit code",
    "restore": "its exit code",
    "schedule install": "its exit code; schedule show has the rest",
    "schedule remove": "its exit code; schedule show has the rest",
}
USUAL = {"0", "1"}
#: Cells of a row of the table of exit codes: the command, 0, 1 and others, between the edges.
COLUMNS = 6
OPERATING = project.sql_dir().parent / "docs" / "operating.md"


def commands() -> dict[str, click.Command]:
    """Return every command and group by its words, the main one left out."""
    return dict(_below(group, ""))


def _below(above: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
    assert isinstance(above, click.Group)
    context = click.Context(above)
    for name in above.list_commands(context):
        command = above.get_command(context, name)
        assert command is not None
        yield f"{words} {name}".strip(), command
        if isinstance(command, click.Group):
            yield from _below(command, f"{words} {name}".strip())


def leaves() -> dict[str, click.Command]:
    return {words: command for words, command in commands().items() if not isinstance(command, click.Group)}


def help_of(words: str) -> str:
    answer = CliRunner().invoke(group, [*words.split(), "--help"], prog_name="bronze")
    assert answer.exit_code == 0
    return " ".join(answer.output.split())


def codes(words: str) -> set[str]:
    """Return the exit codes that a command's help names."""
    return set(re.findall(r"\b\d\b", help_of(words).partition("Exit code ")[2]))


@pytest.mark.parametrize("words", [*commands(), ""])
def test_help_has_an_example_and_the_exit_codes(words: str) -> None:
    said = help_of(words)
    assert re.search(rf"Example: bronze {words or 'status'}\b", said)
    assert "Exit code 0" in said


@pytest.mark.parametrize("words", commands())
def test_help_begins_with_a_sentence(words: str) -> None:
    said = commands()[words].help or ""
    assert re.match(r"[A-Z].+\.", said, re.DOTALL), said


@pytest.mark.parametrize("words", leaves())
def test_a_command_speaks_json_or_says_what_scripts_go_by(words: str) -> None:
    options = {option for parameter in leaves()[words].params for option in parameter.opts}
    assert ("--json" in options) is (words not in WITHOUT_JSON)


def test_only_commands_that_exist_are_excused() -> None:
    assert WITHOUT_JSON.keys() <= leaves().keys()


@pytest.mark.parametrize("words", leaves())
def test_the_document_names_the_command_and_its_unusual_exit_codes(words: str) -> None:
    table = (line.split("|") for line in OPERATING.read_text().splitlines() if line.startswith("|"))
    rows = [cells for cells in table if f"`{words}`" in cells[1] and len(cells) == COLUMNS]
    assert len(rows) == 1, f"rows of the table of exit codes that name {words}: {len(rows)}"
    told = set(re.findall(r"\b(\d): ", rows[0][-2]))
    assert told == codes(words) - USUAL


def test_words_that_are_not_understood_are_exit_code_2() -> None:
    for words in (["nonsense"], ["catalog", "--nope"], ["run"], ["export"], ["archive-month", "shop", "May"]):
        answer = CliRunner().invoke(group, words, prog_name="bronze")
        assert answer.exit_code == 2, words
        assert "Usage: bronze" in answer.output
