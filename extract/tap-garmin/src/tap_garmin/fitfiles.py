"""The stream of FIT messages, whatever way a file came: original of an activity, folder of a watch, account export."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_garmin.fit import decode, moments, remains
from tap_kit import Raw
from tap_kit.export import Envelope, ExportStream, Found, Member, MemberError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from singer_sdk.singerlib import RecordMessage

    from tap_garmin.fit import Decoded
    from tap_garmin.tap import TapGarmin

LARGEST = 200_000_000
"""Bytes; FIT files are a few megabytes at most, and their messages are held in memory."""


class FitStream(ExportStream):
    """A stream of FIT files, in which the same file is the same whatever way it came."""

    _tap: TapGarmin

    @override
    def envelope(self, provenance: Mapping[str, Any]) -> Envelope:
        """Leave out what names the way."""
        return super().envelope(
            {name: value for name, value in provenance.items() if name not in _OF_THE_WAY}
        )


class FitMessages(FitStream):
    """Every message of every FIT file."""

    name = "fit_messages"
    primary_keys: ClassVar[tuple[str, ...]] = ("file_sha256", "position")
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "required": ["file_sha256", "position", "message", "message_number", "fields"],
        "properties": {
            "file_sha256": {"type": "string", "description": "SHA-256 of the file."},
            "position": {"type": "integer", "description": "Place among the file's messages, from 0."},
            "message": {
                "type": "string",
                "description": "Kind, by its name in the FIT profile, else its number.",
            },
            "message_number": {"type": "integer", "description": "Number of the kind."},
            "fields": {
                "type": "object",
                "description": "Decoded values by name, else by number. Moments: UTC; positions: semicircles.",
            },
            "raw": {
                "type": ["object", "null"],
                "description": "Values as stored, where decoding (scale, offset, name, moment) changed them.",
            },
            "units": {"type": ["object", "null"], "description": "Units of the decoded values."},
            "developer_fields": {
                "type": ["array", "null"],
                "items": {"type": "object"},
                "description": "Fields of apps and sensors, with what the file says of them.",
            },
        },
    }

    def take(self, provenance: Mapping[str, Any], content: bytes) -> None:
        """Send the messages of a file that was downloaded, and account for it.

        Args:
            provenance: Where it came from; ``file_path`` names it.
            content: The file.
        """
        if not self.selected:
            return
        path = str(provenance["file_path"])
        member = Member(path, path, lambda: BytesIO(content), len(content))
        member.digest = hashlib.sha256(content).hexdigest()
        for stream in (self, self._tap.fit_remains, self._tap.files):
            stream.begin(closes=False)
        streams: dict[str, FitStream] = {self.name: self, FitRemains.name: self._tap.fit_remains}
        envelopes = {name: stream.envelope(provenance) for name, stream in streams.items()}
        counts = dict.fromkeys(streams, 0)
        status, reason = "parsed", ""
        try:
            for ordinal, found in enumerate(messages(member), start=1):
                if streams[found.stream].selected:
                    streams[found.stream].send(found, {}, envelopes[found.stream], ordinal)
                    counts[found.stream] += 1
        except MemberError as error:
            status, reason = "damaged", str(error)
            self.logger.warning("%s", error)
        self._tap.files.tell("downloads", member, status, reason, {n: c for n, c in counts.items() if c})


class FitRemains(FitStream):
    """The bytes of damaged FIT files behind the last message that could be read: nothing of them is lost.

    Each record is marked as a dead letter, which the loader keeps apart until a replay lands it. The same rest is the same
    line whatever the way, the name, the run and the time that it came by, so that it is kept once.
    """

    name = "fit_remains"
    primary_keys: ClassVar[tuple[str, ...]] = ("file_sha256",)
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "required": ["file_sha256", "offset", "problem", "content"],
        "properties": {
            "file_sha256": {"type": "string", "description": "SHA-256 of the whole file."},
            "offset": {"type": "integer", "description": "Bytes before these, which are in fit_messages."},
            "problem": {"type": "string", "description": "Why the decoder stopped."},
            "content": {"type": "string", "description": "The bytes, in base64."},
        },
    }

    @override
    def send(self, found: Found, provenance: Mapping[str, Any], envelope: Envelope, ordinal: int) -> None:
        """Send a rest with what is known from the file itself alone."""
        del provenance, envelope, ordinal
        self.count += 1
        self._write_record_message(Raw(found.record, found.provenance))

    @override
    def _generate_record_messages(self, record: dict[str, Any]) -> Generator[RecordMessage, None, None]:
        for message in super()._generate_record_messages(record):
            message.time_extracted = None
            yield message


_OF_THE_WAY = frozenset({"account", "raw_id", "source_timestamp"})


def messages(member: Member) -> Iterator[Found]:
    """Yield the messages of a FIT file, and what could not be read of it.

    Raises:
        MemberError: The file is damaged; what it holds has been yielded.
    """
    content = member.read(LARGEST)
    decoded = decode(content)
    for record, moment in zip(decoded.records, moments(decoded.records, decoded.created), strict=True):
        told: dict[str, Any] = {"decoder": decoded.decoder}
        if moment:
            told["source_timestamp"] = moment
        yield Found(FitMessages.name, record, told)
    if rest := rest_of(decoded, content):
        yield rest
    if decoded.problems:
        raise damaged(member, len(decoded.records), decoded.problems[0])


def rest_of(decoded: Decoded, content: bytes) -> Found | None:
    """Make the dead letter of what could not be read of a file; None where there is nothing.

    No decoder's version is in it: a newer one that stops at the same byte makes no second letter.
    """
    rest = remains(decoded, content)
    if rest is None:
        return None
    size = len(content)
    told: dict[str, Any] = {
        "dead_letter": f"the last {size - decoded.end} of the {size} bytes of this FIT file cannot be read ({rest['problem']})",
        "file_hash": decoded.sha256,
        "file_size": size,
    }
    if decoded.created:
        told["source_timestamp"] = decoded.created
    return Found(FitRemains.name, rest, told)


def damaged(member: Member, count: int, problem: str) -> MemberError:
    """Make the sentence about a file that was not read to its end."""
    return MemberError(
        f"{member.path}: {count} messages were read ({problem}). The bytes behind them are kept as they are. If the file is cut off or "
        "its checksum is wrong, copy it again."
    )
