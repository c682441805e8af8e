"""The layout of the file does not matter: not its lines, not its widths, not the order of what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_apple_health.standin import document, entry, record

if TYPE_CHECKING:
    from conftest import Run, Runner

PAIR = f'<Correlation type="C" sourceName="n" startDate="s" endDate="e">\n  {record(3)}\n  {record(4)}\n </Correlation>'
WHOLE = document(
    record(1),
    record(2, children=entry("a", "1") + entry("b", "2")),
    PAIR,
    "<New>\n  <Inner/>\n </New>",
    record(5),
    '<ActivitySummary dateComponents="2024-03-01"/>',
)
COUNTS = {
    "records": 3,
    "correlations": 1,
    "other_elements": 1,
    "activity_summaries": 1,
    "damaged_elements": 0,
}


def wide(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(" " * 3 * (len(line) - len(line.lstrip(" "))) + line for line in lines)


LAYOUTS = {
    "of the phone": WHOLE,
    "wide": wide(WHOLE),
    "tabs": "\n".join(
        "\t" * (len(line) - len(line.lstrip(" "))) + line.lstrip(" ") for line in WHOLE.split("\n")
    ),
    "carriage returns": WHOLE.replace("\n", "\r\n"),
    "no indentation": "\n".join(line.lstrip(" ") for line in WHOLE.split("\n")),
    "one line": "".join(line.strip() for line in WHOLE.split("\n")),
    "an attribute a line": WHOLE.replace('" ', '"\n     '),
    "no end of the last line": WHOLE.rstrip("\n"),
    "blank lines": WHOLE.replace("\n <", "\n\n <"),
    "the first child deeper": WHOLE.replace("\n <ExportDate", "\n    <ExportDate"),
    "comments": WHOLE.replace("\n <Record", "\n <!-- c -->\n <Record"),
    "something behind the end": WHOLE + "\n<!-- c -->\n",
}


def by_name(ran: Run, stream: str) -> dict[str, Any]:
    return dict(zip(ran.names(stream), ran.records(stream), strict=True))


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_same(text: str, run: Runner) -> None:
    path = run.folder / "export.xml"
    path.write_bytes(WHOLE.encode())
    plain = run(path)
    path.write_bytes(text.encode())
    ran = run(path)
    assert {stream: len(ran.records(stream)) for stream in COUNTS} == COUNTS
    for stream in COUNTS:
        assert by_name(ran, stream) == by_name(plain, stream)
    assert not ran.gaps


def test_summaries_may_stand_before_the_records(run: Runner) -> None:
    ran = run.on('<ActivitySummary dateComponents="2024-03-01"/>', record(1))
    assert len(ran.records("activity_summaries")) == len(ran.records()) == 1


def test_an_export_without_records_is_no_error_and_ends_nothing(run: Runner) -> None:
    ran = run.on()
    assert not ran.gaps
    assert ran.ended == []
    assert len(ran.records("exports")) == 1


ROOTS = {
    "blank in the end tag": ("<HealthData>", "</HealthData >"),
    "line break in the end tag": ("<HealthData>", "</HealthData\n>"),
    "bracket in an attribute": ('<HealthData locale="a>b">', "</HealthData>"),
    "root in a comment before it": ("<!-- <HealthData> -->\n<HealthData>", "</HealthData>"),
}


@pytest.mark.parametrize("between", ["\n ", ""], ids=["lines", "one line"])
@pytest.mark.parametrize(("start", "end"), ROOTS.values(), ids=ROOTS)
def test_the_tags_of_the_root_may_be_written_in_any_way(
    run: Runner, start: str, end: str, between: str
) -> None:
    path = run.folder / "export.xml"
    path.write_text(start + between + between.join([record(1), record(2)]) + end, encoding="utf-8")
    ran = run(path)
    assert [sample["value"] for sample in ran.records()] == ["1", "2"]
    assert not ran.gaps


def test_a_root_without_content_is_an_export_without_records(run: Runner) -> None:
    path = run.folder / "export.xml"
    path.write_text('<HealthData locale="de_DE"/>', encoding="utf-8")
    ran = run(path)
    assert [export["locale"] for export in ran.records("exports")] == ["de_DE"]
    assert not ran.gaps
