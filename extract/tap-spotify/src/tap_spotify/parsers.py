"""The files of Spotify's exports, under all names that they had, and what is in each.

Sources: exports of 2021 to 2026 as their owners describe them, and Spotify's own pages on the two packages. The zip
is called ``my_spotify_data.zip`` whichever package it holds, so files are told apart by their own names.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from tap_kit.export import Found, MemberError, Rule, json_items
from tap_kit.export_members import plain_name
from tap_kit.jsontext import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tap_kit.export import Member

_LOG = logging.getLogger("tap-spotify")

_MARK = b"\xef\xbb\xbf"

_USUAL = 32 << 20
"""Bytes; Spotify's files have up to 13 MB. Larger ones are read in constant memory, four times as slowly."""

_LISTS = ("tracks", "albums", "shows", "episodes", "artists", "bannedTracks", "bannedArtists", "other")
"""Parts of the library; one that is not named here comes along all the same."""


def plays(member: Member) -> Iterator[Found]:
    """Read a file of the extended history: a list of plays."""
    kind = "video" if "video" in _file(member).lower() else "audio"
    for play in _elements(member):
        yield Found("streaming_history", play, {"kind": kind})


def short(stream: str) -> Callable[[Member], Iterator[Found]]:
    """Make the parser of a file of the last twelve months, a list of plays in short form, for *stream*."""

    def parse(member: Member) -> Iterator[Found]:
        for play in _elements(member):
            yield Found(stream, play)

    return parse


def short_by_content(member: Member) -> Iterator[Found]:
    """Read a file of the last twelve months as it was called before 2024, when music and podcasts shared the name."""
    for play in _elements(member):
        kind = "podcast" if isinstance(play, dict) and "podcastName" in play else "music"
        yield Found(f"streaming_history_short_{kind}", play)


def searches(member: Member) -> Iterator[Found]:
    """Read ``SearchQueries.json``: a list; its times end in ``[UTC]``, which no reader of dates takes."""
    for search in _elements(member):
        time = search.get("searchTime") if isinstance(search, dict) else None
        moment = re.sub(r"\[.*\]$", "", time) if isinstance(time, str) else None
        yield Found("search_queries", search, {"source_timestamp": moment} if moment else {})


def library(member: Member) -> Iterator[Found]:
    """Read ``YourLibrary.json``: an object of lists."""
    content = _content(member)
    if not isinstance(content, dict):
        raise MemberError(f"{member.path}: holds no object of lists. Its layout may have changed.")
    for name, entries in content.items():
        if not isinstance(entries, list):
            raise MemberError(f"{member.path}: '{name}' is no list. Its layout may have changed.")
        if name not in _LISTS:
            _LOG.warning("%s: the list '%s' is not known yet. It lands like the others.", member.path, name)
        for entry in entries:
            yield Found("library", entry if isinstance(entry, dict) else {"value": entry}, {"list": name})


def playlists(member: Member) -> Iterator[Found]:
    """Read ``Playlist1.json`` and its siblings: an object with the list ``playlists``."""
    content = _content(member)
    entries = content.get("playlists") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise MemberError(f"{member.path}: has no list 'playlists'. Its layout may have changed.")
    for entry in entries:
        yield Found("export_playlists", entry)


def whole(member: Member) -> Iterator[Found]:
    """Read a file that is one thing, or whose parts have no key: a record that holds all of it."""
    yield Found("account_files", {"file": _file(member), "content": _content(member)})


def text(member: Member) -> Iterator[Found]:
    """Read a file that is not JSON in the exports known so far, but may become so: its text, as it is."""
    content = member.read()
    try:
        value = loads(content.removeprefix(_MARK))
    except (ValueError, RecursionError):
        try:
            value = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise MemberError(f"{member.path}: neither JSON nor UTF-8 text. Its bytes are kept.") from None
    yield Found("account_files", {"file": _file(member), "content": value})


def unknown(member: Member) -> Iterator[Found]:
    """Keep a file of a name that is not known, and say so."""
    _LOG.warning("%s: not known yet. It lands whole in account_files.", member.path)
    yield from whole(member)


def unknown_plays(member: Member) -> Iterator[Found]:
    """Keep a history of an unknown kind, and fail: plays must not go unnoticed."""
    yield from whole(member)
    raise MemberError(
        f"{member.path}: a streaming history of an unknown kind. It lands whole in account_files; as plays once the tap "
        "knows its name."
    )


def log(member: Member) -> Iterator[Found]:
    """Read a file of the technical log: mostly a list of events."""
    for event in json_items(member):
        yield Found(
            "technical_log", event if isinstance(event, dict) else {"value": event}, {"file": _file(member)}
        )


