"""What the documents say is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_the_table_of_columns_is_the_layouts() -> None:
    layout = (ROOT / "sql" / "bronze" / "20_record.sql").read_text()
    words = r"(text\[\]|text|jsonb|timestamp|bigint|integer|double precision|date|interval)"
    defined = re.findall(rf"^    ([a-z_]+) {words}(?:[ ,]|$)", layout, re.MULTILINE)
    told = re.findall(r"^\| `([a-z_]+)` \| ([a-z\[\] ]+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert told == defined


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / document).read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("source", sorted(path.name for path in ROOT.glob("extract/tap-*")))
def test_every_source_has_its_page(source: str) -> None:
    assert f"# {source}\n" in (ROOT / "extract" / source / "README.md").read_text()
