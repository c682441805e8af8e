"""Every element and attribute of the main file leaves as it stands there."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from tap_apple_health.standin import ONE_OF_EACH, document, entry, record

if TYPE_CHECKING:
    from conftest import Runner


def payload(element: ET.Element) -> dict[str, Any]:
    """Map an element by another parser than the tap's."""
    mapped: dict[str, Any] = dict(element.attrib)
    for child in element:
        mapped.setdefault(child.tag, []).append(payload(child))
    return mapped


@pytest.mark.parametrize("stream", ONE_OF_EACH)
def test_each_element_lands_whole_in_its_stream(stream: str, run: Runner) -> None:
    ran = run.on(ONE_OF_EACH[stream])
    element = ET.fromstring(ONE_OF_EACH[stream])
    expected = payload(element)
    assert ran.records(stream) == [{element.tag: expected} if stream == "other_elements" else expected]
    assert not ran.gaps


def test_all_elements_together_land_once_each(run: Runner) -> None:
    ran = run.on(*ONE_OF_EACH.values())
    assert {stream: len(ran.records(stream)) for stream in ONE_OF_EACH} == dict.fromkeys(ONE_OF_EACH, 1)


def test_the_order_of_the_attributes_stays(run: Runner) -> None:
    (found,) = run.on('<Record value="1" type="T" endDate="e" startDate="s" sourceName="n"/>').records()
    assert list(found) == ["value", "type", "endDate", "startDate", "sourceName"]


def test_the_export_says_what_it_is(run: Runner) -> None:
    ran = run.on(record(), record(62))
    (export,) = ran.records("exports")
    assert export["locale"] == "en_GB"
    assert export["ExportDate"] == [{"value": "2024-03-02 07:00:00 +0100"}]
    assert "HealthKit Export Version: 14" in export["head"]
    assert ran.provenances("exports")[0]["elements"] == {"ExportDate": 1, "Record": 2}


def test_times_of_beats_stay_as_the_phone_wrote_them(run: Runner) -> None:
    beats = "".join(
        f'   <InstantaneousBeatsPerMinute bpm="60" time="{time}"/>\n'
        for time in ("12:21:00,30", "4:17:18.57 pm")
    )
    inside = f"  <HeartRateVariabilityMetadataList>\n{beats}  </HeartRateVariabilityMetadataList>\n"
    (found,) = run.on(record(children=inside)).records()
    assert found["HeartRateVariabilityMetadataList"] == [
        {
            "InstantaneousBeatsPerMinute": [
                {"bpm": "60", "time": "12:21:00,30"},
                {"bpm": "60", "time": "4:17:18.57 pm"},
            ]
        }
    ]


def test_locations_inside_a_route_stay_inside_the_workout(run: Runner) -> None:
    route = """  <WorkoutRoute sourceName="P" startDate="s" endDate="e">
   <Location date="2016-11-14 07:25:44 -0700" latitude="37.0" longitude="-122.0"/>
  </WorkoutRoute>
"""
    workout = (
        f'<Workout workoutActivityType="W" sourceName="P" startDate="s" endDate="e">\n{route} </Workout>'
    )
    (found,) = run.on(workout).records("workouts")
    assert found["WorkoutRoute"][0]["Location"] == [
        {"date": "2016-11-14 07:25:44 -0700", "latitude": "37.0", "longitude": "-122.0"}
    ]


def test_types_without_the_usual_word_and_odd_years_land(run: Runner) -> None:
    ran = run.on(
        record(type="HKDataTypeSleepDurationGoal", start="1970-01-01 00:00:00 +0000"),
        record(start="2099-12-31 23:59:59 +1400"),
    )
    assert [found["type"] for found in ran.records()] == [
        "HKDataTypeSleepDurationGoal",
        "HKQuantityTypeIdentifierHeartRate",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "&amp;lt;",
        "&lt;b&gt;&quot;&apos;&amp;",
        "a\\b",
        "\\u0041",
        "=&quot;",
        "a=",
        " b",
        "",
        "&#10;x&#x41;",
        "😀 \u2019 \u2028",
        "x" * 100_000,
        "@@1@@",
    ],
    ids=lambda value: value[:12].encode("unicode-escape").decode() or "empty",
)
def test_a_value_leaves_as_a_parser_reads_it(value: str, run: Runner) -> None:
    one = record(value, sourceName=value, children=entry(value, value))
    (found,) = run.on(one).records()
    assert found == payload(ET.fromstring(one))


def test_each_record_says_where_it_came_from(run: Runner) -> None:
    ran = run.on(record(1), ONE_OF_EACH["me"], record(2))
    first, second = ran.provenances()
    assert (first["ordinal"], second["ordinal"]) == (2, 4)
    assert (first["file_path"], first["encoding"]) == ("export.xml", "UTF-8")
    assert first["file_size"] == (run.folder / "export.xml").stat().st_size
    assert len(first["file_hash"]) == 64


def test_records_of_all_streams_are_told_to_be_complete(run: Runner) -> None:
    assert sorted(run.on(*ONE_OF_EACH.values()).ended) == sorted(set(ONE_OF_EACH) - {"me", "other_elements"})


def test_fields_that_are_not_described_are_said_aloud_and_land(run: Runner) -> None:
    ran = run.on(record(mood="fine"))
    assert ran.records()[0]["mood"] == "fine"
    assert "records: there are fields that are not described yet: mood" in ran.log
    assert "fine" not in ran.log


def test_the_document_is_the_same_in_small_and_large_blocks(run: Runner) -> None:
    ran = run.on(*(record(number, children=entry("n", str(number))) for number in range(3000)))
    assert [found["MetadataEntry"][0]["value"] for found in ran.records()] == [str(n) for n in range(3000)]
    assert len(document()) < 1 << 18 < run.folder.joinpath("export.xml").stat().st_size
