"""Commit and tag objects, as they come and as they should not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_git.objects import codec_of, commit_record, iso_date, parse_object, person

PLAIN = b"tree 1\nparent 2\nparent 3\nauthor A <a@x> 5 +0000\ncommitter B <b@x> 6 -0130\n\nSubject\n\nBody\n"


def test_a_commit_is_split_into_its_parts() -> None:
    git_object = parse_object(PLAIN)
    assert commit_record("h", git_object, codec_of(git_object)) == {
        "hash": "h",
        "tree": "1",
        "parents": ["2", "3"],
        "author": {
            "name": "A",
            "email": "a@x",
            "seconds": 5,
            "offset": "+0000",
            "date": "1970-01-01T00:00:05+00:00",
        },
        "committer": {
            "name": "B",
            "email": "b@x",
            "seconds": 6,
            "offset": "-0130",
            "date": "1969-12-31T22:30:06-01:30",
        },
        "encoding": None,
        "headers": [],
        "message": "Subject\n\nBody\n",
    }


def test_a_signature_is_a_header_over_several_lines() -> None:
    signed = PLAIN.replace(
        b"\n\nSubject", b"\ngpgsig -----BEGIN\n \n abc\n -----END\nmergetag object 9\n\nSubject", 1
    )
    record = commit_record("h", parse_object(signed), "UTF-8")
    assert record["headers"] == [
        {"name": "gpgsig", "value": "-----BEGIN\n\nabc\n-----END"},
        {"name": "mergetag", "value": "object 9"},
    ]
    assert record["message"] == "Subject\n\nBody\n"


@pytest.mark.parametrize("content", [b"tree 1", b"tree 1\n", b"tree 1\n\n", b""], ids=repr)
def test_a_commit_without_message_or_people_is_still_one(content: bytes) -> None:
    record = commit_record("h", parse_object(content), "UTF-8")
    assert (record["author"], record["message"]) == (None, "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"<a@x> 5 +0000", {"name": "", "email": "a@x", "seconds": 5}),
        (b"A B  <> 5 +0000", {"name": "A B ", "email": "", "seconds": 5}),
        (b"A <a@x> -5 +0000", {"seconds": -5, "date": "1969-12-31T23:59:55+00:00"}),
        (b"A <a@x> 5 +051800", {"seconds": 5, "offset": "+051800", "date": "1970-01-01T00:00:05+00:00"}),
        (b"A <a@x> 99999999999999 +0000", {"seconds": 99999999999999, "date": None}),
        (b"A <a@x>", {"name": "A", "email": "a@x", "seconds": None, "line": "A <a@x>"}),
        (b"A <a <b@x> 5 +0000", {"name": "A", "email": "a <b@x", "seconds": 5}),
        (b"A a@x 5 +0000", {"name": None, "email": None, "line": "A a@x 5 +0000"}),
        (b"A <a@x> Mon Jan 1", {"seconds": None, "line": "A <a@x> Mon Jan 1"}),
        (b"", {"name": None, "line": ""}),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
def test_a_person_keeps_what_is_written(line: bytes, expected: dict[str, object]) -> None:
    read = person(line, "UTF-8")
    assert read is not None
    assert {name: read.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("seconds", "offset", "date"),
    [
        (0, "+1400", "1970-01-01T14:00:00+14:00"),
        (0, "-0001", "1969-12-31T23:59:00-00:01"),
        (0, "+2400", "1970-01-01T00:00:00+00:00"),
        (0, "+1", "1970-01-01T00:00:00+00:00"),
        (253402300800, "+0000", None),
        (10**18, "+0000", None),
        (253402300799, "+0100", None),
        (-62135596800, "-0100", None),
    ],
)
def test_a_date_that_the_calendar_does_not_have_is_null(seconds: int, offset: str, date: str | None) -> None:
    assert iso_date(seconds, offset) == date


@pytest.mark.parametrize(
    ("header", "message", "codec"),
    [
        (b"", "grün".encode(), "UTF-8"),
        (b"encoding ISO-8859-2\n", "žluť".encode("iso-8859-2"), "ISO-8859-2"),
        (b"encoding ISO-8859-2\n", "žluť".encode(), "ISO-8859-2"),
        (b"", "grün".encode("latin-1"), "ISO-8859-1"),
        (b"encoding ascii\n", "grün".encode(), "UTF-8"),
        (b"encoding klingon\n", b"x", "UTF-8"),
        (b"encoding hex\n", b"78", "UTF-8"),
        (b"encoding \xff\n", b"x", "ISO-8859-1"),
    ],
    ids=[
        "none",
        "declared",
        "declared wrongly",
        "undeclared",
        "declared too narrow",
        "unknown",
        "no text",
        "odd",
    ],
)
def test_the_encoding_is_the_one_that_loses_nothing(header: bytes, message: bytes, codec: str) -> None:
    git_object = parse_object(b"tree 1\n" + header + b"\n" + message)
    assert codec_of(git_object) == codec
    assert commit_record("h", git_object, codec)["message"].encode(codec) == message


@given(st.binary(max_size=300))
def test_any_content_is_read_without_loss(content: bytes) -> None:
    git_object = parse_object(content)
    codec = codec_of(git_object)
    record = commit_record("h", git_object, codec)
    assert record["message"].encode(codec) == content.partition(b"\n\n")[2]
