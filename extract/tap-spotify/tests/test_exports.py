"""The privacy exports: every layout and name, plays that are told apart and never lost."""

from __future__ import annotations

import json
import os
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tap_spotify.tap import TapSpotify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Runner

FOLDER = "Spotify Extended Streaming History"
TRACK = "spotify:track:0000000000000000000001"


def play(second: int = 0, **more: Any) -> dict[str, Any]:
    """A play of a track, with the fields of 2023."""
    return {
        "ts": f"2013-05-01T10:00:{second:02}Z",
        "platform": "OS X 10.8.3 [x86 8]",
        "ms_played": 200_000,
        "conn_country": "NL",
        "ip_addr": "192.0.2.7",
        "master_metadata_track_name": "Song",
        "master_metadata_album_artist_name": "Band",
        "master_metadata_album_album_name": "Album",
        "spotify_track_uri": TRACK,
        "episode_name": None,
        "episode_show_name": None,
        "spotify_episode_uri": None,
        "reason_start": "trackdone",
        "reason_end": "trackdone",
        "shuffle": False,
        "skipped": None,
        "offline": False,
        "offline_timestamp": 0,
        "incognito_mode": False,
        **more,
    }


def of_2021(row: dict[str, Any]) -> dict[str, Any]:
    """The same play with the fields of 2021."""
    older = {"username": "ada", "user_agent_decrypted": "unknown", **row}
    older["ip_addr_decrypted"] = older.pop("ip_addr")
    return older


def of_2023(row: dict[str, Any]) -> dict[str, Any]:
    """The same play as it is."""
    return row


def of_2024(row: dict[str, Any]) -> dict[str, Any]:
    """The same play with the fields of 2024."""
    fields = ("audiobook_title", "audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title")
    return {**row, **dict.fromkeys(fields)}


@pytest.mark.parametrize(
    "name",
    [
        "endsong.json",
        "MyData/endsong_0.json",
        "MyData/endsong_12.json",
        "MyData/endvideo.json",
        f"{FOLDER}/Streaming_History_Audio_2011-2012_0.json",
        f"{FOLDER}/Streaming_History_Audio_2023_5.json",
        f"{FOLDER}/Streaming_History_Video_2016-2024.json",
        f"my_spotify_data/{FOLDER}/streaming_history_audio_2011.JSON",
    ],
)
def test_plays_are_found_under_each_name_and_leave_as_they_are(
    run: Runner, make_zip: Callable[..., Path], name: str
) -> None:
    rows = [play(), play(1, ms_played=0, skipped=True, offline_timestamp=1_367_402_400_123)]

    outcome = run(path=str(make_zip({name: rows})))

    assert outcome.records("streaming_history") == rows
    assert outcome.gaps == []


def test_the_provenance_says_file_position_and_hash(run: Runner, make_zip: Callable[..., Path]) -> None:
    path = make_zip({f"{FOLDER}/Streaming_History_Video_2016.json": [play(), play(1)]})

    told = run(path=str(path), account="ada").provenances("streaming_history")[1]

    assert told["file_path"] == f"my_spotify_data.zip/{FOLDER}/Streaming_History_Video_2016.json"
    assert (told["ordinal"], told["kind"], told["account"]) == (2, "video", "ada")
    assert (len(told["file_hash"]), told["compression_type"]) == (64, "deflate")


def test_the_same_export_again_gives_nothing(run: Runner, make_zip: Callable[..., Path]) -> None:
    path = make_zip({"endsong_0.json": [play()]})
    run(path=str(path))

    assert run(path=str(path)).counts() == {}


def test_a_later_export_with_other_files_adds_only_what_is_new(
    run: Runner, make_zip: Callable[..., Path]
) -> None:
    plays = [play(second) for second in range(6)]
    first = run(
        path=str(make_zip({"endsong_0.json": plays[:2], "endsong_1.json": plays[2:4]}, name="first.zip"))
    )
    later = {
        "Streaming_History_Audio_2013_0.json": plays[:3],
        "Streaming_History_Audio_2013_1.json": plays[3:],
    }
    second = run(path=str(make_zip(later, name="second.zip")))

    assert len(set(second.names("streaming_history")) - set(first.names("streaming_history"))) == 2
    assert set(first.names("streaming_history")) <= set(second.names("streaming_history"))


