"""Chrome and its relatives: every column as stored, under whatever layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browsers import HOUR, JUNE, Chromium

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Runner


@pytest.fixture
def chrome(tmp_path: Path) -> Chromium:
    return Chromium(tmp_path / "Default" / "History")


def test_a_visit_has_its_row_its_page_and_the_notes_on_it(run: Runner, chrome: Chromium) -> None:
    url = chrome.url("https://example.org/a?q=1#x", title="A\x00B ü", visit_count=3)
    visit = chrome.visit(url, JUNE, transition=0xA0000000, visit_duration=5_000_000, app_id=None)
    chrome.add("visit_source", id=visit, source=0)
    chrome.add("content_annotations", visit_id=visit, visibility_score=0.3, categories="", search_terms="tea")
    chrome.add("context_annotations", visit_id=visit, total_foreground_duration=-1_000_000)

    (record,) = run(chrome.path).records("chromium_visits")

    assert record == {
        "visit": {
            "id": visit,
            "url": url,
            "visit_time": JUNE,
            "from_visit": None,
            "external_referrer_url": None,
            "transition": 0xA0000000,
            "segment_id": None,
            "visit_duration": 5_000_000,
            "opener_visit": None,
            "originator_cache_guid": None,
            "originator_visit_id": None,
            "is_known_to_sync": 0,
            "app_id": None,
        },
        "url": {
            "id": url,
            "url": "https://example.org/a?q=1#x",
            "title": "A\x00B ü",
            "visit_count": 3,
            "typed_count": 0,
            "last_visit_time": JUNE,
            "hidden": 0,
        },
        "visit_source": {"id": visit, "source": 0},
        "content_annotations": {
            "visit_id": visit,
            "visibility_score": 0.3,
            "categories": "",
            "search_terms": "tea",
        },
        "context_annotations": {"visit_id": visit, "total_foreground_duration": -1_000_000},
    }


def test_the_provenance_says_when_and_where(run: Runner, chrome: Chromium) -> None:
    chrome.visit(chrome.url())

    (told,) = run({"path": str(chrome.path), "label": "chrome/Work"}).provenances("chromium_visits")

    assert told["source_timestamp"] == "2026-06-04T18:40:00.000001+00:00"
    assert told["account"] == "chrome/Work"
    assert told["layout"] == "chromium 70"
    assert (told["table"], told["row"], told["encoding"]) == ("visits", 1, "UTF-8")
    assert told["file_path"] == str(chrome.path)
    assert told["file_size"] == chrome.path.stat().st_size
    assert len(told["file_hash"]) == 64


def test_an_old_layout_lacks_what_it_has_no_table_for(run: Runner, tmp_path: Path) -> None:
    old = Chromium(tmp_path / "History", version=43)
    old.visit(old.url(), transition=-0x60000000)

    (record,) = run(old.path).records("chromium_visits")

    assert record.keys() == {"visit", "url", "visit_source"}
    assert record["visit_source"] is None
    assert record["visit"]["transition"] == -0x60000000
    assert record["visit"]["publicly_routable"] == 0


def test_a_column_of_the_future_comes_along(run: Runner, chrome: Chromium) -> None:
    chrome.do('ALTER TABLE visits ADD COLUMN "mood ""of the day"" " TEXT')
    chrome.do("ALTER TABLE visits DROP COLUMN segment_id")
    chrome.visit(chrome.url())
    chrome.do('UPDATE visits SET "mood ""of the day"" " = ?', "bright")

    (record,) = run(chrome.path).records("chromium_visits")

    assert record["visit"]['mood "of the day" '] == "bright"
    assert "segment_id" not in record["visit"]


def test_a_visit_whose_page_is_missing_is_kept(run: Runner, chrome: Chromium) -> None:
    chrome.visit(4711)

    (record,) = run(chrome.path).records("chromium_visits")

    assert record["url"] is None


def test_visits_of_one_moment_stay_apart(run: Runner, chrome: Chromium) -> None:
    for address in ("https://example.org/a", "https://example.org/b"):
        chrome.visit(chrome.url(address))
    chrome.visit(1)

    names = run(chrome.path).names("chromium_visits")

    assert len(set(names)) == 3
    assert names[2][1] == f"{names[0][1]}#2"


def test_one_visit_in_two_synced_profiles_is_a_record_of_each(run: Runner, tmp_path: Path) -> None:
    profiles = []
    for label in ("chrome/Default", "chrome/Profile 1"):
        chrome = Chromium(tmp_path / label / "History")
        chrome.visit(chrome.url(), originator_cache_guid="device", originator_visit_id=9)
        profiles.append({"path": str(chrome.path), "label": label})

    names = run(*profiles).names("chromium_visits")

    assert [account for account, _ in names] == ["chrome/Default", "chrome/Profile 1"]


def test_a_visit_of_another_device_is_none_of_this_one(run: Runner, chrome: Chromium) -> None:
    chrome.visit(chrome.url())
    chrome.visit(1, originator_cache_guid="device", originator_visit_id=1)

    assert len(set(run(chrome.path).names("chromium_visits"))) == 2


def test_a_visit_is_the_same_before_and_after_the_browser_was_updated(run: Runner, tmp_path: Path) -> None:
    old, new = (Chromium(tmp_path / str(version) / "History", version=version) for version in (43, 70))
    old.visit(old.url())
    new.visit(new.url(), originator_cache_guid="", originator_visit_id=0)

    assert run(old.path).names("chromium_visits") == run(new.path).names("chromium_visits")


def test_pages_searches_and_downloads_are_streams_of_their_own(run: Runner, chrome: Chromium) -> None:
    url = chrome.url("https://search.example/?q=tea")
    chrome.add("keyword_search_terms", keyword_id=2, url_id=url, term="Tea", normalized_term="tea")
    download = chrome.add(
        "downloads", guid="g", target_path="/d/f.zip", start_time=JUNE + HOUR, hash=b"\x00\xff", opened=0
    )
    for index, address in enumerate(("https://example.org/get", "https://cdn.example/f.zip")):
        chrome.add("downloads_url_chains", id=download, chain_index=index, url=address)

    outcome = run(chrome.path)

    (page,) = outcome.records("chromium_urls")
    assert (page["url"], page["last_visit_time"]) == ("https://search.example/?q=tea", JUNE)
    (term,) = outcome.records("chromium_search_terms")
    assert term["search_term"] == {"keyword_id": 2, "url_id": url, "term": "Tea", "normalized_term": "tea"}
    assert term["url"]["url"] == "https://search.example/?q=tea"
    (record,) = outcome.records("chromium_downloads")
    assert record["download"]["hash"] == {"base64": "AP8="}
    assert [link["url"] for link in record["url_chain"]] == [
        "https://example.org/get",
        "https://cdn.example/f.zip",
    ]
    (told,) = outcome.provenances("chromium_downloads")
    assert told["base64"] == ["/download/hash"]
    assert told["source_timestamp"] == "2026-06-04T19:40:00.000001+00:00"


def test_text_that_is_no_utf8_keeps_its_bytes(run: Runner, chrome: Chromium) -> None:
    url = chrome.url()
    chrome.do("UPDATE urls SET title = CAST(x'41ff42' AS TEXT)")
    chrome.visit(url)

    outcome = run(chrome.path)

    assert outcome.records("chromium_visits")[0]["url"]["title"] == {"base64": "Qf9C"}
    assert outcome.provenances("chromium_visits")[0]["base64"] == ["/url/title"]


@pytest.mark.parametrize(
    "address",
    ["data:text/plain," + "x" * 100_000, "file:///home/ada/a%20b", "https://example.org/?token=s3cret", ""],
    ids=["100 kB", "file", "token", "empty"],
)
def test_an_address_leaves_as_it_is_and_is_told_nowhere_else(
    run: Runner, chrome: Chromium, address: str
) -> None:
    chrome.visit(chrome.url(address))

    outcome = run(chrome.path)

    assert outcome.records("chromium_visits")[0]["url"]["url"] == address
    assert "s3cret" not in outcome.log
    assert "s3cret" not in str(outcome.provenances("chromium_visits")) + str(outcome.state)


@pytest.mark.parametrize("time", [0, -1, 2**62, "soon"], ids=["never", "before", "far", "text"])
def test_a_moment_that_is_none_is_kept_and_not_converted(run: Runner, chrome: Chromium, time: int) -> None:
    chrome.visit(chrome.url(), time)

    outcome = run(chrome.path)

    assert outcome.records("chromium_visits")[0]["visit"]["visit_time"] == time
    assert outcome.provenances("chromium_visits")[0].get("source_timestamp", "1600")[:4] == "1600"


def test_downloads_before_chrome_26_are_in_seconds(run: Runner, tmp_path: Path) -> None:
    chrome = Chromium(tmp_path / "History", 43)
    chrome.do("DROP TABLE downloads")
    chrome.do("DROP TABLE downloads_url_chains")
    chrome.do(
        "CREATE TABLE downloads (id INTEGER PRIMARY KEY, full_path LONGVARCHAR NOT NULL, url LONGVARCHAR NOT NULL, "
        "start_time INTEGER NOT NULL, end_time INTEGER NOT NULL, state INTEGER NOT NULL)"
    )
    chrome.add(
        "downloads",
        full_path="/tmp/a.zip",
        url="https://example.org/a.zip",
        start_time=1372627565,
        end_time=1372627567,
        state=1,
    )

    outcome = run(chrome.path)

    (record,) = outcome.records("chromium_downloads")
    assert record["download"]["start_time"] == 1372627565
    (told,) = outcome.provenances("chromium_downloads")
    assert told["source_timestamp"] == "2013-06-30T21:26:05+00:00"
    assert "not described yet" not in outcome.log
