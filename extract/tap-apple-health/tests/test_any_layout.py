"""Well-formed exports in arbitrary layouts: an independent parser decides what is in them."""

from __future__ import annotations

import io
import json
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_apple_health.health_xml import read_health
from tap_kit.export import Envelope, Found, Lines, Member

SPACES = st.sampled_from(["", " ", "\n", "\n ", "\n  ", "\n\t", "\r\n ", "\n\n   ", " \n"])
NAMES = st.sampled_from(
    [
        "Record",
        "Correlation",
        "Workout",
        "MetadataEntry",
        "HeartRateVariabilityMetadataList",
        "ActivitySummary",
        "Me",
        "New",
        "recordX",
    ]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["type", "sourceName", "value", "startDate", "device", "key"]),
    st.one_of(
        st.sampled_from(
            [
                "2024-03-01 09:12:44 +0100",
                "<HKDevice: 0x28>, name:x",
                "a > b",
                "</Record>",
                "\n <Record",
                "'\"'",
                "é\U0001f600",
            ]
        ),
        st.text(
            st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=8
        ),
    ),
    max_size=4,
)
BETWEEN = st.one_of(
    SPACES,
    st.builds(
        "{}<!-- {} -->{}".format, SPACES, st.sampled_from(["c", "\n <Record x='1'/>\n ", "</New>"]), SPACES
    ),
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    """An element with children, written in an arbitrary layout."""
    name = draw(NAMES)
    quoted = [
        f"{draw(st.sampled_from([' ', chr(10) + '  ']))}{key}={quoteattr(value)}"
        for key, value in draw(ATTRIBUTES).items()
    ]
    start = f"<{name}{''.join(quoted)}"
    children = draw(st.lists(elements(depth + 1), max_size=3)) if depth < 3 else []
    text = draw(st.sampled_from(["", "", "", "text & more", "<![CDATA[\n <Record/> ]]>"])) if depth else ""
    if not children and not text:
        return start + draw(st.sampled_from(["/>", " />", f"></{name}>", f"{'>'}{draw(SPACES)}</{name}>"]))
    body = "".join(draw(BETWEEN) + child for child in children)
    return f"{start}>{text if text.startswith('<!') else escape(text)}{body}{draw(BETWEEN)}</{name}>"


DOCUMENTS = st.lists(st.tuples(BETWEEN, elements()), max_size=6).flatmap(
    lambda found: BETWEEN.map(lambda end: "".join(map("".join, found)) + end)
)


def payload(element: ET.Element) -> dict[str, Any]:
    """Return what a parser of the standard library finds, in the form of the payload."""
    record: dict[str, Any] = dict(element.attrib)
    for child in element:
        record.setdefault(child.tag, []).append(payload(child))
    text = (element.text or "") + "".join(child.tail or "" for child in element)
    if text.strip():
        record["#text"] = text.strip()
    return record


def normalized(record: dict[str, Any]) -> dict[str, Any]:
    """Return a payload of the tap with its text as :func:`payload` has it: white space between tags does not count."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, list):
            found[name] = [normalized(child) for child in value]
        else:
            found[name] = value.strip() if name == "#text" else value
    return found


class SmallChunks(Member):
    """A member that is read a few bytes at a time."""

    def chunks(self, size: int = 7) -> Any:
        with self.open() as file:
            while chunk := file.read(min(size, 7)):
                yield chunk


def read(text: str, kind: type[Member], *, is_fast: bool) -> list[dict[str, Any]]:
    """Return the payloads of an export, by the loop for known shapes if *is_fast*."""
    member = kind("export.xml", "export.xml", lambda: io.BytesIO(text.encode()))
    if is_fast:
        member.envelope = lambda _stream: Envelope(b'{"record":', b',"provenance":{"_":0')
    records: list[dict[str, Any]] = []
    for found in read_health(member):
        if isinstance(found, Lines):
            records += [json.loads(line)["record"] for line in found.content.splitlines()]
        elif isinstance(found, Found) and found.stream != "exports":
            record = dict(found.record)
            records.append(next(iter(record.values())) if found.stream == "other_elements" else record)
    return records


@pytest.mark.parametrize("is_fast", [True, False], ids=["fast", "exact"])
@pytest.mark.parametrize("kind", [Member, SmallChunks], ids=["one chunk", "small chunks"])
def test_what_a_parser_reads_is_what_comes(kind: type[Member], *, is_fast: bool) -> None:
    @settings(max_examples=150, deadline=None)
    @given(DOCUMENTS)
    def check(body: str) -> None:
        text = f'<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_GB">{body}</HealthData>\n'
        expected = [payload(child) for child in ET.fromstring(text.encode())]
        found = [normalized(record) for record in read(text, kind, is_fast=is_fast)]
        assert sorted(map(dumps, found)) == sorted(map(dumps, expected))

    check()


def dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
