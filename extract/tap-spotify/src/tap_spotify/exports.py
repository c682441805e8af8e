"""The streams of the privacy exports.

A play has no key in any of them. In the extended history it is told by what stays the same from one export to the
next: when it ended, how long it was, and what was played; names, addresses and the set of fields do not. Equal rows are
real, or at least were sent, so they are numbered, within one export, as rows move between its files.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th
from typing_extensions import override

from tap_kit.export import ExportStream
from tap_kit.jsontext import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_kit.export import Envelope, Found

_TEXT = th.StringType(nullable=True)
_NUMBER = th.IntegerType(nullable=True)
_FLAG = th.BooleanType(nullable=True)
_ANYTHING = th.CustomType({"type": ["object", "array", "string", "number", "boolean", "null"]})

_NUMBERED = 15
"""Digits of a name by which equal records are counted: 60 bits, which a million names share by a chance of 1 to 2 million."""

_URIS = ("spotify_track_uri", "spotify_episode_uri", "audiobook_chapter_uri")


class NumberedStream(ExportStream):
    """Records without a key, equal ones numbered within an export."""

    @override
    def begin(self, *, closes: bool) -> None:
        # A few bytes for each record, as an export may have a million.
        self._seen: set[int] = set()
        self._again: Counter[int] = Counter()
        super().begin(closes=closes)

    @override
    def send(self, found: Found, provenance: Mapping[str, Any], envelope: Envelope, ordinal: int) -> None:
        own = {**found.provenance, **self.naming(found)}
        super().send(replace(found, provenance=own), provenance, envelope, ordinal)

    def naming(self, found: Found) -> dict[str, Any]:
        """Tell the record's number among those of equal content."""
        return {"occurrence": self.number(_digest(sorted(found.record.items())))}

    def number(self, name: str) -> int:
        """Count how often a name of hexadecimal digits has come in this export, this time included."""
        short = int(name[:_NUMBERED], 16)
        if short not in self._seen:
            self._seen.add(short)
            return 1
        self._again[short] += 1
        return self._again[short] + 1


class NamedStream(NumberedStream):
    """Records that are named by a part of their content, so that the rest of it may change."""

    def base(self, found: Found) -> str:
        """Give the name, without the number of equal ones."""
        raise NotImplementedError

    def group(self, found: Found) -> str:
        """Give what equal records are numbered within; by default the export."""
        del found
        return ""

    @override
    def naming(self, found: Found) -> dict[str, Any]:
        base = self.base(found)
        number = self.number(_digest([self.group(found), base]))
        return {"raw_id": base if number == 1 else f"{base}#{number}"}


class StreamingHistory(NamedStream):
    """Every play since the account exists, from the extended history (``endsong``, ``Streaming_History_Audio`` …).

    ``ts`` is when the play ended or was reported, in UTC. Other targets than this project's, which know no ``raw_id``, get ``ts``
    and ``ms_played`` as key and may lose skipped tracks of one second.
    """

    name = "streaming_history"
    primary_keys = ("ts", "ms_played")
    source_timestamp = "ts"
    schema = th.PropertiesList(
        th.Property("ts", th.StringType, required=True, description="End of the play, UTC, whole seconds."),
        th.Property("username", _TEXT, description="Personal. Until 2023."),
        th.Property("platform", _TEXT, description="Personal. Free text: system, device, its maker."),
        th.Property("ms_played", _NUMBER, description="Milliseconds."),
        th.Property("conn_country", _TEXT, description="Personal. ISO 3166; ZZ is unknown."),
        th.Property("ip_addr_decrypted", _TEXT, description="Personal. Until 2023."),
        th.Property("ip_addr", _TEXT, description="Personal. Since 2023."),
        th.Property("user_agent_decrypted", _TEXT, description="Personal. Until 2023."),
        th.Property("master_metadata_track_name", _TEXT, description="Name as of the export."),
        th.Property("master_metadata_album_artist_name", _TEXT, description="The album's first artist."),
        th.Property("master_metadata_album_album_name", _TEXT),
        th.Property("spotify_track_uri", _TEXT),
        th.Property("episode_name", _TEXT),
        th.Property("episode_show_name", _TEXT),
        th.Property("spotify_episode_uri", _TEXT),
        th.Property("audiobook_title", _TEXT, description="Since about 2024, like its siblings."),
        th.Property("audiobook_uri", _TEXT),
        th.Property("audiobook_chapter_uri", _TEXT),
        th.Property("audiobook_chapter_title", _TEXT),
        th.Property("reason_start", _TEXT),
        th.Property("reason_end", _TEXT),
        th.Property("shuffle", _FLAG),
        th.Property("skipped", _FLAG, description="Null for years at a stretch."),
        th.Property("offline", _FLAG),
        th.Property(
            "offline_timestamp",
            _NUMBER,
            description="Since 1970: seconds in newer plays, milliseconds in older ones; 0 is none.",
        ),
        th.Property("incognito_mode", _FLAG, description="Personal. A private session."),
    ).to_dict()

    @override
    def base(self, found: Found) -> str:
        play = found.record
        uri = next((play[name] for name in _URIS if play.get(name)), None)
        return _digest([play.get("ts"), play.get("ms_played"), uri])

    @override
    def group(self, found: Found) -> str:
        # Whether files of videos repeat plays of the audio files is not known; a repeated one is the same play.
        return str(found.provenance["kind"])


