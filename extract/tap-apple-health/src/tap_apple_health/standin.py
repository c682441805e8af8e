"""Invented exports with the structure of real ones: for tests, benchmarks and a first look without a phone."""

from __future__ import annotations

import random
import zipfile
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE HealthData [\n<!-- HealthKit Export Version: 14 -->\n'
    "<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout|ActivitySummary)*)>\n]>\n"
)
FOLDER = "apple_health_export"


def record(
    value: object = 61, start: str = "2024-03-01 09:12:44 +0100", children: str = "", **attributes: str
) -> str:
    """Write a record as the phone does."""
    said = {
        "type": "HKQuantityTypeIdentifierHeartRate",
        "sourceName": "Ada\u2019s Watch",
        "sourceVersion": "10.3",
        "device": "&lt;&lt;HKDevice: 0x281038280&gt;, name:Apple Watch, model:Watch, software:10.3&gt;",
        "unit": "count/min",
        "creationDate": "2024-03-01 09:20:00 +0100",
        "startDate": start,
        "endDate": start,
        "value": str(value),
        **attributes,
    }
    text = " ".join(f'{name}="{value}"' for name, value in said.items())
    return f"<Record {text}>\n{children} </Record>" if children else f"<Record {text}/>"


def entry(key: str, value: str, indent: int = 2) -> str:
    """Write a metadata entry."""
    return f'{" " * indent}<MetadataEntry key="{key}" value="{value}"/>\n'


def document(*children: str, date: str = "2024-03-02 07:00:00 +0100", head: str = HEAD) -> str:
    """Write a main file."""
    lines = [f'<ExportDate value="{date}"/>', *children]
    return f'{head}<HealthData locale="en_GB">\n ' + "\n ".join(lines) + "\n</HealthData>\n"


def zipped(path: Path, main: str | bytes, name: str = "export.xml", **members: str | bytes) -> Path:
    """Pack an export; *members* have their names as ``folder__name``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{FOLDER}/{name}", main)
        for member, content in members.items():
            archive.writestr(f"{FOLDER}/{member.replace('__', '/').replace('_DOT_', '.')}", content)
    return path


WORKOUT = """<Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="5.19412346680959" durationUnit="min" sourceName="Ada\u2019s Watch" creationDate="2024-03-01 08:00:00 +0100" startDate="2024-03-01 07:00:00 +0100" endDate="2024-03-01 07:05:12 +0100">
  <MetadataEntry key="HKTimeZone" value="Europe/Berlin"/>
  <WorkoutEvent type="HKWorkoutEventTypePause" date="2024-03-01 07:02:00 +0100">
   <MetadataEntry key="_HKPrivate" value="4.30455 kcal/hr·kg"/>
  </WorkoutEvent>
  <WorkoutStatistics type="HKQuantityTypeIdentifierHeartRate" startDate="2024-03-01 07:00:00 +0100" endDate="2024-03-01 07:05:12 +0100" average="141.5" unit="count/min"/>
  <WorkoutRoute sourceName="Ada\u2019s Watch" startDate="2024-03-01 07:00:00 +0100" endDate="2024-03-01 07:05:12 +0100">
   <FileReference path="/workout-routes/route_2024-03-01_7.05am.gpx"/>
  </WorkoutRoute>
  <WorkoutZoneGroup type="HKZones" source="Watch" unit="count/min">
   <WorkoutZone minimum="100" maximum="120" duration="3" durationUnit="min"/>
  </WorkoutZoneGroup>
  <Record type="HKQuantityTypeIdentifierEstimatedWorkoutEffortScore" sourceName="Ada\u2019s Watch" startDate="2024-03-01 07:00:00 +0100" endDate="2024-03-01 07:05:12 +0100" value="4"/>
  <MetadataEntry key="HKTimeZone" value="Europe/Berlin"/>
 </Workout>"""
CORRELATION = f"""<Correlation type="HKCorrelationTypeIdentifierBloodPressure" sourceName="Cuff" startDate="2024-03-01 07:00:00 +0100" endDate="2024-03-01 07:00:00 +0100">
  {record(120, type="HKQuantityTypeIdentifierBloodPressureSystolic")}
  {record(80, type="HKQuantityTypeIdentifierBloodPressureDiastolic")}
 </Correlation>"""
ONE_OF_EACH = {
    "records": record(children=entry("HKMetadataKeyHeartRateMotionContext", "0")),
    "workouts": WORKOUT,
    "correlations": CORRELATION,
    "activity_summaries": '<ActivitySummary dateComponents="2024-03-01" activeEnergyBurned="590.252" activeEnergyBurnedUnit="kcal"/>',
    "me": '<Me HKCharacteristicTypeIdentifierDateOfBirth="1980-01-01" HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexNotSet"/>',
    "audiograms": """<Audiogram type="HKDataTypeIdentifierAudiogram" sourceName="Ears" startDate="2024-03-01 07:00:00 +0100" endDate="2024-03-01 07:05:12 +0100">
  <SensitivityPoint frequencyValue="125" frequencyUnit="Hz" leftEarValue="5" leftEarUnit="dBHL"/>
 </Audiogram>""",
    "vision_prescriptions": """<VisionPrescription type="glasses" dateIssued="2024-03-01 07:00:00 +0100">
  <RightEye sphere="-1.25" sphereUnit="D"/>
  <Attachment identifier="a-1"/>
 </VisionPrescription>""",
    "clinical_records": '<ClinicalRecord type="AllergyIntolerance" identifier="7" sourceName="Clinic" sourceURL="https://clinic.example/7" fhirVersion="4.0.1" receivedDate="2024-03-01 07:00:00 +0100" resourceFilePath="/clinical-records/AllergyIntolerance-A1.json"/>',
    "other_elements": '<StateOfMind valence="0.5"><Label name="calm"/></StateOfMind>',
}


GPX = """<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="Apple Health Export" xmlns="http://www.topografix.com/GPX/1/1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b">
  <metadata>
    <time>{exported}</time>
  </metadata>
  <trk>
    <name>Route {exported}</name>
    <trkseg>
      <trkpt lon="-0.1" lat="51.50"><ele>11.10</ele><time>2024-03-01T07:00:00Z</time><extensions><speed>1.5</speed></extensions></trkpt>
      <trkpt lon="-0.2" lat="51.51"><ele>11.20</ele><time>2024-03-01T07:00:01Z</time></trkpt>
    </trkseg>
  </trk>