def test_a_play_stays_itself_in_all_three_sets_of_fields(run: Runner, make_zip: Callable[..., Path]) -> None:
    names = []
    for number, form in enumerate((of_2021, of_2023, of_2024)):
        row = form(play(reason_end="", master_metadata_track_name=f"Song as of {number}"))
        outcome = run(path=str(make_zip({"endsong_0.json": [row]}, name=f"{number}.zip")))
        names += outcome.names("streaming_history")
        assert "not described" not in outcome.log

    assert len(names) == 3
    assert len(set(names)) == 1


def test_equal_rows_stay_apart_wherever_they_lie(run: Runner, make_zip: Callable[..., Path]) -> None:
    two = run(path=str(make_zip({"endsong_0.json": [play(), play()]}, name="two.zip")))
    three = run(
        path=str(make_zip({"endsong_0.json": [play()], "endsong_1.json": [play(), play()]}, name="three.zip"))
    )

    assert len(set(two.names("streaming_history"))) == 2
    assert len(set(three.names("streaming_history"))) == 3
    assert set(two.names("streaming_history")) < set(three.names("streaming_history"))


def test_a_play_that_the_file_of_videos_repeats_is_one(run: Runner, make_zip: Callable[..., Path]) -> None:
    members = {f"Streaming_History_{kind}_2024.json": [play()] for kind in ("Audio", "Video")}

    assert len(set(run(path=str(make_zip(members))).names("streaming_history"))) == 1


@pytest.mark.parametrize(
    "row",
    [
        play(spotify_track_uri=None, master_metadata_track_name=None),
        {name: value for name, value in play().items() if name != "ms_played"},
        play(spotify_track_uri=None, spotify_episode_uri="spotify:episode:1"),
        of_2024(play(spotify_track_uri=None)) | {"audiobook_chapter_uri": "spotify:episode:2"},
        play(spotify_episode_uri="spotify:episode:1"),
        play(ts="2008-10-07T23:59:60Z"),
        play(ts="yesterday", ip_addr="2001:db8::x", shuffle=None),
        play(offline_timestamp=1_367_402_400, ip_addr=None, new_field={"a": [1]}),
    ],
    ids=["nameless", "no length", "episode", "chapter", "both", "leap second", "no date", "new field"],
)
def test_an_odd_play_lands_beside_its_neighbour(
    run: Runner, make_zip: Callable[..., Path], row: dict[str, Any]
) -> None:
    outcome = run(path=str(make_zip({"endsong_0.json": [row, play(59)]})))

    assert outcome.records("streaming_history") == [row, play(59)]
    assert len(set(outcome.names("streaming_history"))) == 2


def test_personal_fields_are_marked_and_told_nowhere_else(run: Runner, make_zip: Callable[..., Path]) -> None:
    path = make_zip({"endsong_0.json": [play(ip_addr="192.0.2.99"), 5]})

    outcome = run(path=str(path))

    (schema, *_) = outcome.told("SCHEMA", "streaming_history")
    assert schema["schema"]["properties"]["ip_addr"]["description"].startswith("Personal")
    assert "192.0.2.99" not in outcome.log + str(outcome.gaps) + str(outcome.state)
    assert "192.0.2.99" not in str(outcome.provenances("streaming_history"))


def test_an_unknown_kind_of_history_is_kept_and_fails_by_name(
    run: Runner, make_zip: Callable[..., Path]
) -> None:
    members = {"Streaming_History_Smell_2027.json": [play()], "Streaming_History_Audio_2027.json": [play(1)]}

    outcome = run(path=str(make_zip(members)))

    assert outcome.counts() == {"account_files": 1, "streaming_history": 1}
    (sentence,) = outcome.gaps
    assert "Streaming_History_Smell_2027.json: a streaming history of an unknown kind" in sentence


def test_a_truncated_file_gives_what_it_has_and_the_others_go_on(
    run: Runner, make_zip: Callable[..., Path]
) -> None:
    members = {"endsong_0.json": b'[{"ts": "2013-05-01T10:00:00Z"}, {"ts": ', "endsong_1.json": [play()]}

    outcome = run(path=str(make_zip(members)))

    assert outcome.counts() == {"streaming_history": 2}
    assert outcome.files() == {"endsong_0.json": "damaged", "endsong_1.json": "parsed"}


