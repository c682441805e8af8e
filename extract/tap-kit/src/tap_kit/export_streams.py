"""Streams that are fed from export files, and the one that accounts for the files themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th
from singer_sdk.mapper import SameRecordTransform
from typing_extensions import override

from tap_kit.export_letters import letters
from tap_kit.export_members import Envelope
from tap_kit.jsontext import dumps
from tap_kit.messages import Raw
from tap_kit.streams import RawStream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from singer_sdk.singerlib import RecordMessage

    from tap_kit.export import ExportTap
    from tap_kit.export_members import Found, Member


_NAMED = 10


class ExportStream(RawStream):
    """A stream whose records come from export files; the tap's parsers feed it.

    Attributes:
        count: Records of this export.
        total: Records of the exports before it.
        is_stale: A later export had records of this stream, so that what this one says of it is no news.
    """

    _tap: ExportTap
    primary_keys: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`singer_sdk.Stream`."""
        super().__init__(*args, **kwargs)
        self.count = 0
        self.total = 0
        self.is_stale = False
        self._closes = self._begins = self._begun = False
        self._described: set[str] = set(self.schema.get("properties", {}))

    @property
    def has_own(self) -> bool:
        """Whether `get_records` gives records of a place that is no export, too; they come after those of the exports."""
        return False

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        """Give none: the tap reads a file once and feeds all streams."""
        return ()

    @override
    def _sync_records(
        self, context: Mapping[str, Any] | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Have the tap read the exports; the first of its streams does it for all."""
        self._tap.read_exports()
        if self.has_own:
            yield from super()._sync_records(context, write_messages=write_messages)

    @override
    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Do nothing for exports: what has been read stands in the state of `Files`, and has been sent."""
        if self.has_own:
            super().finalize_state_progress_markers(state)

    @override
    def _write_schema_message(self) -> None:
        """Send the SCHEMA, but not once more after the records: it would open again what they closed."""
        if self._begins or not self._begun:
            super()._write_schema_message()

    def begin(self, *, closes: bool) -> None:
        """Send the SCHEMA before the records of an export.

        Args:
            closes: No later export follows, so that what this one does not hold is gone (for ``absence = "full"``).
        """
        self._closes = closes
        self.total += self.count
        self.count = 0
        self._begun = self._begins = True
        if self.selected:
            self._write_schema_message()
        self._begins = False

    def end(self) -> None:
        """Say that all records of the export have come."""
        if self._closes and self.absence == "full" and self.selected and self.count:
            self._write_activate_version_message(self._version)

    @override
    def _annotations(self) -> dict[str, Any]:
        absence = "never" if self.absence == "full" and not self._closes else self.absence
        return {**super()._annotations(), "x-absence": absence}

    def envelope(self, provenance: Mapping[str, Any]) -> Envelope:
        """Make the bytes around records that have *provenance* in common."""
        between: dict[str, Any] = {"time_extracted": datetime.now(UTC).isoformat()}
        if self._stream_version is not None:
            between["version"] = self._stream_version
        return Envelope(
            before=b'{"type":"RECORD","stream":' + dumps(self.name) + b',"record":',
            between=b"," + dumps(between)[1:-1] + b',"provenance":' + dumps(provenance)[:-1],
        )

    @override
    def _generate_record_messages(self, record: dict[str, Any]) -> Generator[RecordMessage, None, None]:
        for message in super()._generate_record_messages(record):
            if isinstance(record, Raw) and "dead_letter" in record.provenance:
                message.time_extracted = None  # the same letter is the same line in every run
            yield message

    @property
    def is_altered(self) -> bool:
        """Whether records have to be altered on their way, so that prepared lines cannot be used."""
        return bool(self.secrets or self._deselected)

    def send(self, found: Found, provenance: Mapping[str, Any], envelope: Envelope, ordinal: int) -> None:
        """Send one record; fields that the schema does not describe are told once."""
        self.count += 1
        if new := found.record.keys() - self._described:
            self.tell_drift(new)
        own = {"ordinal": ordinal, **found.provenance}
        if "dead_letter" in own or self.is_altered or not provenance.keys().isdisjoint(own):
            self._write_record_message(Raw(found.record, {**provenance, **own}))
            return
        said = dumps(own)[1:-1]
        self._tap.write(
            envelope.before + dumps(found.record) + envelope.between + b"," + said + envelope.after
        )

    def tell_drift(self, fields: Iterable[str]) -> None:
        """Say aloud that there are fields which the schema does not describe; their records land all the same."""
        new = sorted(set(fields) - self._described)
        self._described |= set(new)
        if new:
            self.logger.warning(
                "%s: there are fields that are not described yet: %s. They land as they are.",
                self.name,
                ", ".join(new[:_NAMED]) + (" and more" if len(new) > _NAMED else ""),
            )


class Files(ExportStream):
    """What became of every file of every export: parsed, ignored (why), unknown, damaged, refused, locked or seen before."""

    name = "_files"
    primary_keys = ("path", "sha256")
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property(
            "path", th.StringType(nullable=False), required=True, description="From the named folder on."
        ),
        th.Property(
            "sha256",
            th.StringType(nullable=False),
            required=True,
            description="Of its bytes; empty where they were not read.",
        ),
        th.Property("export", th.StringType, description="The archive or folder that it is of."),
        th.Property("size", th.IntegerType, description="Bytes, unpacked."),
        th.Property("modified", th.StringType, description="As the archive or folder says."),
        th.Property("compression", th.StringType),
        th.Property(
            "status",
            th.StringType(
                allowed_values=["parsed", "ignored", "unknown", "damaged", "refused", "locked", "failed"]
            ),
        ),
        th.Property("reason", th.StringType, description="Why it was not read, or not to its end."),
        th.Property(
            "records", th.ObjectType(additional_properties=th.IntegerType), description="Number by stream."
        ),
    ).to_dict()

    def tell(
        self,
        export: str,
        member: Member,
        status: str,
        reason: str = "",
        records: Mapping[str, int] | None = None,
    ) -> None:
        """Send the record of one file."""
        record = {
            "path": member.path,
            "sha256": member.digest,
            "export": export,
            "size": member.size,
            "modified": member.modified,
            "compression": member.compression,
            "status": status,
            "reason": reason or None,
            "records": dict(records or {}),
        }
        self.count += 1
        if self.selected:
            self._write_record_message(Raw(record, self._tap.account_provenance))


class Unread(ExportStream):
    """The bytes of files that their parser cannot read, as dead letters; it is in no catalog, and begins with the first letter."""

    name = "_unread"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("path", th.StringType, description="Of the file, inside the export."),
        th.Property("sha256", th.StringType, description="Of the complete file."),
        th.Property("size", th.IntegerType, description="Bytes of the complete file."),
        th.Property("offset", th.IntegerType, description="Bytes of the file before these."),
        th.Property("content", th.StringType, description="The bytes, in base64; null if they are too many."),
    ).to_dict()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`singer_sdk.Stream`."""
        super().__init__(*args, **kwargs)
        # The tap's mapper only knows the streams of the catalog.
        self._stream_maps = [
            SameRecordTransform(
                stream_alias=self.name,
                raw_schema=self.schema,
                key_properties=self.primary_keys,
                flattening_options=None,
            )
        ]

    def keep(self, member: Member) -> None:
        """Send the bytes of *member*."""
        if not self._begun:
            self.begin(closes=False)
        for record, provenance in letters(member):
            self._write_record_message(Raw(record, {**provenance, **self._tap.account_provenance}))
