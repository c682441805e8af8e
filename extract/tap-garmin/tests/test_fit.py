from __future__ import annotations

import base64
import hashlib
import struct
import tracemalloc
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_garmin import fit_layout
from tap_garmin.fit import decode, moments, plain, remains
from tap_garmin.standin.fitmaker import (
    BYTE,
    ENUM,
    STRING,
    UINT8,
    UINT16,
    UINT32,
    UINT32Z,
    FitMaker,
    activity_fit,
    seconds,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
BEGIN = seconds(START)


def records(content: bytes) -> list[dict[str, Any]]:
    return decode(content).records


def all_moments(content: bytes) -> list[str | None]:
    decoded = decode(content)
    return list(moments(decoded.records, decoded.created))


def with_record(*fields: tuple[int, int]) -> FitMaker:
    maker = FitMaker()
    maker.define(1, 20, [(253, UINT32), *fields])
    return maker


def test_every_message_leaves_in_the_order_of_the_file_with_the_hash_of_the_file() -> None:
    content = activity_fit(START, 600)
    found = decode(content)
    assert [record["position"] for record in found.records] == list(range(12))
    assert found.counts == {"file_id": 1, "record": 10, "session": 1}
    assert {record["file_sha256"] for record in found.records} == {hashlib.sha256(content).hexdigest()}
    assert found.problems == []


def test_a_record_has_decoded_values_with_units_and_the_stored_ones_where_they_differ() -> None:
    record = records(activity_fit(START, 60))[1]
    assert record["message"] == "record"
    assert record["message_number"] == 20
    assert record["fields"]["timestamp"] == "2026-03-01T08:00:00Z"
    assert record["fields"]["heart_rate"] == 120
    assert record["fields"]["speed"] == 2.8
    assert record["raw"]["speed"] == 2800
    assert record["raw"]["timestamp"] == BEGIN
    assert "heart_rate" not in record["raw"]
    assert record["units"]["position_lat"] == "semicircles"
    assert record["units"]["speed"] == "m/s"


def test_values_that_the_profile_names_keep_their_number_beside() -> None:
    record = records(activity_fit(START, 60))[0]
    assert record["fields"]["type"] == "activity"
    assert record["raw"]["type"] == 4
    assert record["fields"]["garmin_product"] == "fr965"


def test_unknown_messages_and_fields_keep_their_numbers() -> None:
    maker = FitMaker()
    maker.define(3, 233, [(2, UINT16), (253, UINT32)])
    maker.write(3, 777, BEGIN)
    maker.define(1, 20, [(200, UINT8)])
    maker.write(1, 9)
    unknown, field = records(maker.finish())
    assert (unknown["message"], unknown["message_number"]) == ("233", 233)
    assert unknown["fields"] == {"2": 777, "253": BEGIN}
    assert field["fields"] == {"200": 9}


def test_a_message_without_a_name_happened_at_its_timestamp_all_the_same() -> None:
    maker = FitMaker()
    maker.define(3, 233, [(253, UINT32)])
    maker.write(3, BEGIN)
    assert all_moments(maker.finish()) == ["2026-03-01T08:00:00Z"]


def test_developer_fields_are_named_by_their_descriptions() -> None:
    maker = FitMaker()
    maker.define(0, 207, [(3, UINT8)])
    maker.write(0, 0)
    maker.define(2, 206, [(0, UINT8), (1, UINT8), (2, UINT8), (3, STRING), (8, STRING)])
    maker.write(2, 0, 5, UINT8, b"Form", b"points")
    maker.define(1, 20, [(253, UINT32)], developer=[(5, 1, 0)])
    maker.write(1, BEGIN, b"\x2a")
    record = records(maker.finish())[-1]
    assert record["developer_fields"] == [
        {
            "name": "Form",
            "developer_data_index": 0,
            "field_definition_number": 5,
            "units": "points",
            "value": 42,
        }
    ]


def test_developer_fields_that_the_file_does_not_describe_are_kept_as_bytes() -> None:
    maker = FitMaker()
    maker.define(0, 207, [(3, UINT8)])
    maker.write(0, 0)
    maker.define(2, 206, [(0, UINT8), (1, UINT8), (2, UINT8), (3, STRING), (8, STRING)])
    maker.write(2, 0, 5, UINT8, b"Form", b"points")
    maker.define(1, 20, [(253, UINT32), (3, UINT8)], developer=[(7, 2, 0), (5, 1, 0), (6, 1, 1)])
    maker.write(1, BEGIN, 100, b"\x2a\x2b", b"\x01", b"\x07")
    found = decode(maker.finish())
    assert found.problems == []
    assert found.decoder.startswith("garmin-fit-sdk")
    described, *others = found.records[-1]["developer_fields"]
    assert (described["name"], described["value"]) == ("Form", 1)
    assert others == [
        {"developer_data_index": 0, "field_definition_number": 7, "value": [0x2A, 0x2B]},
        {"developer_data_index": 1, "field_definition_number": 6, "value": [7]},
    ]


def test_monitoring_messages_with_the_lower_half_of_a_time_get_the_whole() -> None:
    base = 0x4300FFF0
    maker = FitMaker()
    maker.define(0, 103, [(253, UINT32)])
    maker.write(0, base)
    maker.define(1, 55, [(26, UINT16), (5, ENUM)])
    maker.write(1, 0xFFFA, 6)
    maker.write(1, 0x0005, 6)
    maker.define(2, 23, [(253, UINT32)])
    maker.write(2, base + 900_000)
    maker.write(1, 0x0010, 6)
    expected = [base, 0x4300FFFA, 0x43010005, base + 900_000, 0x43010010]
    found = [datetime.fromisoformat(text) if text else None for text in all_moments(maker.finish())]
    assert [seconds(moment) if moment else None for moment in found] == expected


def test_a_message_without_a_time_takes_that_of_its_file() -> None:
    maker = FitMaker()
    maker.define(0, 0, [(3, UINT32Z), (4, UINT32)])
    maker.write(0, 7, BEGIN)
    maker.define(1, 78, [(0, UINT16)])
    maker.write(1, 800)
    assert all_moments(maker.finish()) == ["2026-03-01T08:00:00Z"] * 2


def test_times_that_count_from_switching_on_are_no_moments() -> None:
    maker = with_record()
    maker.write(1, 1234)
    assert all_moments(maker.finish()) == [None]


def test_a_cut_file_gives_what_it_holds_and_says_so() -> None:
    whole = activity_fit(START, 600)
    found = decode(whole[: len(whole) - 60])
    assert 5 < len(found.records) < 12
    assert found.records == [
        {**record, "file_sha256": found.sha256} for record in records(whole)[: len(found.records)]
    ]
    assert len(found.problems) == 1


def test_a_wrong_checksum_loses_nothing_and_is_told() -> None:
    maker = with_record((3, UINT8))
    maker.write(1, BEGIN, 99)
    found = decode(maker.finish(good=False))
    assert [record["fields"]["heart_rate"] for record in found.records] == [99]
    assert "CRC" in found.problems[0]
    assert found.decoder.startswith("garmin-fit-sdk")


def test_compressed_timestamps_are_read_by_the_second_decoder() -> None:
    maker = FitMaker()
    maker.define(1, 20, [(253, UINT32), (3, UINT8)])
    maker.define(2, 20, [(3, UINT8)])
    maker.write(1, BEGIN & ~0x1F, 100)
    maker.write_compressed(2, 5, 101)
    maker.write_compressed(2, 6, 102)
    found = decode(maker.finish())
    assert found.decoder.startswith("fitdecode")
    assert [record["fields"]["heart_rate"] for record in found.records] == [100, 101, 102]
    assert [record["position"] for record in found.records] == [0, 1, 2]
    assert found.records[1]["units"]["heart_rate"] == "bpm"
    assert found.problems == []


def test_chained_files_are_read_to_the_end() -> None:
    found = decode(activity_fit(START, 60) + activity_fit(START, 120))
    assert found.counts == {"file_id": 2, "record": 3, "session": 2}


def test_a_wrong_checksum_does_not_hide_the_files_chained_behind() -> None:
    first = bytearray(activity_fit(START, 60))
    first[-1] ^= 0xFF
    found = decode(bytes(first) + activity_fit(START, 120))
    assert found.counts == {"file_id": 2, "record": 3, "session": 2}
    assert "CRC" in found.problems[0]


@pytest.mark.parametrize(
    ("size", "cut"), [(0, 0), (0, 2), (0, 25), (100, 0)], ids=["dead", "no checksum", "cut too", "too short"]
)
def test_a_file_whose_header_tells_of_too_few_bytes_is_read_all_the_same(size: int, cut: int) -> None:
    good = activity_fit(START, 600)
    whole = records(good)
    content = with_size(good, size)[: len(good) - cut]
    found = decode(content)
    assert found.problems[0] == "its header tells of less than there is"
    assert len(found.records) == len(whole) - (cut > 2)
    assert [record["fields"] for record in found.records] == [
        record["fields"] for record in whole[: len(found.records)]
    ]
    assert {record["file_sha256"] for record in found.records} == {hashlib.sha256(content).hexdigest()}
    rest = remains(found, content)
    assert (rest is None) is (len(found.records) == len(whole))
    assert rest is None or base64.b64decode(rest["content"]) == content[rest["offset"] :]


def test_a_header_that_tells_of_too_few_bytes_hides_no_file_chained_behind() -> None:
    found = decode(with_size(activity_fit(START, 60), 0) + activity_fit(START, 120))
    assert found.counts == {"file_id": 2, "record": 3, "session": 2}


def test_junk_behind_a_good_file_becomes_no_message() -> None:
    good = activity_fit(START, 600)
    found = decode(good + bytes(50))
    assert found.records == [{**record, "file_sha256": found.sha256} for record in records(good)]
    assert found.problems


def with_size(content: bytes, size: int) -> bytes:
    return content[:4] + size.to_bytes(4, "little") + content[8:]


def test_what_cannot_be_read_is_kept_with_its_place() -> None:
    whole = activity_fit(START, 600)
    cut = whole[: len(whole) - 60]
    found = decode(cut)
    rest = remains(found, cut)
    assert rest is not None
    kept = base64.b64decode(rest["content"])
    assert cut[rest["offset"] :] == kept
    assert 0 < len(kept) < 40
    assert rest["file_sha256"] == found.sha256
    assert remains(decode(whole), whole) is None
    assert remains(decode(b"junk"), b"junk") == {
        "file_sha256": hashlib.sha256(b"junk").hexdigest(),
        "offset": 0,
        "problem": "RuntimeError: FIT Runtime Error at byte: 0 The file is not a fit file.",
        "content": base64.b64encode(b"junk").decode(),
    }


def test_the_second_decoder_knows_where_it_stopped() -> None:
    maker = FitMaker()
    maker.define(1, 20, [(253, UINT32), (3, UINT8)])
    maker.define(2, 20, [(3, UINT8)])
    maker.write(1, BEGIN, 100)
    for offset in range(9):
        maker.write_compressed(2, offset, 100 + offset)
    content = maker.finish()[:-5]
    found = decode(content)
    assert found.decoder.startswith("fitdecode")
    assert len(found.records) == 8
    rest = remains(found, content)
    assert rest is not None
    assert base64.b64decode(rest["content"]) == content[-1:]
    assert rest["offset"] == len(content) - 1


def test_a_complaint_about_a_file_that_was_read_to_its_end_leaves_no_rest() -> None:
    maker = FitMaker()
    maker.define(1, 20, [(253, UINT32), (3, UINT8)], developer=[(5, 1, 0)])  # described nowhere
    maker.define(2, 20, [(3, UINT8)])
    maker.write(1, BEGIN, 100, b"\x2a")
    maker.write_compressed(2, 5, 101)
    content = maker.finish()
    found = decode(content)
    assert found.decoder.startswith("fitdecode")
    assert found.problems
    assert found.is_cut
    assert remains(found, content) is None


def test_values_that_cannot_be_decoded_are_kept_as_stored_and_leave_no_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("odd value")

    monkeypatch.setattr("garmin_fit_sdk.util.convert_timestamp_to_datetime", broken)
    content = activity_fit(START, 300)
    found = decode(content)
    assert "odd value" in found.problems[0]
    assert found.counts == {"file_id": 1, "record": 5, "session": 1}
    assert remains(found, content) is None


def test_the_first_of_chained_files_survives_a_damaged_second() -> None:
    second = bytearray(activity_fit(START, 60))
    second[8:12] = b"JUNK"
    found = decode(activity_fit(START, 60) + bytes(second))
    assert found.counts == {"file_id": 1, "record": 1, "session": 1}
    assert found.problems


@pytest.mark.parametrize("content", [b"", b"junk", bytes(200), b"PK\x03\x04" + bytes(60)])
def test_what_is_no_fit_file_is_a_problem_and_no_error(content: bytes) -> None:
    found = decode(content)
    assert found.records == []
    assert found.problems


def test_no_cut_anywhere_breaks_the_decoding() -> None:
    whole = activity_fit(START, 300)
    full = records(whole)
    for length in range(0, len(whole), 7):
        found = decode(whole[:length])
        assert found.problems
        assert [record["fields"] for record in found.records] == [
            record["fields"] for record in full[: len(found.records)]
        ]


def test_bytes_and_numbers_that_json_lacks_become_what_json_has() -> None:
    maker = FitMaker()
    maker.define(1, 20, [(210, BYTE)])
    maker.write(1, 7)
    assert records(maker.finish())[0]["fields"] == {"210": 7}
    assert plain([float("nan"), float("inf"), b"\x01\x02", START]) == [
        "nan",
        "inf",
        [1, 2],
        "2026-03-01T08:00:00Z",
    ]


# What the decoders leave out


def packed(*messages: bytes) -> bytes:
    """Make a file of messages, with header and checksum."""
    body = b"".join(messages)
    header = bytes([12, 0x20]) + (2132).to_bytes(2, "little") + len(body).to_bytes(4, "little") + b".FIT"
    return header + body + fit_layout.checksum(header + body).to_bytes(2, "little")


def defined(
    local: int,
    number: int,
    fields: list[tuple[int, int, int]],
    developer: Sequence[tuple[int, int, int]] = (),
) -> bytes:
    """Make a definition message; fields are number, size, and base type or developer data index."""
    head = bytes([0x40 | (0x20 if developer else 0) | local, 0, 0]) + number.to_bytes(2, "little")
    lists = [fields, developer] if developer else [fields]
    return head + b"".join(bytes([len(items)]) + b"".join(map(bytes, items)) for items in lists)


FILE_ID = defined(0, 0, [(0, 1, 0)]) + b"\x00\x04"
APPLICATION = defined(1, 207, [(3, 1, 2)]) + b"\x01\x00"
FLOAT, TEXT = 136, 7


def description(base_type: int) -> bytes:
    """Describe developer field 5 of application 0 as *Charge*."""
    return (
        defined(2, 206, [(0, 1, 2), (1, 1, 2), (2, 1, 2), (3, 7, 7)])
        + bytes([2, 0, 5, base_type])
        + b"Charge\0"
    )


def sample(value: bytes) -> bytes:
    """Make a record with a heart rate and the developer field 5."""
    return defined(3, 20, [(3, 1, 2)], [(5, len(value), 0)]) + bytes([3, 61]) + value


HALF = struct.pack("<f", 0.5)
ORDERS = {
    "as it should be": (FILE_ID, APPLICATION, description(FLOAT), sample(HALF)),
    "no application": (FILE_ID, description(FLOAT), sample(HALF)),
    "application after the description": (FILE_ID, description(FLOAT), APPLICATION, sample(HALF)),
    "everything after the value": (FILE_ID, sample(HALF), description(FLOAT), APPLICATION),
}


@pytest.mark.parametrize("messages", ORDERS.values(), ids=ORDERS)
def test_a_developer_field_has_its_value_whatever_the_order(messages: tuple[bytes, ...]) -> None:
    decoded = decode(packed(*messages))
    assert not decoded.problems
    [(field,)] = [record["developer_fields"] for record in decoded.records if record["message_number"] == 20]
    assert (field["name"], field["value"]) == ("Charge", 0.5)
    assert (field["developer_data_index"], field["field_definition_number"]) == (0, 5)


def test_a_developer_field_without_a_description_has_its_bytes() -> None:
    record = decode(packed(FILE_ID, sample(HALF))).records[-1]
    assert record["developer_fields"] == [
        {"developer_data_index": 0, "field_definition_number": 5, "value": list(HALF)}
    ]


def test_bytes_of_a_text_that_are_not_utf_8_are_kept() -> None:
    odd = b"a\xff\xe9b\0\0"
    record = decode(packed(FILE_ID, APPLICATION, description(TEXT), sample(odd))).records[-1]
    assert record["developer_fields"][0]["raw"] == list(odd)
    device = defined(4, 23, [(27, len(odd), TEXT)]) + b"\x04" + odd
    assert decode(packed(FILE_ID, device)).records[-1]["raw"]["27"] == list(odd)


@pytest.mark.parametrize(
    "message",
    [
        defined(3, 20, [(3, 1, UINT8)], [(5, 0, 0)]) + b"\x03\x3d",
        defined(3, 20, [(3, 1, UINT8), (4, 0, UINT8)]) + b"\x03\x3d",
        defined(3, 20, [(3, 1, UINT8), (253, 3, 134)]) + b"\x03\x3d\1\2\3",
        defined(3, 20, [(3, 1, UINT8), (99, 2, 0x1E)]) + b"\x03\x3d\1\2",
        defined(3, 0xFF11, [(3, 1, UINT8)]) + b"\x03\x3d",
        defined(3, 20, [(3, 1, UINT8)]) + b"\xe5\x3d",
        defined(3, 20, []) + b"\x03",
    ],
    ids=[
        "empty developer field",
        "empty field",
        "odd size",
        "unknown type",
        "unknown kind",
        "compressed time",
        "no fields",
    ],
)
def test_an_unusual_message_costs_no_other(message: bytes) -> None:
    content = packed(FILE_ID, message, FILE_ID, defined(3, 20, [(3, 1, UINT8)]) + b"\x03\x48")
    decoded = decode(content)
    assert [record["message_number"] for record in decoded.records][0::2] == [0, 0]
    assert len(decoded.records) == 4
    assert decoded.records[-1]["fields"] in ({"heart_rate": 72}, {"3": 72})
    assert remains(decoded, content) is None


def test_a_file_with_an_empty_developer_field_and_a_wrong_checksum_says_so() -> None:
    content = packed(FILE_ID, defined(3, 20, [(3, 1, UINT8)], [(5, 0, 0)]) + b"\x03\x3d")
    assert not decode(content).problems
    damaged_content = content[:-1] + bytes([content[-1] ^ 0xFF])
    assert any("CRC" in problem for problem in decode(damaged_content).problems)


def test_a_file_with_too_many_messages_is_kept_and_not_decoded() -> None:
    content = packed(defined(0, 20, []), b"\0" * 3_000_000)
    tracemalloc.start()
    decoded = decode(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150_000_000
    assert not decoded.records
    rest = remains(decoded, content)
    assert rest is not None
    assert base64.b64decode(rest["content"]) == content


def test_a_rest_that_is_too_large_for_a_message_is_kept_by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_garmin.fit.MAX_REST_BYTES", 10)
    content = packed(FILE_ID)[:-4] + b"\x0f" * 40
    rest = remains(decode(content), content)
    assert rest is not None
    assert (rest["content"], len(rest["file_sha256"])) == ("", 64)
