"""Exports as they are handed in: zips, folders and bare files, several of them, in any order, with what lies beside."""

from __future__ import annotations

import os
import re
import zipfile
from typing import TYPE_CHECKING

import pytest

from tap_apple_health.standin import FOLDER, document, ecg, record, route, zipped
from tap_apple_health.tap import TapAppleHealth
from tap_kit import TapError

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Runner


@pytest.mark.parametrize("name", ["export.xml", "exportar.xml", "导出.xml", "輸出.xml"])
def test_the_main_file_has_any_name(name: str, run: Runner) -> None:
    assert len(run(zipped(run.folder / "e.zip", document(record()), name)).records()) == 1


def test_a_name_without_the_mark_of_its_encoding_is_read(run: Runner) -> None:
    path = zipped(run.folder / "e.zip", document(record()), "aaa.xml")
    path.write_bytes(path.read_bytes().replace(b"aaa.xml", "导.xml".encode()))
    ran = run(path)
    assert list(ran.statuses()) == [f"e.zip/{FOLDER}/导.xml"]
    assert len(ran.records()) == 1


def test_litter_and_the_second_form_are_left_out_with_a_reason(run: Runner) -> None:
    path = run.folder / "e.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"__MACOSX/{FOLDER}/._export.xml", b"\x00\x05\x16\x07<HealthData ")
        archive.writestr(f"{FOLDER}/export_cda.xml", "<?xml version='1.0'?><ClinicalDocument/><b/>")
        archive.writestr(f"{FOLDER}/export.xml", document(record()))
    ran = run(path)
    assert sorted(ran.statuses().values()) == ["ignored", "ignored", "parsed"]
    assert all(file["reason"] for file in ran.records("_files") if file["status"] == "ignored")
    assert not ran.gaps


def test_a_file_that_is_not_known_is_told_and_the_rest_lands(run: Runner) -> None:
    ran = run(zipped(run.folder / "e.zip", document(record()), news__thing_DOT_bin="?"))
    assert ran.statuses()[f"e.zip/{FOLDER}/news/thing.bin"] == "unknown"
    assert len(ran.records()) == 1


def test_zip_folder_and_bare_file_are_one_export(run: Runner, tmp_path: Path) -> None:
    main = document(record())
    first = run(zipped(tmp_path / "a.zip", main))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as other:
        other.writestr("elsewhere/export.xml", main)
    folder = tmp_path / "folder" / FOLDER
    folder.mkdir(parents=True)
    (folder / "export.xml").write_text(main, encoding="utf-8")
    for path in (tmp_path / "a.zip", tmp_path / "b.zip", tmp_path / "folder", folder / "export.xml"):
        assert not run(path, state=first.state).records()
    assert len(run(folder / "export.xml").records()) == 1


def test_several_exports_land_oldest_first_and_the_newest_ends_what_is_gone(run: Runner) -> None:
    zipped(run.folder / "a.zip", document(record(3), date="2024-03-03 07:00:00 +0100"))
    zipped(run.folder / "b.zip", document(record(1), date="2024-03-01 07:00:00 +0100"))
    zipped(run.folder / "c.zip", document(record(2), date="2024-03-02 07:00:00 +0100"))
    ran = run()
    assert [found["value"] for found in ran.records()] == ["1", "2", "3"]
    absences = [message["schema"]["x-absence"] for message in ran.told("SCHEMA", "records")]
    assert absences == ["never", "never", "full"]
    assert ran.ended == ["records"]


def test_an_older_export_after_a_newer_one_ends_nothing(run: Runner, tmp_path: Path) -> None:
    new = run(zipped(tmp_path / "new.zip", document(record(1), date="2024-03-03 07:00:00 +0100")))
    old = run(
        zipped(tmp_path / "old.zip", document(record(2), date="2024-03-03 07:30:00 +0200")), state=new.state
    )
    assert len(old.records()) == 1
    assert old.ended == []
    assert {message["schema"]["x-absence"] for message in old.told("SCHEMA", "records")} == {"never"}


def test_bare_files_in_one_folder_are_exports_of_their_own(run: Runner) -> None:
    for day in (1, 2):
        text = document(record(day), date=f"2024-03-0{day} 07:00:00 +0100")
        (run.folder / f"export {day}.xml").write_text(text, encoding="utf-8")
    ran = run()
    assert len(ran.records("exports")) == 2
    assert len(ran.state["bookmarks"]["_files"]["exports"]) == 2


