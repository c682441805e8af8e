"""What the documents say is there."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from target_postgres_bronze.operator.cli import group

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")),
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("extract/*/README.md")),
]
assert isinstance(group, click.Group)
#: What the script does itself, and the commands of the operator.
SCRIPT = {"demo", "setup", "test"}
WORDS = set(group.list_commands(click.Context(group)))


def test_the_table_of_columns_is_the_layouts() -> None:
    layout = (ROOT / "sql" / "bronze" / "20_record.sql").read_text()
    words = r"(text\[\]|text|jsonb|timestamp|bigint|integer|double precision|date|interval)"
    defined = re.findall(rf"^    ([a-z_]+) {words}(?:[ ,]|$)", layout, re.MULTILINE)
    told = re.findall(r"^\| `([a-z_]+)` \| ([a-z\[\] ]+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert told == defined


def anchors(file: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    file = ROOT / document
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", file.read_text()):
        path, _, anchor = link.partition("#")
        there = file.parent / path if path else file
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def called(text: str) -> list[list[str]]:
    """Return the words after ``./bronze`` or ``bronze`` of each call of the command in a document."""
    calls = re.findall(r"(?:^|[`( ])(\./)?bronze ((?:-e \w+ )?[a-z][^`#\n|;&]*)", text, re.MULTILINE)
    # without ./ it may be a sentence about bronze
    return [call.split() for here, call in calls if here or call.split()[0] in WORDS]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_calls_of_the_command_are_such_that_it_understands(document: str) -> None:
    for words in called((ROOT / document).read_text()):
        if words[0] in SCRIPT:
            continue
        command: click.Command = group
        while isinstance(command, click.Group) and words:
            word = words.pop(0)
            if word in {"-e", "--environment"}:
                words.pop(0)
                continue
            found = command.get_command(click.Context(command), word)
            assert found is not None, f"{document}: there is no bronze … {word}"
            command = found
        if command.name == "psql":
            continue
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        options = {word.partition("=")[0].rstrip(".,:") for word in words if word.startswith("--")}
        assert options <= known | {"--help"}, f"{document}: bronze {command.name}"


def test_every_command_is_in_a_document() -> None:
    named = {words[0] for document in DOCUMENTS for words in called((ROOT / document).read_text())}
    assert WORDS - named == set()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/operating.md", "docs/moving.md"])
def test_the_search_for_calls_finds_some(document: str) -> None:
    assert len(called((ROOT / document).read_text())) > 1


@pytest.mark.parametrize("source", sorted(path.name for path in ROOT.glob("extract/tap-*")))
def test_every_source_has_its_page(source: str) -> None:
    assert f"# {source}\n" in (ROOT / "extract" / source / "README.md").read_text()
