"""One and the same sample is known by the same name in every export, and different ones by different names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_apple_health.identity import identity, instant
from tap_apple_health.standin import entry, record

if TYPE_CHECKING:
    from conftest import Runner

START = "2024-03-01 09:12:44 +0100"
DEVICE = "&lt;&lt;HKDevice: 0x281038280&gt;, name:Apple Watch, model:Watch, software:10.3&gt;"
SAME = {
    "another address": record(device=DEVICE.replace("0x281038280", "0x2ffffff00")),
    "a creation date in the device": record(
        device=DEVICE.replace("software:10.3", "software:10.3, creation date:2024-01-01 00:00:00 +0000")
    ),
    "another offset": record(start="2024-03-01 10:12:44 +0200", creationDate="2024-03-01 08:20:00 +0000"),
    "an offset of half an hour": record(start="2024-03-01 13:42:44 +0530"),
    "another day": record(start="2024-02-29 23:12:44 -0900"),
    "another order of the attributes": '<Record value="61" '
    + record().removeprefix("<Record ").replace(' value="61"', ""),
    "another spelling": record(sourceName="Ada&#8217;s Watch"),
}
OTHERS = {
    "another value": record(62),
    "another second": record(start="2024-03-01 09:12:45 +0100"),
    "another hour": record(start="2024-03-01 09:12:44 +0200"),
    "another device": record(device=DEVICE.replace("10.3", "10.4")),
    "a further attribute": record(mood="fine"),
    "a child": record(children=entry("k", "v")),
    "no unit": record().replace(' unit="count/min"', ""),
    "a date that is none": record(start="yesterday"),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME)
def test_the_same_sample_has_the_same_name(other: str, run: Runner) -> None:
    first, second = run.on(record(), other).names()
    assert first == second


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_sample_has_another_name(other: str, run: Runner) -> None:
    first, second = run.on(record(), other).names()
    assert first != second


def test_the_order_of_children_does_not_matter_but_what_is_in_them(run: Runner) -> None:
    first, turned, other = run.on(
        record(children=entry("a", "1") + entry("b", START)),
        record(children=entry("b", "2024-03-01 08:12:44 +0000") + entry("a", "1")),
        record(children=entry("a", START) + entry("b", "1")),
    ).names()
    assert first == turned != other


def test_the_fast_and_the_exact_way_give_the_same_names(run: Runner) -> None:
    """What the exact way reads is the same piece with a value that needs it, and back."""
    fast = run.on(record("v"), record("w", children=entry("k", "v")))
    (run.folder / "export.xml").unlink()
    exact = run.on(
        record("v").replace('type="HK', 'type="&#72;K').replace("/>", "><!-- c --></Record>"),
        record("w", children=entry("k", "v")).replace("<Metadata", "<!-- c --><Metadata"),
    )
    assert fast.names() == exact.names()
    assert fast.records() == exact.records()


def test_equal_samples_stay_apart_by_number_within_the_file(run: Runner) -> None:
    """The loader numbers them; the tap gives it the name and the file."""
    ran = run.on(record(), record(), record(), record(62))
    assert len(ran.records()) == 4
    assert len(set(ran.names())) == 2
    assert len({provenance["file_hash"] for provenance in ran.provenances()}) == 1
    assert not ran.told("SCHEMA", "records")[0]["key_properties"]


def workout(extra: str = "", offset: str = "+0100", hour: str = "07") -> str:
    return (
        f'<Workout workoutActivityType="W" duration="5" {extra} sourceName="Watch" '
        f'startDate="2024-03-01 {hour}:00:00 {offset}" endDate="2024-03-01 {hour}:05:00 {offset}"/>'
    )


def test_a_workout_told_by_a_later_version_is_the_same_workout(run: Runner) -> None:
    statistics = '  <WorkoutStatistics type="Distance" sum="1.2" unit="km"/>\n'
    later = workout().replace("/>", f">\n{statistics} </Workout>")
    old = run.on(workout('totalDistance="1.2"'))
    new = run.on(later)
    moved = run.on(workout('totalDistance="1.2"', "+0200", "08"))
    assert old.names("workouts") == new.names("workouts") == moved.names("workouts")


def test_two_equal_workouts_and_a_day_told_twice_stay_apart(run: Runner) -> None:
    day = '<ActivitySummary dateComponents="2024-03-01" activeEnergyBurned="{}"/>'
    ran = run.on(workout(), workout(), day.format(1), day.format(2))
    assert len(set(ran.names("workouts"))) == 2
    assert ran.names("activity_summaries") == ["2024-03-01", "2024-03-01#2"]


def test_a_clinical_record_is_known_without_its_folder(run: Runner) -> None:
    element = (
        '<ClinicalRecord identifier="7" sourceURL="https://clinic.example" resourceFilePath="{}/A-1.json"/>'
    )
    first, second = run.on(element.format("/clinical-records"), element.format("elsewhere")).names(
        "clinical_records"
    )
    assert second == f"{first}#2"


ENGLISH = """Name,Ada
Date of Birth,"Jan 1, 1990"
Recorded Date,2023-03-04 20:55:07 -0500
Classification,Sinus Rhythm
Symptoms,
Software Version,1.90
Device,"Watch6,7"
Sample Rate,512 hertz


