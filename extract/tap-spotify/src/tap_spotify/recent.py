"""The last plays, from the Web API (``GET /me/player/recently-played``).

The API gives the last 50 tracks and, as far as is known, no more whatever the cursor says; no podcasts or
audiobooks, nothing skipped early, nothing of private sessions. Plays come late when a device was offline, so all 50
are read each time; the bookmark only tells whether there is a hole.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from typing_extensions import override

from tap_kit import AnswerError, Raw, RawStream, TapError
from tap_kit.bookmarks import is_later
from tap_spotify.api import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_spotify.api import Answer
    from tap_spotify.tap import TapSpotify

PATH = "/me/player/recently-played"
LIMIT = 50
"""Items of an answer at most, by the reference."""

MOST_PAGES = 20
"""Should Spotify ever page back further than 50 plays."""

_UNEXPECTED_SHAPES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading an answer of an unexpected shape raises."""


class RecentlyPlayed(RawStream):
    """The last tracks that were played; ``played_at`` is the end of a play, in milliseconds.

    A play is told by its moment and its track. The track is what the catalogue says today, so its fields of that
    kind are no change. Keep the stream apart from ``streaming_history``, whose ``ts`` differs by seconds to minutes.
    """

    _tap: TapSpotify

    name = "recently_played"
    primary_keys = ("played_at",)
    replication_key = "played_at"
    source_timestamp = "played_at"
    volatile = (
        "/track/popularity",
        "/track/available_markets",
        "/track/preview_url",
        "/track/album",
        "/track/artists",
        "/track/is_playable",
        "/track/linked_from",
        "/track/restrictions",
    )
    schema = th.PropertiesList(
        th.Property("played_at", th.StringType(nullable=False), required=True, description="ISO 8601, UTC."),
        th.Property("track", th.ObjectType(nullable=True), description="As the catalogue has it today."),
        th.Property(
            "context",
            th.ObjectType(nullable=True),
            description="What it was played from: playlist, album, artist, collection or show.",
        ),
    ).to_dict()

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        if self._tap.spotify is None:
            self.log("No app of Spotify is named (client_id), so recently played tracks are not asked for.")
            return
        before = self.get_starting_replication_key_value(context)
        try:
            plays = self._plays(before)
            account = self._account() if plays else ""
        except RateLimitedError as error:
            self.log("%s", error, level=logging.WARNING)
            return
        except (TapError, FatalAPIError, RetriableAPIError) as error:
            self.report_gap(f"{self.name}: {error}")  # the exports are read all the same
            return
        except _UNEXPECTED_SHAPES as error:
            self.report_gap(
                f"{self.name}: an answer has another shape than is known here ({type(error).__name__}). Look for a newer "
                "tap-spotify."
            )
            return
        self._tell_hole(before, plays)
        for play in plays:
            play.provenance["account"] = account
            yield play

    def _account(self) -> str:
        """Return the account that the plays belong to: the setting's, else Spotify's id of it.

        Raises:
            AnswerError: Spotify refuses to name it, and it was not known before.
        """
        if named := self.config.get("account"):
            return str(named)
        if self._tap.spotify is None:
            raise FatalAPIError("no app of Spotify is named")
        try:
            account = self._tap.spotify.account_id()
        except AnswerError as error:
            if known := self.stream_state.get("account"):
                return str(known)
            raise AnswerError(
                f"{error} The plays could not be attributed to an account. Set TAP_SPOTIFY_ACCOUNT to a name for it and run "
                "again.",
                error.status,
            ) from error
        self.stream_state["account"] = account
        return account

    def _plays(self, before: Any) -> list[Raw]:
        """Read the last plays, oldest first; further back only while all are newer than the last run's."""
        plays: list[Raw] = []
        parameters: dict[str, Any] = {"limit": LIMIT}
        for _ in range(MOST_PAGES):
            answer = self._ask(parameters)
            page = list(self._items(answer))
            plays = [*reversed(page), *plays]
            cursor = (answer.content.get("cursors") or {}).get("before")
            reached = before is not None and any(not is_later(play["played_at"], before) for play in page)
            if not page or reached or not cursor or cursor == parameters.get("before"):
                break
            parameters = {"limit": LIMIT, "before": cursor}
        return plays

    def _ask(self, parameters: Mapping[str, Any]) -> Answer:
        if self._tap.spotify is None:
            raise FatalAPIError("no app of Spotify is named")
        return self._tap.spotify.get(PATH, parameters)

    def _items(self, answer: Answer) -> Iterator[Raw]:
        items = answer.content.get("items")
        if not isinstance(items, list) or not all(
            isinstance(item, dict) and "played_at" in item for item in items
        ):
            raise FatalAPIError(
                f"{self.name}: {answer.provenance['api_endpoint']} gave no list of plays. The API may have changed."
            )
        for item in items:
            track = item.get("track") or {}
            name = f"{item['played_at']} {track.get('uri') or track.get('name')}"
            yield Raw(item, {**answer.provenance, "raw_id": name})

    def _tell_hole(self, before: Any, plays: list[Raw]) -> None:
        """Warn where there were more plays since the last run than Spotify remembers."""
        if before is not None and len(plays) >= LIMIT and is_later(plays[0]["played_at"], before):
            self.log(
                "Plays between %s and %s are missing: there were more than the %d that Spotify remembers. The extended "
                "history of the export has them; run more often.",
                before,
                plays[0]["played_at"],
                len(plays),
                level=logging.WARNING,
            )
