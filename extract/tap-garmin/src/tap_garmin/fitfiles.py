"""The stream of FIT messages, whatever way a file came: original of an activity, folder of a watch, account export."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_garmin.fit import decode, moments
from tap_kit.export import Envelope, ExportStream, Found, Member, MemberError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_garmin.tap import TapGarmin

LARGEST = 200_000_000
"""Bytes; FIT files are a few megabytes at most, and their messages are held in memory."""


class FitMessages(ExportStream):
    """Every message of every FIT file; the same file is the same whatever way it came."""

    _tap: TapGarmin
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

    @override
    def envelope(self, provenance: Mapping[str, Any]) -> Envelope:
        """Leave out what names the way: a file is the same record in all ways that it may come."""
        return super().envelope(
            {name: value for name, value in provenance.items() if name not in _OF_THE_WAY}
        )

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
        self.begin(closes=False)
        self._tap.files.begin(closes=False)
        envelope = self.envelope(provenance)
        status, reason = "parsed", ""
        try:
            for ordinal, found in enumerate(messages(member), start=1):
                self.send(found, {}, envelope, ordinal)
        except MemberError as error:
            status, reason = "damaged", str(error)
            self.logger.warning("%s", error)
        self._tap.files.tell("activities", member, status, reason, {self.name: self.count})


_OF_THE_WAY = frozenset({"account", "raw_id", "source_timestamp"})


def messages(member: Member) -> Iterator[Found]:
    """Yield the messages of a FIT file.

    Raises:
        MemberError: The file is damaged; what could be read has been yielded.
    """
    decoded = decode(member.read(LARGEST))
    for record, moment in zip(decoded.records, moments(decoded.records, decoded.created), strict=True):
        told: dict[str, Any] = {"decoder": decoded.decoder}
        if moment:
            told["source_timestamp"] = moment
        yield Found(FitMessages.name, record, told)
    if decoded.problems:
        raise damaged(member, len(decoded.records), decoded.problems[0])


def damaged(member: Member, count: int, problem: str) -> MemberError:
    """Make the sentence about a file that was not read to its end."""
    return MemberError(
        f"{member.path}: damaged after {count} messages ({problem}). What could be read was sent; copy the file anew if "
        "you can."
    )
