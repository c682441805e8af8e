"""Firefox, Safari, qutebrowser and the old Firefox for Android."""

from __future__ import annotations

from typing import TYPE_CHECKING

from browsers import FIREFOX_ANDROID, QUTEBROWSER, SAFARI, Database, Firefox

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Runner

MICROSECONDS = 1_780_598_400_000_001
"""2026-06-04 18:40:00.000001 UTC."""


def test_firefox_gives_visits_with_their_pages_in_either_unit(run: Runner, tmp_path: Path) -> None:
    firefox = Firefox(tmp_path / "places.sqlite")
    place = firefox.place(title=None, visit_count=4)
    firefox.visit(place, MICROSECONDS, source=3)
    firefox.visit(place, MICROSECONDS // 1000)

    outcome = run(firefox.path)

    first, second = outcome.records("firefox_visits")
    assert first["visit"]["visit_date"] == MICROSECONDS
    assert first["visit"]["source"] == 3
    assert (first["place"]["title"], first["place"]["visit_count"]) == (None, 4)
    assert second["visit"]["visit_date"] == MICROSECONDS // 1000
    assert [told["source_timestamp"] for told in outcome.provenances("firefox_visits")] == [
        "2026-06-04T18:40:00.000001+00:00",
        "2026-06-04T18:40:00+00:00",
    ]


def test_firefox_gives_places_without_visits_and_what_is_known_of_them(run: Runner, tmp_path: Path) -> None:
    firefox = Firefox(tmp_path / "places.sqlite")
    place = firefox.place()
    folder = firefox.add("moz_bookmarks", type=2, title="Toolbar", guid="toolbar_____", position=0)
    firefox.add(
        "moz_bookmarks", type=1, fk=place, parent=folder, title="Mine", guid="b1", dateAdded=MICROSECONDS
    )
    attribute = firefox.add("moz_anno_attributes", name="downloads/destinationFileURI")
    firefox.add("moz_annos", place_id=place, anno_attribute_id=attribute, content="file:///d/f.zip")
    firefox.add("moz_places_metadata", place_id=place, created_at=MICROSECONDS // 1000, total_view_time=1500)

    outcome = run(firefox.path)

    assert outcome.records("firefox_visits") == []
    assert [record["url"] for record in outcome.records("firefox_places")] == ["https://example.org/"]
    _, bookmark = outcome.records("firefox_bookmarks")
    assert (bookmark["bookmark"]["title"], bookmark["folder"]["title"]) == ("Mine", "Toolbar")
    assert bookmark["place"]["url"] == "https://example.org/"
    (note,) = outcome.records("firefox_annotations")
    assert note["attribute"]["name"] == "downloads/destinationFileURI"
    assert note["annotation"]["content"] == "file:///d/f.zip"
    (metadata,) = outcome.records("firefox_metadata")
    assert metadata["metadata"]["total_view_time"] == 1500
    (told,) = outcome.provenances("firefox_metadata")
    assert told["source_timestamp"] == "2026-06-04T18:40:00+00:00"


def test_safari_gives_times_with_every_bit_and_what_was_deleted(run: Runner, tmp_path: Path) -> None:
    safari = Database(tmp_path / "History.db", SAFARI)
    item = safari.add("history_items", url="https://example.org/", visit_count=2, daily_visit_counts=b"\x01")
    for number, time in enumerate((802291200.402631, 802291200.4030038)):
        safari.add(
            "history_visits", history_item=item, visit_time=time, title="" if not number else "Example"
        )
    safari.do("UPDATE history_visits SET redirect_destination = 2 WHERE id = 1")
    safari.add("history_tombstones", start_time=-63114076800, end_time=802291200.5, url=None)
    safari.add("metadata", key="token", value=b"s3cret")

    outcome = run(safari.path)

    first, second = outcome.records("safari_visits")
    assert (first["visit"]["visit_time"], second["visit"]["visit_time"]) == (
        802291200.402631,
        802291200.4030038,
    )
    assert (first["visit"]["title"], first["visit"]["redirect_destination"]) == ("", 2)
    assert first["item"]["daily_visit_counts"] == {"base64": "AQ=="}
    assert outcome.provenances("safari_visits")[0]["source_timestamp"] == "2026-06-04T18:40:00.402631+00:00"
    assert outcome.records("safari_items")[0]["url"] == "https://example.org/"
    (tombstone,) = outcome.records("safari_tombstones")
    assert (tombstone["start_time"], tombstone["url"]) == (-63114076800.0, None)
    assert outcome.streams() == {"safari_visits", "safari_items", "safari_tombstones"}


def test_qutebrowser_gives_equal_visits_each(run: Runner, tmp_path: Path) -> None:
    qutebrowser = Database(tmp_path / "history.sqlite", QUTEBROWSER)
    for _ in range(2):
        qutebrowser.add("History", url="https://example.org/", title="", atime=1780598400, redirect=0)

    outcome = run(qutebrowser.path)

    assert len(outcome.records("qutebrowser_history")) == 2
    assert len(set(outcome.names("qutebrowser_history"))) == 2
    assert outcome.provenances("qutebrowser_history")[0]["source_timestamp"] == "2026-06-04T18:40:00+00:00"


def test_old_firefox_for_android_has_two_units_in_one_file(run: Runner, tmp_path: Path) -> None:
    android = Database(tmp_path / "browser.db", FIREFOX_ANDROID)
    android.add("history", url="https://example.org/", guid="g", date=MICROSECONDS // 1000)
    android.add("visits", history_guid="g", visit_type=1, date=MICROSECONDS, is_local=1)

    outcome = run(android.path)

    (record,) = outcome.records("firefox_android_visits")
    assert (record["visit"]["date"], record["history"]["date"]) == (MICROSECONDS, MICROSECONDS // 1000)
    (told,) = outcome.provenances("firefox_android_visits")
    assert told["source_timestamp"] == "2026-06-04T18:40:00.000001+00:00"


def test_old_firefox_gives_notes_of_bookmarks_keywords_and_what_was_typed(
    run: Runner, tmp_path: Path
) -> None:
    firefox = Firefox(tmp_path / "places.sqlite")
    firefox.do("ALTER TABLE moz_bookmarks ADD COLUMN keyword_id INTEGER")
    firefox.do(
        "CREATE TABLE moz_items_annos (id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL, anno_attribute_id INTEGER, "
        "mime_type VARCHAR(32), content LONGVARCHAR, flags INTEGER, dateAdded INTEGER)"
    )
    firefox.do("CREATE TABLE moz_keywords (id INTEGER PRIMARY KEY AUTOINCREMENT, keyword TEXT UNIQUE)")
    firefox.do(
        "CREATE TABLE moz_inputhistory (place_id INTEGER NOT NULL, input LONGVARCHAR NOT NULL, use_count INTEGER, "
        "PRIMARY KEY (place_id, input))"
    )
    place = firefox.place()
    keyword = firefox.add("moz_keywords", keyword="ex")
    bookmark = firefox.add(
        "moz_bookmarks", type=1, fk=place, title="Mine", guid="b1", keyword_id=keyword, dateAdded=MICROSECONDS
    )
    attribute = firefox.add("moz_anno_attributes", name="bookmarkProperties/description")
    firefox.add(
        "moz_items_annos",
        item_id=bookmark,
        anno_attribute_id=attribute,
        content="What I think of it",
        dateAdded=MICROSECONDS,
    )
    firefox.add("moz_inputhistory", place_id=place, input="exam", use_count=0.7)

    outcome = run(firefox.path)

    assert outcome.gaps == []
    (note,) = outcome.records("firefox_item_annotations")
    assert note["annotation"]["content"] == "What I think of it"
    assert (note["attribute"]["name"], note["bookmark"]["guid"]) == ("bookmarkProperties/description", "b1")
    (told,) = outcome.provenances("firefox_item_annotations")
    assert told["source_timestamp"] == "2026-06-04T18:40:00.000001+00:00"
    (named,) = outcome.records("firefox_keywords")
    assert named["keyword"] == {"id": 1, "keyword": "ex"}
    assert "place" not in named
    assert [found["guid"] for found in named["bookmarks"]] == ["b1"]
    (typed,) = outcome.records("firefox_input_history")
    assert (typed["input"], typed["place"]["url"]) == (
        {"place_id": 1, "input": "exam", "use_count": 0.7},
        "https://example.org/",
    )


def test_a_keyword_names_its_page_since_firefox_39(run: Runner, tmp_path: Path) -> None:
    firefox = Firefox(tmp_path / "places.sqlite")
    firefox.do(
        "CREATE TABLE moz_keywords (id INTEGER PRIMARY KEY, keyword TEXT UNIQUE, place_id INTEGER, post_data TEXT)"
    )
    firefox.add("moz_keywords", keyword="ex", place_id=firefox.place(), post_data="q=%s")

    outcome = run(firefox.path)

    (named,) = outcome.records("firefox_keywords")
    assert (named["keyword"]["post_data"], named["place"]["url"]) == ("q=%s", "https://example.org/")
    assert "bookmarks" not in named


def test_a_page_of_firefox_3_has_no_guid_and_is_valid(run: Runner, tmp_path: Path) -> None:
    firefox = Firefox(tmp_path / "places.sqlite")
    firefox.do("ALTER TABLE moz_places DROP COLUMN guid")
    firefox.add("moz_places", url="https://example.org/")

    outcome = run(firefox.path)

    (record,) = outcome.records("firefox_places")
    (schema,) = [
        m["schema"] for m in outcome.messages if m["type"] == "SCHEMA" and m["stream"] == "firefox_places"
    ]
    assert set(schema["required"]) <= record.keys()