class ShortHistory(NumberedStream):
    """Plays of the last twelve months in short form: no address of the track, minutes only, UTC."""

    source_timestamp = "endTime"


class ShortMusic(ShortHistory):
    """Tracks of the last twelve months (``StreamingHistory_music_0.json``)."""

    name = "streaming_history_short_music"
    schema = th.PropertiesList(
        th.Property("endTime", th.StringType, description="YYYY-MM-DD HH:MM, UTC."),
        th.Property("artistName", _TEXT),
        th.Property("trackName", _TEXT),
        th.Property("msPlayed", _NUMBER, description="Milliseconds."),
    ).to_dict()


class ShortPodcast(ShortHistory):
    """Episodes of the last twelve months (``StreamingHistory_podcast_0.json``)."""

    name = "streaming_history_short_podcast"
    schema = th.PropertiesList(
        th.Property("endTime", th.StringType, description="YYYY-MM-DD HH:MM, UTC."),
        th.Property("podcastName", _TEXT),
        th.Property("episodeName", _TEXT),
        th.Property("msPlayed", _NUMBER, description="Milliseconds."),
    ).to_dict()


class ShortAudiobook(ShortHistory):
    """Chapters of the last twelve months (``StreamingHistory_audiobook_0.json``)."""

    name = "streaming_history_short_audiobook"
    schema = th.PropertiesList(
        th.Property("endTime", th.StringType, description="YYYY-MM-DD HH:MM, UTC."),
        th.Property("authorName", _TEXT),
        th.Property("audiobookName", _TEXT),
        th.Property("chapterName", _TEXT),
        th.Property("msPlayed", _NUMBER, description="Milliseconds."),
    ).to_dict()


class ShortVideo(ShortHistory):
    """Videos of the last twelve months (``StreamingHistory_video_0.json``)."""

    name = "streaming_history_short_video"
    schema = th.PropertiesList(
        th.Property("endTime", th.StringType, description="YYYY-MM-DD HH:MM, UTC."),
        th.Property("artistName", _TEXT),
        th.Property("trackName", _TEXT),
        th.Property("msPlayed", _NUMBER, description="Milliseconds."),
    ).to_dict()


class SearchQueries(NumberedStream):
    """What was searched for in the last months (``SearchQueries.json``)."""

    name = "search_queries"
    source_timestamp = "searchTime"
    schema = th.PropertiesList(
        th.Property("platform", _TEXT, description="Personal."),
        th.Property("searchTime", _TEXT, description="ISO 8601 with [UTC] behind it."),
        th.Property("searchQuery", _TEXT, description="Personal."),
        th.Property("searchInteractionURIs", th.ArrayType(_TEXT)),
    ).to_dict()


class Library(NamedStream):
    """What was saved, by list (in the provenance: ``list``); what a newer export lacks is gone."""

    name = "library"
    primary_keys = ("uri",)
    absence = "full"
    schema = th.PropertiesList(
        th.Property("uri", _TEXT),
        th.Property("artist", _TEXT),
        th.Property("album", _TEXT),
        th.Property("track", _TEXT),
        th.Property("name", _TEXT),
        th.Property("publisher", _TEXT),
        th.Property("show", _TEXT),
        th.Property("value", _TEXT, description="Of an entry that is no object: the entry."),
    ).to_dict()

    @override
    def base(self, found: Found) -> str:
        uri = found.record.get("uri") or _digest(sorted(found.record.items()))
        return f"{found.provenance['list']}/{uri}"


class ExportPlaylists(NamedStream):
    """Playlists with their items. They have no key: a playlist is its name; what a newer export lacks is gone."""

    name = "export_playlists"
    primary_keys = ("name",)
    source_timestamp = "lastModifiedDate"
    absence = "full"
    schema = th.PropertiesList(
        th.Property("name", _TEXT),
        th.Property("lastModifiedDate", _TEXT, description="YYYY-MM-DD."),
        th.Property("description", _TEXT),
        th.Property("numberOfFollowers", _NUMBER),
        th.Property("collaborators", th.ArrayType(_ANYTHING)),
        th.Property(
            "items", th.ArrayType(th.ObjectType()), description="track, episode, localTrack, addedDate."
        ),
        th.Property(
            "tracks", th.ArrayType(th.ObjectType()), description="Instead of items, in older exports."
        ),
    ).to_dict()

    @override
    def base(self, found: Found) -> str:
        return _digest([found.record.get("name")])


class AccountFiles(NamedStream):
    """The other files of the account data, each whole: profile, payments, followers, inferences, Wrapped and so on."""

    name = "account_files"
    primary_keys = ("file",)
    schema = th.PropertiesList(
        th.Property(
            "file", th.StringType(nullable=False), required=True, description="Name without folders."
        ),
        th.Property(
            "content", _ANYTHING, description="Personal: address, birth date, payment, advertising segments."
        ),
    ).to_dict()

    @override
    def base(self, found: Found) -> str:
        return str(found.record["file"])


class TechnicalLog(NumberedStream):
    """Events of the apps; very personal and not documented, so a setting has to ask for it."""

    name = "technical_log"
    schema = th.PropertiesList(
        th.Property("timestamp_utc", _TEXT),
        th.Property("context_time", _ANYTHING),
        th.Property("value", _ANYTHING, description="Of an event that is no object: the event."),
    ).to_dict()


def _digest(values: Any) -> str:
    return hashlib.sha256(dumps(values)).hexdigest()[:32]