SHORT = {"endTime": "2026-02-03 04:05", "artistName": "Band", "trackName": "Song", "msPlayed": 1}
EPISODE = {"endTime": "2026-02-03 04:05", "podcastName": "Show", "episodeName": "One", "msPlayed": 2}


@pytest.mark.parametrize(
    ("name", "row", "stream"),
    [
        ("MyData/StreamingHistory0.json", SHORT, "music"),
        ("MyData/StreamingHistory0.json", EPISODE, "podcast"),
        ("Spotify Account Data/StreamingHistory_music_0.json", SHORT, "music"),
        ("Spotify Account Data/StreamingHistory_podcast_0.json", EPISODE, "podcast"),
        (
            "Spotify Account Data/StreamingHistory_audiobook_0.json",
            {"endTime": "2026-02-03 04:05"},
            "audiobook",
        ),
        ("Spotify Account Data/StreamingHistory_video_0.json", SHORT, "video"),
    ],
)
def test_plays_of_the_last_year_are_found_under_each_name(
    run: Runner, make_zip: Callable[..., Path], name: str, row: dict[str, Any], stream: str
) -> None:
    outcome = run(path=str(make_zip({name: [row, row]})))

    assert outcome.records(f"streaming_history_short_{stream}") == [row, row]
    told = outcome.provenances(f"streaming_history_short_{stream}")
    assert [one["occurrence"] for one in told] == [1, 2]


def test_equal_short_plays_are_numbered_across_files(run: Runner, make_zip: Callable[..., Path]) -> None:
    members = {f"StreamingHistory_music_{number}.json": [SHORT] for number in (0, 1)}

    told = run(path=str(make_zip(members))).provenances("streaming_history_short_music")

    assert [one["occurrence"] for one in told] == [1, 2]


ACCOUNT: dict[str, Any] = {
    "Spotify Account Data/YourLibrary.json": {
        "tracks": [{"artist": "Band", "album": "Album", "track": "Song", "uri": TRACK}],
        "artists": [{"name": "Band", "uri": "spotify:artist:1"}],
        "bannedTracks": [{"artist": "Band", "album": "Album", "track": "Song", "uri": TRACK}],
        "other": ["spotify:thing:1"],
    },
    "Spotify Account Data/Playlist1.json": {
        "playlists": [
            {
                "name": "Mix",
                "lastModifiedDate": "2026-01-02",
                "items": [{"track": None, "episode": {"episodeName": "One"}, "localTrack": None}],
            },
            {"name": "Mix", "lastModifiedDate": "2026-01-03", "items": []},
        ]
    },
    "Spotify Account Data/SearchQueries.json": [
        {"platform": "IPHONE", "searchTime": "2026-01-05T10:11:12.345Z[UTC]", "searchQuery": "tea"}
    ],
    "Spotify Account Data/Userdata.json": {"username": "ada", "birthdate": "1990-01-01"},
    "Spotify Account Data/Wrapped2025.json": {"topArtists": [{"n": 1}]},
    "Spotify Account Data/Inferences.json": {"inferences": ["1P_Custom_Tea"]},
    "Spotify Account Data/SomethingNew.json": [1, 2.50],
    "Spotify Account Data/ReadMeFirst.pdf": b"%PDF",
    "__MACOSX/Spotify Account Data/._Userdata.json": b"\x00",
}


def test_account_data_lands_in_its_streams(run: Runner, make_zip: Callable[..., Path]) -> None:
    outcome = run(path=str(make_zip(ACCOUNT)))

    assert outcome.counts() == {
        "account_files": 4,
        "export_playlists": 2,
        "library": 4,
        "search_queries": 1,
    }
    assert outcome.names("library") == [
        f"tracks/{TRACK}",
        "artists/spotify:artist:1",
        f"bannedTracks/{TRACK}",
        outcome.names("library")[3],
    ]
    assert outcome.records("library")[3] == {"value": "spotify:thing:1"}
    assert len(set(outcome.names("export_playlists"))) == 2
    (told,) = outcome.provenances("search_queries")
    assert told["source_timestamp"] == "2026-01-05T10:11:12.345Z"
    assert outcome.records("search_queries") == ACCOUNT["Spotify Account Data/SearchQueries.json"]
    assert {"file": "SomethingNew.json", "content": [1, 2.5]} in outcome.records("account_files")
    assert outcome.files()["ReadMeFirst.pdf"] == "ignored"
    assert "SomethingNew.json: not known yet" in outcome.log
    assert outcome.gaps == []