</gpx>
"""
ECG = """Name,Ada Example
Date of Birth,"Feb 5, 1952"
Recorded Date,2024-03-01 08:12:44 {offset}
Classification,Sinus Rhythm
Symptoms,{symptoms}
Software Version,1.90
Device,"Watch5,4"
Sample Rate,512 hertz


Lead,Lead I
Unit,µV

{values}
"""


def route(exported: str = "2024-03-02T06:00:00Z") -> str:
    """Write a route."""
    return GPX.format(exported=exported)


def ecg(offset: str = "+0100", symptoms: str = "", values: str = "-265.868\n12\n-7.5") -> str:
    """Write an electrocardiogram."""
    return ECG.format(offset=offset, symptoms=symptoms, values=values)


def one_of_each(path: Path) -> Path:
    """Pack an export that has everything once."""
    known = [element for stream, element in ONE_OF_EACH.items() if stream != "other_elements"]
    return zipped(
        path,
        document(*known),
        **{
            "workout-routes__route_2024-03-01_7_DOT_05am_DOT_gpx": route(),
            "electrocardiograms__ecg_2024-03-01_DOT_csv": ecg(),
            "clinical-records__Observation-A1_DOT_json": '{"resourceType":"Observation","id":"o-1"}',
        },
    )


_KINDS = (
    ("HKQuantityTypeIdentifierActiveEnergyBurned", "Cal", 35),
    ("HKQuantityTypeIdentifierHeartRate", "count/min", 15),
    ("HKQuantityTypeIdentifierBasalEnergyBurned", "Cal", 15),
    ("HKQuantityTypeIdentifierStepCount", "count", 20),
    ("HKQuantityTypeIdentifierDistanceWalkingRunning", "km", 14),
    ("HKQuantityTypeIdentifierHeartRateVariabilitySDNN", "ms", 1),
)
"""Type, unit and share of a hundred: energy is a third, as reported of real exports."""

_HUNDRED = 100


def many_records(count: int, seed: int = 1) -> Iterator[str]:
    """Yield *count* records of the mix and size of a watch owner's export, the same for the same *seed*."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    for kind, unit, share in _KINDS:
        moment = datetime(2015, 1, 1)  # noqa: DTZ001 - text of a phone
        for _ in range(count * share // _HUNDRED):
            moment += timedelta(seconds=chance.randint(1, 400))
            yield _sample(chance, kind, unit, moment)


def _sample(chance: random.Random, kind: str, unit: str, moment: datetime) -> str:
    end = moment + timedelta(seconds=chance.randint(0, 60))
    form = "%Y-%m-%d %H:%M:%S +0100"
    device = f"&lt;&lt;HKDevice: 0x28{chance.randrange(300):07x}&gt;, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch5,4, software:6.1.2&gt;"
    source = f'sourceName="Ada\u2019s Watch" sourceVersion="6.1.2" device="{device}"'
    if chance.random() > 0.8:  # noqa: PLR2004 - the phone counts too
        source = 'sourceName="Ada\u2019s iPhone" sourceVersion="13.3"'
    value = repr(chance.random() * 100) if unit in {"Cal", "km"} else str(chance.randint(40, 180))
    head = (
        f'<Record type="{kind}" {source} unit="{unit}" creationDate="{end + timedelta(seconds=9):{form}}" '
        f'startDate="{moment:{form}}" endDate="{end:{form}}" value="{value}"'
    )
    if unit == "ms":
        beats = "".join(
            f'   <InstantaneousBeatsPerMinute bpm="{chance.randint(50, 90)}" time="4:17:{beat:02}.57 pm"/>\n'
            for beat in range(chance.randint(30, 60))
        )
        inside = "  <HeartRateVariabilityMetadataList>\n" + beats + "  </HeartRateVariabilityMetadataList>\n"
        return f"{head}>\n{inside} </Record>"
    if unit == "count/min" or chance.random() < 0.2:  # noqa: PLR2004 - a third of all have an entry
        return f"{head}>\n{entry('HKMetadataKeyHeartRateMotionContext', str(chance.randint(0, 2)))} </Record>"
    return f"{head}/>"


def write_large(path: Path, count: int) -> Path:
    """Pack an export of *count* records, written as it is made."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{FOLDER}/export.xml", "w", force_zip64=True) as file,
    ):
        start, _, end = document("@").partition("@")
        file.write(start.rstrip().encode())
        lines: list[str] = []
        for line in many_records(count):
            lines.append(f"\n {line}")
            if len(lines) == 1000:  # noqa: PLR2004 - a block
                file.write("".join(lines).encode())
                lines.clear()
        file.write(("".join(lines) + end).encode())
    return path
