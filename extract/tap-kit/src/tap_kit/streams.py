"""The stream of a raw tap: payloads untouched, provenance beside them, absence told at the end."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from singer_sdk import Stream
from singer_sdk.helpers.conform import TypeConformanceLevel
from typing_extensions import override

from tap_kit.bookmarks import MARKERS, advance
from tap_kit.errors import TOLD
from tap_kit.messages import ProvenanceRecordMessage, Raw
from tap_kit.pointers import redact

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from singer_sdk.singerlib import RecordMessage, SchemaMessage

    from tap_kit.tap import RawTap

_UNHANDLED = "An unhandled error occurred"
"""How the SDK's line begins."""

_EMPTY_WINDOW = {"from": "1970-01-01T00:00:00Z", "to": "1970-01-01T00:00:00Z"}
"""What a stream of windows has read before its first one."""


class RawStream(Stream):
    """A stream whose records leave as the source gave them.

    Subclasses give ``name``, ``schema``, ``primary_keys`` and ``get_records``, which yields
    :class:`~tap_kit.messages.Raw` records (a plain dict is a record without provenance). A ``post_process`` has to
    give back the same object, or None.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # the SDK else drops what the schema does not name

    source_timestamp: ClassVar[str | None] = None
    """Field, or JSON pointer starting with ``/``, that holds when it happened; else the replication key."""

    volatile: ClassVar[Sequence[str]] = ()
    """JSON pointers (``*`` for any) that do not count when deciding whether a record has changed."""

    absence: ClassVar[Literal["never", "full", "window"]] = "never"
    """What it means that a known record did not come: nothing; gone; gone if inside the window read."""

    secrets: ClassVar[Sequence[str]] = ()
    """JSON pointers (``*`` for any) of secrets that the source puts into its answers."""

    _tap: RawTap

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`singer_sdk.Stream`."""
        super().__init__(*args, **kwargs)
        self._gaps = 0
        self._gaps_before = 0
        self._schema_sent = False
        self._window: dict[str, Any] | None = None
        self._mask_told: Mapping[Any, bool] | None = None
        self._told: list[str] = []
        if self.absence != "never":
            # Other targets tell the rows of this run from older ones by the version on the records.
            self._stream_version = self._version

    # What a tap calls

    def report_gap(self, sentence: str) -> None:
        """Note that a part of this stream could not be read, while the others go on.

        The sentence goes to the log, once per run. The stream counts as incomplete: nothing is reported as gone. Whether the
        run fails at its end is the tap's choice (``RawTap.fail_on_gaps``).

        Args:
            sentence: What, where, why and the remedy; no payload and no secret.
        """
        self._gaps += 1
        if sentence not in self._tap.gaps:
            self._tap.gaps.append(sentence)
            self.log("%s", sentence, level=logging.WARNING)

    @property
    def complete(self) -> bool:
        """Whether everything that was to be read so far has been read."""
        return self._gaps == 0

    @contextmanager
    def window(
        self, start: str | None, end: str | None, match: Mapping[str, Any] | None = None
    ) -> Iterator[None]:
        """Yield the records of one window inside this context: known ones that do not come are gone.

        The window is closed when the block ends, unless an error or :meth:`report_gap` came in between. All
        records of such a stream belong into windows.

        Args:
            start: First moment (ISO 8601), included; compared with the source timestamp. None: no such bound.
            end: Moment after the last one, excluded. None: no such bound.
            match: What a payload has to contain to belong to the window, such as ``{"workspace_id": 7}``.
        """
        gaps = self._gaps
        self._window = {"from": start, "to": end, **({"match": dict(match)} if match else {})}
        if self.selected:
            self._write_schema_message()
        try:
            yield
        finally:
            self._window = None
        if self.selected and gaps == self._gaps:
            self._write_activate_version_message(self._version)

    # Messages

    @override
    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        for message in super()._generate_schema_messages():
            message.schema = {**message.schema, **self._annotations()}
            self._schema_sent = True
            yield message

    def _annotations(self) -> dict[str, Any]:
        """Make the members of the root schema that tell the loader how to treat this stream."""
        annotations: dict[str, Any] = {"x-absence": self.absence, "x-tap": self._tap.identity}
        if self.source_timestamp:
            annotations["x-source-timestamp"] = self.source_timestamp
        if self.volatile:
            annotations["x-volatile"] = list(self.volatile)
        if self.absence == "window":
            annotations["x-absence-window"] = self._window or _EMPTY_WINDOW
        return annotations

    @override
    def _generate_record_messages(self, record: dict[str, Any]) -> Generator[RecordMessage, None, None]:
        provenance = dict(record.provenance) if isinstance(record, Raw) else {}
        if redacted := redact(record, self.secrets):
            provenance["redacted"] = [*provenance.get("redacted", []), *redacted]
        if deselected := self._deselected:
            provenance["deselected"] = deselected
        for message in super()._generate_record_messages(record):
            yield ProvenanceRecordMessage(
                stream=message.stream,
                record=message.record,
                version=message.version,
                time_extracted=message.time_extracted,
                provenance=provenance or None,
            )

    @property
    def _deselected(self) -> list[str]:
        """List the fields that the owner deselected, as JSON pointers: the payload lacks them on demand."""
        if self.mask is not self._mask_told:
            self._mask_told = self.mask
            self._told = sorted(
                "/" + "/".join(breadcrumb[1::2])
                for breadcrumb, selected in self.mask.items()
                if breadcrumb and not selected
            )
        return self._told

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        """Never before the records, as the SDK would: that says nothing of the end."""
        return False

    @property
    def _version(self) -> int:
        """Version of this run: the tap's start in seconds, as the SDK counts it."""
        return self._initialized_at // 1000

    # The course of a sync

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        """Log a message, but not the SDK's own before an error that the command line tells in a sentence."""
        if message.startswith(_UNHANDLED) and isinstance(sys.exception(), TOLD):
            return
        super().log(message, *args, level=level, **kwargs)

    @override
    def _sync_records(
        self, context: Mapping[str, Any] | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        yield from super()._sync_records(context, write_messages=write_messages)
        if write_messages and self.parent_stream_type is None:
            self._close(complete=True)

    def _close(self, *, complete: bool) -> None:
        """Say that the stream and its children were read to the end, where this is so."""
        complete = complete and self.complete
        if complete and self.absence == "full" and self.selected and self._schema_sent:
            self._write_activate_version_message(self._version)
        for child in self.child_streams:
            if isinstance(child, RawStream):
                child._close(complete=complete)  # noqa: SLF001 - the same class

    @override
    def _abort_sync(self, abort_reason: Exception) -> None:
        self._gaps += 1  # the SDK goes on after a child stream's limit; its end was not reached
        super()._abort_sync(abort_reason)

    @override
    def _process_record(
        self,
        record: dict[str, Any],
        child_context: Mapping[str, Any] | None = None,
        partition_context: Mapping[str, Any] | None = None,
    ) -> None:
        # Without the partition context, which the SDK writes into the record.
        super()._process_record(record, child_context=child_context, partition_context=None)

    @override
    def _increment_stream_state(
        self, latest_record: dict[str, Any], *, context: Mapping[str, Any] | None = None
    ) -> None:
        key = self.replication_key
        if self.replication_method != "INCREMENTAL" or key is None:
            return
        state = self.get_context_state(context)
        ceiling = datetime.fromtimestamp(self._initialized_at / 1000, tz=UTC)
        advance(state, key, latest_record.get(key), ceiling=ceiling, is_sorted=self.is_sorted)

    @override
    def get_replication_key_signpost(self, context: Mapping[str, Any] | None = None) -> None:
        """Give none: :func:`~tap_kit.bookmarks.advance` keeps the bookmark from running ahead of the clock."""

    # A bookmark stays where it was when something before it could not be read.

    @override
    def _write_starting_replication_value(self, context: Mapping[str, Any] | None) -> None:
        self._gaps_before = self._gaps
        super()._write_starting_replication_value(context)

    @override
    def _finalize_state(self, state: dict[str, Any] | None = None) -> None:
        before = 0 if state is self.stream_state else self._gaps_before
        if state is not None and self._gaps > before:
            state.pop(MARKERS, None)
        super()._finalize_state(state)

    @override
    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        if self._gaps:
            for place in (self.stream_state, *self.stream_state.get("partitions", [])):
                place.pop(MARKERS, None)
        super().finalize_state_progress_markers(state)