_json = partial(Rule, encoding="UTF-8")
_plays = partial(_json, record_bytes=4096)  # a play takes 500 to 1,200, a short one less

_LOG_FILES = r"Spotify Technical Log Information/.*\.json"

LOG_READ = _json(_LOG_FILES, log)
LOG_LEFT_OUT = Rule(_LOG_FILES, None, "very personal; the setting technical_log has it read")

FOLDERS = "Spotify (Account Data|Extended Streaming History|Technical Log Information)|MyData"
"""Folders of the packages, in which a file of an unknown name is Spotify's too."""

RULES = (
    LOG_LEFT_OUT,
    _plays(r"endsong(_\d+)?\.json", plays),  # until mid 2023
    _plays(r"endvideo(_\d+)?\.json", plays),  # until mid 2023
    _plays(r"Streaming_History_(Audio|Video)_[^/]*\.json", plays),  # since August 2023
    _plays(r"StreamingHistory\d*\.json", short_by_content),  # until about 2024
    _plays(r"StreamingHistory_music_?\d*\.json", short("streaming_history_short_music")),
    _plays(r"StreamingHistory_podcast_?\d*\.json", short("streaming_history_short_podcast")),
    _plays(r"StreamingHistory_audiobook_?\d*\.json", short("streaming_history_short_audiobook")),
    _plays(r"StreamingHistory_video_?\d*\.json", short("streaming_history_short_video")),
    _json(r"(Streaming_?History|endsong|endvideo)[^/]*\.json", unknown_plays),
    _json(r"YourLibrary\d*\.json", library),
    _json(r"Playlist\d*\.json", playlists),  # without a number until about 2021
    _json(r"SearchQueries\d*\.json", searches),
    _json(
        r"(Userdata|Identity|Identifiers|Follow|Payments|DuoNewFamily|FamilyPlan|Inferences|Marquee)\.json",
        whole,
    ),
    _json(r"Wrapped\d{4}\.json", whole),  # differs from year to year
    _json(r"(YourSoundCapsule|PodcastInteractivity\w*|VoiceInput|CarThing|MessageData)\.json", whole),
    _json(r"UserAddress\.json", text),  # Scala's text of a list of maps
    _json(r"[^/]*\.json", unknown, inside=FOLDERS),
    Rule(r"[^/]*\.(pdf|txt|html?|md)", None, "explains the files to the reader"),
    Rule(r"[^/]*\.(png|jpe?g|gif|svg)", None, "a picture"),
)


def _elements(member: Member) -> Iterator[Any]:
    """Yield the elements of a list: cut at once where the file is of the usual size and whole, else step by step."""
    cut = _cut(member)
    if cut is None:
        yield from json_items(member)
        return
    for number, element in enumerate(cut, start=1):
        try:
            yield loads(bytes(element))
        except ValueError as error:
            raise MemberError(
                f"{member.path}: element {number} is {error}. Get it again if you can."
            ) from None


def _cut(member: Member) -> list[msgspec.Raw] | None:
    """Cut a list into the texts of its elements; None where it is too large, or no whole list."""
    if (member.size or 0) > _USUAL:
        return None
    try:
        return msgspec.json.decode(member.read(_USUAL).removeprefix(_MARK), type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError):
        return None


def _content(member: Member) -> Any:
    try:
        return loads(member.read().removeprefix(_MARK))
    except (ValueError, RecursionError) as error:
        raise MemberError(f"{member.path} is {error}. Get it again if you can.") from None


def _file(member: Member) -> str:
    return plain_name(member.name).rpartition("/")[2]


def newest_moment(members: Iterable[Member]) -> str:
    """Return the newest moment that histories, searches and playlists name, such as ``2024-01-31T20:15``; empty if there is none.

    A file that cannot be read to its end says what comes before that.
    """
    newest = ""
    for member in members:
        if not member.refused and any(rule.names(member.name) for rule in _DATED):
            with suppress(MemberError):
                for chunk in member.chunks():
                    newest = max([newest, *(match[1].decode() for match in _MOMENT.finditer(chunk))])
    return newest.replace(" ", "T")


_MOMENT = re.compile(
    rb'"(?:ts|endTime|searchTime|lastModifiedDate|addedDate)"\s*:\s*"((?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ]\d\d:\d\d)?)'
)
"""A moment to the minute; one that is cut by the end of a chunk has others beside it."""

_DATED = tuple(rule for rule in RULES if rule.parser and rule.record_bytes) + tuple(
    rule for rule in RULES if rule.parser in {searches, playlists}
)
