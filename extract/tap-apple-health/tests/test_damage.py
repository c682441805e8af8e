"""Damage costs what is damaged, and nothing else; nothing in a file can make the tap read or grow without bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_apple_health.standin import HEAD, document, entry, record, zipped

if TYPE_CHECKING:
    from conftest import Runner

BROKEN_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 12 -->
<!ELEMENT VisionPrescription (RightEye?)>
<!ATTLIST VisionPrescription
  type CDATA #REQUIRED
<!ELEMENT RightEye EMPTY>
  device CDATA #IMPLIED
>
>
]>
"""
HEADS = {
    "none": "",
    "version 3": HEAD.replace("14", "3"),
    "version 12, broken": BROKEN_HEAD,
    "version 14": HEAD,
}


def values(found: list[dict[str, Any]]) -> list[str]:
    return [record["value"] for record in found]


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_heads_of_all_versions_are_kept_and_never_parsed(head: str, run: Runner) -> None:
    ran = run.on(record(1), head=head)
    assert values(ran.records()) == ["1"]
    assert ran.records("exports")[0]["head"] == head


def test_entities_of_a_document_type_do_not_exist(run: Runner) -> None:
    bomb = '<!DOCTYPE HealthData [<!ENTITY a "lol"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>\n'
    ran = run.on(record("&b;"), record("&c;"), head=bomb)
    assert values(ran.records()) == ["&b;", "&c;"]
    assert "root:" not in str(ran.messages)


MENDED = {
    "vertical tab": (b"a\x0bb", "a\x0bb"),
    "reference to a vertical tab": (b"a&#11;b", "a\x0bb"),
    "noncharacter": (b"a\xef\xbf\xbeb", "a\ufffeb"),
    "other noncharacter": (b"a\xef\xbf\xbfb", "a\uffffb"),
    "bare ampersand": (b"a & b", "a & b"),
    "unknown reference": (b"a &nbsp; b", "a &nbsp; b"),
    "invalid UTF-8": (b"a\xffb", "a\udcffb"),
    "bare less-than": (b"a<b", "a<b"),
}


@pytest.mark.parametrize(("written", "read"), MENDED.values(), ids=MENDED)
def test_what_xml_forbids_is_kept(written: bytes, read: str, run: Runner) -> None:
    path = run.folder / "export.xml"
    text = document(record(1), record("@@@"), record(2), record("a", children=entry("k", "@@@")), record(3))
    path.write_bytes(text.encode().replace(b"@@@", written))
    ran = run(path)
    assert sorted(values(ran.records())) == sorted(["1", read, "2", "a", "3"])
    assert [r["MetadataEntry"][0]["value"] for r in ran.records() if "MetadataEntry" in r] == [read]
    assert not ran.records("damaged_elements")


DAMAGED = {
    "attribute twice": '<Record type="T" type="T" value="9"/>',
    "attribute without a value": '<Record type value="9"/>',
    "attribute name with blanks": '<Record type="T" Body Mass="9"/>',
    "no end": '<Record type="T" value="9">',
    "no quote": '<Record type="T value="9"/>',
    "wrong end": '<Record type="T" value="9"></Workout>',
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_xml_is_kept_as_text_and_the_rest_lands(damaged: str, run: Runner) -> None:
    ran = run.on(record(1), damaged, record(2))
    assert values(ran.records()) == ["1", "2"]
    (kept,) = ran.records("damaged_elements")
    assert kept["text"].strip() == damaged
    assert kept["reason"]


def test_damage_is_known_again_in_the_next_export(run: Runner) -> None:
    first = run.on(record(1), DAMAGED["no end"])
    second = run.on(DAMAGED["no end"], record(1))
    assert first.names("damaged_elements") == second.names("damaged_elements")


def test_a_file_that_ends_early_gives_what_it_has_and_ends_nothing(run: Runner) -> None:
    path = run.folder / "export.xml"
    whole = document(*(record(number) for number in range(100)))
    path.write_text(whole[: whole.index('value="50"') + 5], encoding="utf-8")
    ran = run(path)
    assert values(ran.records()) == [str(number) for number in range(50)]
    assert len(ran.records("damaged_elements")) == 1
    assert ran.ended == []
    assert ran.statuses() == {"export.xml": "damaged"}
    assert "ends in the middle" in ran.gaps[0]


def test_a_damaged_file_is_not_read_again_and_again(run: Runner) -> None:
    path = run.folder / "export.xml"
    path.write_text(document(record(1))[:-20], encoding="utf-8")
    assert not run(path, state=run(path).state).records()


@pytest.mark.parametrize("size", [0.4, 0.7, 0.9])
def test_a_packed_file_whose_bytes_changed_gives_what_comes_before(size: float, run: Runner) -> None:
    path = zipped(run.folder / "export.zip", document(*(record(n) for n in range(20_000))))
    content = bytearray(path.read_bytes())
    place = int(len(content) * size)
    content[place : place + 8] = bytes(8)
    path.write_bytes(content)
    ran = run(path)
    # what is unpacked in one go with the damage goes with it: less than 32 KiB, or 100 records
    assert 20_000 * size - 500 < len(ran.records()) < 20_000
    assert ran.statuses() == {"export.zip/apple_health_export/export.xml": "damaged"}
    assert ran.ended == []


def test_a_zip_without_its_end_gives_what_it_has(run: Runner) -> None:
    path = zipped(run.folder / "export.zip", document(*(record(n) for n in range(3_000))))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 10])
    ran = run(path)
    assert 2_500 < len(ran.records()) < 3_000
    assert ran.statuses()["export.zip"] == "damaged"
    assert ran.ended == []