def test_numbers_of_unknown_files_keep_their_digits(
    make_zip: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = make_zip({"MyData/New.json": b'{"price": 2.50, "big": 12345678901234567890123}'})
    TapSpotify(config={"path": str(path)}).sync_all()

    assert '"content":{"price":2.50,"big":12345678901234567890123}' in capsys.readouterr().out


def test_what_a_newer_export_lacks_is_gone_from_library_and_playlists_alone(
    run: Runner, make_zip: Callable[..., Path]
) -> None:
    outcome = run(path=str(make_zip(ACCOUNT)))

    closed = {message["stream"] for message in outcome.told("ACTIVATE_VERSION")}
    assert closed == {"library", "export_playlists"}


def test_both_packages_in_one_zip_are_read(run: Runner, make_zip: Callable[..., Path]) -> None:
    outcome = run(path=str(make_zip({**ACCOUNT, f"{FOLDER}/Streaming_History_Audio_2013.json": [play()]})))

    assert outcome.counts()["streaming_history"] == 1
    assert outcome.counts()["library"] == 4


def test_unpacked_exports_side_by_side_do_not_double_their_plays(
    run: Runner, make_zip: Callable[..., Path], tmp_path: Path
) -> None:
    for year in (2023, 2026):
        path = make_zip({f"{FOLDER}/Streaming_History_Audio_2013.json": [play()]}, name="packed.zip")
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "unpacked" / str(year))
        path.unlink()
        file = tmp_path / "unpacked" / str(year) / FOLDER / "Streaming_History_Audio_2013.json"
        file.write_text(file.read_text() + "\n" * (year - 2000))
        os.utime(file, (year, year))

    outcome = run(path=str(tmp_path / "unpacked"))

    assert len(outcome.names("streaming_history")) == 2
    assert len(set(outcome.names("streaming_history"))) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("YourLibrary.json", [1]),
        ("YourLibrary.json", {"tracks": 1}),
        ("Playlist1.json", {"lists": []}),
        ("Playlist1.json", b"{"),
        ("Userdata.json", b"no json"),
    ],
)
def test_a_layout_that_drifted_is_one_sentence_about_its_file(
    run: Runner, make_zip: Callable[..., Path], name: str, content: Any
) -> None:
    outcome = run(path=str(make_zip({name: content, "endsong.json": [play()]})))

    (sentence,) = outcome.gaps
    assert name in sentence
    assert outcome.counts() == {"streaming_history": 1}


def test_the_technical_log_is_left_out_until_it_is_asked_for(
    run: Runner, make_zip: Callable[..., Path]
) -> None:
    events = [{"timestamp_utc": "2026-01-01", "note": "x" * 5000}, 5]
    path = str(make_zip({"Spotify Technical Log Information/Event.json": events}))
    unasked = run(path=path)
    asked = run(path=path, technical_log=True)
    again = run(path=path, technical_log=True)

    assert (unasked.counts(), unasked.files()) == ({}, {"Event.json": "ignored"})
    assert "WARNING" not in unasked.log
    assert asked.records("technical_log") == [events[0], {"value": 5}]
    assert again.counts() == {}


def test_without_export_and_app_there_is_one_sentence(run: Runner) -> None:
    with pytest.raises(Exception, match="Neither an export nor an app of Spotify is named"):
        run()


def test_each_row_says_how_its_file_was_packed_and_encoded(
    run: Runner, make_zip: Callable[..., Path]
) -> None:
    outcome = run(path=str(make_zip({"endsong_0.json": [play()], "Userdata.json": {"username": "ada"}})))

    for stream in ("streaming_history", "account_files"):
        (told,) = outcome.provenances(stream)
        assert (told["encoding"], told["compression_type"]) == ("UTF-8", "deflate")


def test_fewer_plays_than_the_files_size_suggests_are_said_aloud(
    run: Runner, make_zip: Callable[..., Path]
) -> None:
    whole = [play(second % 60, ms_played=second) for second in range(100)]
    outcome = run(
        path=str(make_zip({"endsong_0.json": whole, "endsong_1.json": {"ts": "x", "plays": whole}}))
    )

    assert "endsong_1.json: 1 records in" in outcome.log
    assert "endsong_0.json: 100 records in" not in outcome.log