def test_routes_keep_every_digit_and_are_known_by_their_points(run: Runner, tmp_path: Path) -> None:
    one = zipped(tmp_path / "a.zip", document(record()), **{"workout-routes__r1_DOT_gpx": route()})
    two = zipped(
        tmp_path / "b.zip",
        document(record()),
        **{"workout-routes__r2_DOT_gpx": route("2024-05-01T00:00:00Z")},
    )
    ran, again = run(one), run(two)
    (found,) = ran.records("workout_routes")
    point = found["trk"][0]["trkseg"][0]["trkpt"][0]
    assert point == {
        "lon": "-0.1",
        "lat": "51.50",
        "ele": "11.10",
        "time": "2024-03-01T07:00:00Z",
        "extensions": {"speed": "1.5"},
    }
    assert found["metadata"] == {"time": "2024-03-02T06:00:00Z"}
    assert ran.names("workout_routes") == again.names("workout_routes")
    assert ran.provenances("workout_routes")[0]["source_timestamp"] == "2024-03-01T07:00:00Z"


def test_a_route_with_a_document_type_is_refused(run: Runner) -> None:
    bad = '<?xml version="1.0"?>\n<!DOCTYPE gpx [<!ENTITY a SYSTEM "file:///etc/passwd">]><gpx>&a;</gpx>'
    ran = run(zipped(run.folder / "e.zip", document(record()), **{"workout-routes__r_DOT_gpx": bad}))
    assert ran.statuses()[f"e.zip/{FOLDER}/workout-routes/r.gpx"] == "damaged"
    assert len(ran.records()) == 1


@pytest.mark.parametrize(
    "values", ["-265.868\n12\n-7.5", "-265,868\n12\n-7,5"], ids=["decimal point", "decimal comma"]
)
def test_an_ecg_keeps_its_values_as_text(values: str, run: Runner) -> None:
    members = {"electrocardiograms__ecg_DOT_csv": ecg(values=values)}
    ran = run(zipped(run.folder / "e.zip", document(record()), **members))
    (found,) = ran.records("electrocardiograms")
    assert found["values"] == values.split("\n")
    assert ["Device", "Watch5,4"] in found["head"]
    assert ["Date of Birth", "Feb 5, 1952"] in found["head"]


def test_an_ecg_is_known_by_its_moment_and_device(run: Runner, tmp_path: Path) -> None:
    one = {"electrocardiograms__a_DOT_csv": ecg()}
    two = {"electrocardiograms__b_DOT_csv": ecg().replace("08:12:44 +0100", "09:12:44 +0200")}
    names = [
        run(zipped(tmp_path / f"{number}.zip", document(record()), **members)).names("electrocardiograms")
        for number, members in enumerate((one, two))
    ]
    assert names[0] == names[1]


def test_a_clinical_resource_leaves_exact(run: Runner) -> None:
    content = (
        '{"resourceType":"Observation","id":"o-1","valueQuantity":{"value":1.10,"big":12345678901234567890}}'
    )
    members = {"clinical-records__Observation-A_DOT_json": content}
    ran = run(zipped(run.folder / "e.zip", document(record()), **members))
    (message,) = ran.told("RECORD", "clinical_resources")
    assert message["record"]["valueQuantity"]["big"] == 12345678901234567890
    assert message["provenance"]["raw_id"] == "Observation/o-1"


def test_what_cannot_be_read_beside_the_main_file_costs_itself_alone(run: Runner) -> None:
    members = {
        "clinical-records__A_DOT_json": "{",
        "clinical-records__B_DOT_json": "[]",
        "electrocardiograms__c_DOT_csv": "",
        "workout-routes__d_DOT_gpx": "<gpx>",
    }
    ran = run(zipped(run.folder / "e.zip", document(record()), **members))
    assert sorted(ran.statuses().values()) == ["damaged"] * 4 + ["parsed"]
    assert len(ran.records()) == 1
    assert len(ran.gaps) == 4
    assert ran.ended == []


def test_a_locked_zip_is_told_and_tried_again(run: Runner) -> None:
    path = zipped(run.folder / "e.zip", document(record()))
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    path.write_bytes(content)
    ran = run(path)
    assert list(ran.statuses().values()) == ["locked"]
    assert "locked with a password" in ran.gaps[0]
    assert run(path, state={}).gaps == ran.gaps


def test_without_a_path_the_tap_says_what_to_do() -> None:
    with pytest.raises(TapError, match=r"Set TAP_APPLE_HEALTH_PATH to one, .* bronze inbox"):
        TapAppleHealth(config={}).sync_all()


def test_without_its_date_the_newest_element_tells_which_export_is_newer(run: Runner) -> None:
    """The newer one was copied first, so that the times of the files are the wrong way round."""
    for year, copied in ((2022, 1_700_000_000), (2023, 1_600_000_000)):
        file = run.folder / f"copy-{year}" / "export.xml"
        file.parent.mkdir()
        sample = record(year, creationDate=f"{year}-03-01 09:20:00 +0100")
        file.write_text(re.sub(r"\s*<ExportDate[^>]*>", "", document(sample)), encoding="utf-8")
        os.utime(file, (copied, copied))
    assert [record["value"] for record in run(run.folder).records()] == ["2022", "2023"]