def test_nothing_of_the_content_is_in_the_log(run: Runner) -> None:
    ran = run.on('<Record type="SECRET" type="SECRET"/>', record("SECRET\x0b"), "<SECRET/>")
    assert ran.records("damaged_elements")
    assert "SECRET" not in ran.log.replace("other_elements: there are fields", "").replace("yet: SECRET", "")


def test_very_deep_elements_are_kept_as_text(run: Runner) -> None:
    ran = run.on("<Deep>" * 10_000 + "</Deep>" * 10_000, record(1))
    assert values(ran.records()) == ["1"]
    assert len(ran.records("damaged_elements")) == 1


def test_damage_is_reported_and_ends_nothing(run: Runner) -> None:
    ran = run.on(record(1), DAMAGED["attribute twice"])
    assert ran.statuses() == {"export.xml": "damaged"}
    assert len(ran.gaps) == 1
    assert ran.ended == []


@pytest.mark.parametrize("layout", ["\n ", ""], ids=["lines", "one line"])
def test_an_element_that_is_too_large_costs_itself_alone(run: Runner, layout: str) -> None:
    large = f'<Record type="T" value="{"x" * (40 << 20)}"/>'
    path = run.folder / "export.xml"
    elements = [record(1), large, record(2), '<Me HKCharacteristicTypeIdentifierDateOfBirth="1990-01-01"/>']
    path.write_text(f"<HealthData>{layout}{layout.join(elements)}\n</HealthData>", encoding="utf-8")

    ran = run(path)

    assert values(ran.records()) == ["1", "2"]
    assert len(ran.records("me")) == 1
    (provenance,) = ran.provenances("damaged_elements")
    assert f"{len(large):,}"[:5] in provenance["dead_letter"]
    assert len(str(ran.records("damaged_elements"))) < 3000
    assert ran.statuses() == {"export.xml": "damaged"}


@pytest.mark.parametrize("cut", range(0, 700, 23))
def test_a_file_that_is_cut_anywhere_is_reported_once(cut: int, run: Runner) -> None:
    path = run.folder / "export.xml"
    content = document(record(1, children=entry("a", "1")), record(2)).rstrip().encode()
    path.write_bytes(content[: len(content) - 1 - cut])
    ran = run(path)
    assert len(ran.gaps) == 1
    assert "Traceback" not in ran.log


def test_a_comment_without_an_end_takes_no_time_that_grows_with_the_square(run: Runner) -> None:
    element = '<Record type="A" startDate="s" endDate="e" value="1"/>'
    ran = run.on("<!-- " + "\n ".join([element] * 60_000))  # minutes, if each line had the comment read again
    assert len(ran.records()) == 59_999  # the first is on the line of the comment
    assert len(ran.records("damaged_elements")) == 1