ADDRESS = "List(Map(city -> Springfield, street -> 1 Example Way, postal_code_short -> 12345))"
LIBRARY = {"tracks": [{"track": "T", "uri": TRACK}], "albums": []}


def test_an_address_that_is_not_json_lands_as_its_text_and_deletions_are_recorded(
    run: Runner, make_zip: Callable[..., Path]
) -> None:
    folder = "Spotify Account Data"
    outcome = run(
        path=str(
            make_zip({f"{folder}/UserAddress.json": ADDRESS.encode(), f"{folder}/YourLibrary.json": LIBRARY})
        )
    )
    assert outcome.records("account_files") == [{"file": "UserAddress.json", "content": ADDRESS}]
    assert outcome.gaps == []
    assert outcome.told("ACTIVATE_VERSION", "library")


def test_an_address_that_is_json_lands_as_json(run: Runner, make_zip: Callable[..., Path]) -> None:
    outcome = run(path=str(make_zip({"UserAddress.json": [{"city": "Springfield"}]})))
    assert outcome.records("account_files")[0]["content"] == [{"city": "Springfield"}]


def test_foreign_json_beside_the_export_is_unknown(run: Runner, tmp_path: Path) -> None:
    for name in ("StreamingHistory_music_0.json", "takeout/Records.json"):
        (tmp_path / "drop" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "drop" / name).write_text("[]")
    (tmp_path / "drop" / "morning.fit").write_bytes(b"x")
    outcome = run(path=str(tmp_path / "drop"))
    assert outcome.files()["Records.json"] == "unknown"
    assert outcome.counts() == {}


@pytest.mark.parametrize(
    ("name", "stream", "content"),
    [
        ("StreamingHistory_music_0", "streaming_history_short_music", [{"endTime": "2024-01-01 10:00"}]),
        ("StreamingHistory_podcast_0", "streaming_history_short_podcast", [{"endTime": "2024-01-01 10:00"}]),
        ("StreamingHistory0", "streaming_history_short_music", [{"endTime": "2024-01-01 10:00"}]),
        ("endsong_0", "streaming_history", [play()]),
        ("SearchQueries", "search_queries", [{"searchQuery": "x"}]),
        ("YourLibrary", "library", LIBRARY),
        ("Playlist1", "export_playlists", {"playlists": [{"name": "P"}]}),
    ],
)
def test_second_downloads_go_to_their_stream_and_strays_are_dead_letters(
    run: Runner, make_zip: Callable[..., Path], name: str, stream: str, content: Any
) -> None:
    outcome = run(path=str(make_zip({f"{name} (1).json": content}, "first.zip")))
    assert outcome.counts() == {stream: 1}
    if stream == "library":  # wraps what is not an object
        return
    strays = [7, None, "x"]
    odd = (
        {"playlists": [*content["playlists"], *strays]} if isinstance(content, dict) else [*content, *strays]
    )
    outcome = run(path=str(make_zip({f"{name}.json": odd}, "second.zip")))
    letters = [m for m in outcome.told("RECORD", stream) if "dead_letter" in m["provenance"]]
    assert [m["record"] for m in letters] == [{"value": stray} for stray in strays]
    assert len(outcome.gaps) == 1


def test_an_older_folder_that_was_copied_later_ends_nothing(run: Runner, tmp_path: Path) -> None:
    def export(year: int, tracks: int, changed: int) -> str:
        folder = tmp_path / str(year) / "MyData"
        folder.mkdir(parents=True)
        entries = [{"track": f"T{number}", "uri": f"spotify:track:{number}"} for number in range(tracks)]
        (folder / "YourLibrary.json").write_text(json.dumps({"tracks": entries}))
        (folder / "StreamingHistory0.json").write_text(json.dumps([{"endTime": f"{year}-01-01 10:00"}]))
        for file in folder.iterdir():
            os.utime(file, (changed, changed))
        return str(folder.parent)

    newer, older = export(2024, 3, 1_700_000_000), export(2023, 2, 1_800_000_000)
    assert run(path=newer).told("ACTIVATE_VERSION", "library")
    outcome = run(path=older)
    assert not outcome.told("ACTIVATE_VERSION", "library")
    assert all(told["degraded"] for told in outcome.provenances("library"))
