"""The fast way says of every record what the exact way says."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any
from xml.sax.saxutils import escape

from hypothesis import given, settings
from hypothesis import strategies as st

from tap_apple_health.health_xml import read_health
from tap_apple_health.standin import document
from tap_kit.export import Envelope, Found, Lines, Member

NAMES = (
    "type",
    "sourceName",
    "device",
    "unit",
    "value",
    "startDate",
    "endDate",
    "creationDate",
    "key",
    "date",
)
DATES = st.builds(
    "{}-{:02}-{:02} {:02}:{:02}:{:02} {}".format,
    st.integers(1000, 2100),
    st.integers(0, 14),
    st.integers(0, 32),
    st.integers(0, 25),
    st.integers(0, 61),
    st.integers(0, 61),
    st.sampled_from(["+0000", "-0800", "+0530", "+1400", "-1200", "+0545", "+00xx", ""]),
)
DEVICES = st.builds(
    "<<HKDevice: 0x{:x}>, name:{}, creation date:2024-01-01 00:00:00 +0000>".format,
    st.integers(0, 2**40),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=5),
)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=12
)
VALUES = st.one_of(
    TEXTS, DATES, DEVICES, st.sampled_from(["", " ", "=", "@@0@@", "\\u0041", "<", '"', "&amp;", "'"])
)


def attributes() -> st.SearchStrategy[str]:
    return st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6).map(
        lambda found: "".join(f' {name}="{written(value)}"' for name, value in found.items())
    )


def written(value: str) -> str:
    """Write a value: what XML escapes as the phone does, what XML forbids as it is."""
    return escape(value, {'"': "&quot;"})


ENTRIES = st.lists(st.tuples(st.sampled_from(["MetadataEntry", "Beats", "Other"]), attributes()), max_size=4)


@st.composite
def records(draw: st.DrawFn) -> str:
    own = draw(attributes())
    children = "".join(f"  <{name}{said}/>\n" for name, said in draw(ENTRIES))
    return f'<Record a="1"{own}>\n{children} </Record>' if children else f'<Record a="1"{own}/>'


def read(content: bytes, envelope: Envelope | None) -> tuple[Counter[str], int]:
    """Read a document; return each record with its name, and how many came as lines."""
    member = Member(
        "export.xml", "export.xml", lambda: io.BytesIO(content), envelope=lambda _stream: envelope
    )
    said: Counter[str] = Counter()
    count = 0
    for found in read_health(member):
        if isinstance(found, Lines):
            count += found.count
            for line in found.content.splitlines():
                message: dict[str, Any] = json.loads(line)
                said[json.dumps([message["record"], message["provenance"]["raw_id"]], sort_keys=True)] += 1
        elif isinstance(found, Found) and found.stream == "records":
            said[json.dumps([found.record, found.provenance["raw_id"]], sort_keys=True)] += 1
    return said, count


ENVELOPE = Envelope(
    before=b'{"type":"RECORD","stream":"records","record":', between=b',"provenance":{"file_path":"a&b.zip"'
)


@settings(max_examples=150, deadline=None)
@given(st.lists(records(), min_size=1, max_size=6))
def test_both_ways_say_the_same_of_any_record(found: list[str]) -> None:
    content = document(*found).encode()
    fast, _count = read(content, ENVELOPE)
    exact, none = read(content, None)
    assert fast == exact
    assert none == 0
    assert sum(exact.values()) == len(found)


def test_ordinary_records_go_the_fast_way() -> None:
    plain = '<Record type="T" device="&lt;&lt;HKDevice: 0x1&gt;&gt;" sourceName="A &amp; B" value="1"/>'
    nested = '<Record type="T" value="1">\n  <MetadataEntry key="k" value="v"/>\n </Record>'
    assert read(document(plain, nested).encode(), ENVELOPE)[1] == 2