Lead,Lead I
Unit,µV

-107.825
-121.163
"""
GERMAN = """Name,Ada
Geburtstag,"01.01.1990"
Aufzeichnungsdatum,2023-03-05 02:55:07 +0100
Klassifizierung,Sinusrhythmus
Symptome,
Softwareversion,1.90
Gerät,"Watch6,7"
Messrate,512 Hertz


Ableitung,Ableitung I
Einheit,µV

-107,825
-121,163
"""


def read_ecg_of(run: Runner, text: str) -> list[str]:
    folder = run.folder / "electrocardiograms"
    folder.mkdir(exist_ok=True)
    (folder / "ecg_2023-03-04.csv").write_text(text, encoding="utf-8")
    return run().names("electrocardiograms")


def test_an_ecg_is_the_same_in_every_language_and_as_it_was_in_english(run: Runner) -> None:
    english = read_ecg_of(run, ENGLISH)
    # records that were loaded before keep their identity
    assert english == [identity(b"2023-03-05 01:55:07\x1fWatch6,7")]
    assert read_ecg_of(run, GERMAN) == english
    assert read_ecg_of(run, ENGLISH.replace("Watch6,7", "Watch6,8")) != english
    assert read_ecg_of(run, GERMAN.replace("02:55:07", "02:55:08")) != english


def test_an_export_of_ios_8_names_its_sources_otherwise_and_is_valid(run: Runner) -> None:
    ran = run.on(
        '<Record type="HKQuantityTypeIdentifierStepCount" source="Phone" unit="count" startDate="20140107104300-0800" '
        'endDate="20140107104300-0800" value="0"/>'
    )
    (sample,) = ran.records()
    schema = ran.told("SCHEMA", "records")[0]["schema"]
    assert set(schema["required"]) <= sample.keys() <= schema["properties"].keys()
    assert sample["startDate"] == "20140107104300-0800"


@pytest.mark.parametrize(
    ("date", "utc"),
    [
        ("2024-03-01 09:12:44 +0100", "2024-03-01 08:12:44"),
        ("2024-03-01 00:12:44 +0545", "2024-02-29 18:27:44"),
        ("2024-03-01 23:59:59 -1200", "2024-03-02 11:59:59"),
        ("20150616071916-0700", "2015-06-16 14:19:16"),
        ("2024-03-01", "2024-03-01"),
        ("2024-13-41 09:12:44 +0100", "2024-13-41 09:12:44 +0100"),
        ("0001-01-01 00:00:00 +0100", "0001-01-01 00:00:00 +0100"),
        ("2024-03-01 09:12:44 +01xx", "2024-03-01 09:12:44 +01xx"),
        ("", ""),
    ],
)
def test_an_instant_is_told_in_utc(date: str, utc: str) -> None:
    assert instant(date.encode()) == utc.encode()
