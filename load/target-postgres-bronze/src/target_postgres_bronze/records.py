"""From a RECORD message to rows for COPY: key, time, hash, check against the schema."""

from __future__ import annotations

import base64
import logging
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from target_postgres_bronze import identity
from target_postgres_bronze.copytext import ESCAPES, NULL, field_of_bytes, field_of_text
from target_postgres_bronze.errors import RejectedError
from target_postgres_bronze.messages import NOTHING, read_message
from target_postgres_bronze.occurrences import Occurrences
from target_postgres_bronze.payload import (
    LOSSES,
    Payload,
    content_hash,
    nearest,
    read_payload,
)
from target_postgres_bronze.provenance import (
    NO_NAMING,
    NONE,
    Naming,
    Provenance,
    json_field,
    read_naming,
    read_provenance,
)
from target_postgres_bronze.schemas import describe_fields
from target_postgres_bronze.timestamps import (
    is_number_or_digits,
    is_plausible,
    latest_plausible,
    microseconds,
    read_plausible,
    read_timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import msgspec

    from target_postgres_bronze.batch import Batch, Origin, Row
    from target_postgres_bronze.messages import Message
    from target_postgres_bronze.streams import Stream

T = TypeVar("T")

log = logging.getLogger(__name__)

#: How COPY spells what a record is: degraded, keyless, and not superseded as far as is known.
_MARKS: Final = {(a, b): f"{str(a)[0]}\t{str(b)[0]}\tf" for a in (False, True) for b in (False, True)}
_USUAL: Final = _MARKS[False, False]
_NULL: Final = "\\N"
VALID: Final = b"valid"
WARNING: Final = b"warning"
INVALID: Final = b"invalid"
#: Replication keys are moments or counters; beyond this a number orders nothing.
_LARGEST_ORDERING: Final = 10**30
#: The same for digits after the point, of which numeric takes 16383.
_MOST_PLACES: Final = 1000


class _Last(Generic[T]):
    """Reads a member of messages, once where it is the same as the one before: the records of one answer have the same."""

    __slots__ = ("_last", "_nothing", "_read")

    def __init__(self, read: Callable[[bytes], T], nothing: T) -> None:
        self._read = read
        self._nothing = nothing
        self._last = (b"", nothing)

    def read(self, member: msgspec.Raw) -> T:
        """Return what *member* says; for one that is not there, what stands for nothing."""
        if member is NOTHING:
            return self._nothing
        raw = bytes(member)
        # rows may be made in another thread meanwhile
        last, value = self._last
        if raw != last:
            value = self._read(raw)
            self._last = (raw, value)
        return value


class RecordReader:
    """Turns RECORD messages into rows of a batch."""

    def __init__(self, stream_id: Callable[[Stream, str], int], now: datetime) -> None:
        """Make a reader for one run.

        Args:
            stream_id: Gives bronze.streams.id of a stream and an account.
            now: Time of the run (UTC), from which ten years ahead are counted.
        """
        self._stream_id = stream_id
        self._latest = latest_plausible(now)
        self._occurrences = Occurrences()
        self._naming = _Last(read_naming, NO_NAMING)
        self._provenance = _Last(read_provenance, NONE)
        self._extracted: tuple[str | None, bytes] = (None, NULL)
        self._logged: set[tuple[str, str]] = set()

    def read(self, stream: Stream, message: Message, line: bytes, position: int, batch: Batch) -> None:
        """Add a record to *batch*.

        Args:
            stream: Its stream.
            message: The RECORD message.
            line: The whole line, which a dead letter would keep.
            position: The line's number in the run, from 1.
            batch: Where it goes.

        Raises:
            RejectedError: The record cannot be read.
        """
        payload = read_payload(bytes(message.record))
        naming = self._naming.read(message.provenance)
        if naming.dead_letter and not stream.lands_letters:
            # the catalog knows the stream, so that a replay has its schema
            self._stream_id(stream, naming.account)
            raise RejectedError(nearest(naming.dead_letter), "source", stream.name)
        content = payload.content
        ordering = _ordering(content.get(stream.replication_key)) if stream.replication_key else _NULL
        stream_id = stream.ids.get(naming.account) or self._stream_id(stream, naming.account)
        raw_id = identity.key_text(content, stream.key_properties) if naming.raw_id is None else None
        digest = content_hash(payload, stream.volatile)
        marks, lacks_key, shown = _USUAL, False, None
        if raw_id is None:
            raw_id, shown, keyless = self._name_without_key(stream, naming, digest)
            lacks_key = keyless and bool(stream.key_properties)
            marks = _MARKS[naming.degraded, keyless]
        else:
            if naming.degraded:
                marks = _MARKS[True, False]
            if stream.renamed and naming.account in stream.renamed:
                shown, raw_id = raw_id, identity.named_key(content, stream.key_properties)

        # what can still go wrong with a record goes wrong before it is in the batch
        row = (
            self._make_row(stream, position, message, payload, shown, lacks_key=lacks_key)
            if batch.makes_rows
            else None
        )
        batch.rows += 1
        batch.size += len(line)
        part = batch.part_for(stream_id, raw_id, f"{digest}-" if naming.degraded else digest)
        if part is None:
            batch.repeat(stream.name)
            return
        name = raw_id if raw_id.isalnum() else raw_id.translate(ESCAPES)
        part.incoming.append(f"{position}\t{stream_id}\t{name}\t\\\\x{digest}\t{ordering}\t{marks}\n")
        part.origins.append((stream, line, position, lacks_key, shown))
        part.rows.append(row)

    def make_row(self, origin: Origin) -> Row:
        """Make the row of a record that was read without one."""
        stream, line, position, lacks_key, shown = origin
        message = read_message(line)
        payload = read_payload(bytes(message.record))
        return self._make_row(stream, position, message, payload, shown, lacks_key=lacks_key)

    def _make_row(  # noqa: PLR0913 - what a row is made of
        self,
        stream: Stream,
        position: int,
        message: Message,
        payload: Payload,
        shown: str | None,
        *,
        lacks_key: bool,
    ) -> Row:
        provenance = self._provenance.read(message.provenance)
        content = payload.content
        checks = _Checks(stream, payload)
        if lacks_key:
            checks.fail("key", f"key {describe_fields(stream.key_properties)}: missing or null")
        if dead_letter := provenance.metadata.get("dead_letter"):
            checks.warn("dead_letter", nearest(str(dead_letter)))
        moment = self._moment(stream, provenance, content, checks)
        extracted = self._time_extracted(message.time_extracted)
        for member, sentence in self._oddities(stream, message, provenance, extracted):
            checks.warn(member, sentence)
        declared = len(stream.checker.declared)
        present = stream.checker.count_present(content, checks.undeclared)
        fields = b"%d\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\n" % (
            position,
            field_of_bytes(payload.text),
            _moment_field(moment),
            extracted,
            checks.status,
            field_of_text(checks.message()) if checks.sentences else NULL,
            _metadata(provenance, payload, message) if provenance.metadata or payload.losses else NULL,
            stream.schema_hash_field,
            _quality_fields(declared, present),
            checks.outcome(),
            provenance.columns,
            field_of_text(shown),
        )
        return fields, moment and moment.date()

    def _oddities(
        self, stream: Stream, message: Message, provenance: Provenance, extracted: bytes
    ) -> list[tuple[str, str]]:
        """Return what is ignored of the messages of a record and of its stream; what is wrong with a record is logged once in a run."""
        found = [("provenance", sentence) for sentence in provenance.defects]
        if extracted == NULL and message.time_extracted not in (None, ""):
            found.append(("envelope", "time_extracted: not a timestamp"))
        if message.version is not None and type(message.version) not in {int, float}:
            found.append(("envelope", "version: not a number"))
        for member, sentence in found:
            if member != "annotations" and (stream.name, sentence) not in self._logged:
                self._logged.add((stream.name, sentence))
                log.warning("%s: %s. It is ignored; the records land with a warning.", stream.name, sentence)
        return [*(("annotations", sentence) for sentence in stream.defects), *found]

    def _time_extracted(self, text: Any) -> bytes:
        if not isinstance(text, str):
            return NULL
        # the records of one answer have the same; rows may be made in another thread meanwhile
        last, field = self._extracted
        if text != last:
            field = _moment_field(read_timestamp(text))
            self._extracted = (text, field)
        return field

    def _moment(
        self, stream: Stream, provenance: Provenance, content: dict[str, Any], checks: _Checks
    ) -> datetime | None:
        """Return when it happened; a time that cannot be read, or cannot be true, is left out with a warning.

        A number of which nothing declares that it is a time is a counter unless it is plausible: neither time nor warning.
        """
        said, is_declared = provenance.timestamp, True
        if said not in (None, "") and read_timestamp(said) is None:
            checks.warn("timestamp", "provenance: source_timestamp cannot be read")
            said = None
        if said in (None, "") and stream.timestamp_path:
            said, is_declared = _at_path(content, stream.timestamp_path), stream.declares_timestamp
        if said is None or said == "":
            return None
        if not is_declared and is_number_or_digits(said):
            return read_plausible(said, self._latest)
        moment = read_timestamp(said)
        if moment is None:
            checks.warn("timestamp", "source_timestamp: cannot be read")
        elif not is_plausible(moment, self._latest):
            checks.warn("timestamp", "source_timestamp: outside 1900 to ten years ahead")
            return None
        return moment

    def _name_without_key(self, stream: Stream, naming: Naming, digest: str) -> tuple[str, str | None, bool]:
        """Return the identity of a record that has no key of its own, its ``raw_id`` if that differs, and whether content identifies it."""
        base = digest if naming.raw_id is None else identity.shortened(identity.text_id(naming.raw_id))
        shown = None if naming.raw_id in {None, base} else naming.raw_id
        if naming.raw_id is not None and stream.key_properties:
            return base, shown, False
        number = naming.occurrence
        if number is None:
            number = self._occurrences.next(stream.name, naming.account, naming.scope, base)
        # no key is written with a sign of number at its beginning
        has_keys = stream.key_properties or naming.account in stream.renamed
        return f"{'#' if has_keys else ''}{base}#{number}", shown and f"{shown}#{number}", True


def _metadata(provenance: Provenance, payload: Payload, message: Message) -> bytes:
    metadata = provenance.metadata
    if payload.losses:
        metadata = {**metadata, "raw_base64": base64.b64encode(bytes(message.record)).decode()}
    return json_field(metadata)


class _Checks:
    """The checks of one record and their outcome."""

    __slots__ = ("_outcomes", "sentences", "status", "undeclared")

    def __init__(self, stream: Stream, payload: Payload) -> None:
        self.status = VALID
        self.sentences: list[str] = []
        self._outcomes: tuple[tuple[str, str], ...] = ()
        checker = stream.checker
        content = payload.checkable or payload.content
        self.undeclared = checker.undeclared(content)
        if checker.defect:
            self.warn("schema", checker.defect)
        elif broken := checker.broken_rules(content):
            self.fail("schema", broken)
        if self.undeclared:
            self.warn("declared_fields", f"not declared: {describe_fields(self.undeclared)}")
        if payload.losses:
            self.warn("payload", f"jsonb cannot hold {', '.join(LOSSES[name] for name in payload.losses)}")

    def warn(self, check: str, sentence: str) -> None:
        """Note that something is odd."""
        if self.status == VALID:
            self.status = WARNING
        self._note(check, "warning", sentence)

    def fail(self, check: str, sentence: str) -> None:
        """Note that a rule is broken."""
        self.status = INVALID
        self._note(check, "fail", sentence)

    def message(self) -> str:
        """Return the sentences as one."""
        return "; ".join(self.sentences)

    def outcome(self) -> bytes:
        """Return the column quality_checks."""
        return _outcome_field(self._outcomes)

    def _note(self, check: str, outcome: str, sentence: str) -> None:
        self.sentences.append(sentence)
        self._outcomes = (*self._outcomes, (check, outcome))


_PASSED: Final = {"schema": "pass", "declared_fields": "pass", "timestamp": "pass", "payload": "pass"}
_outcome_fields: dict[tuple[tuple[str, str], ...], bytes] = {}


def _outcome_field(outcomes: tuple[tuple[str, str], ...]) -> bytes:
    """Return the checks as JSON, nothing where all passed (bronze.land says so); there are few combinations."""
    if not outcomes:
        return NULL
    found = _outcome_fields.get(outcomes)
    if found is None:
        found = _outcome_fields[outcomes] = json_field({**_PASSED, **dict(outcomes)})
    return found


@lru_cache(maxsize=1024)
def _quality_fields(declared: int, present: int) -> bytes:
    """Return the columns quality_metrics and quality_score; records of a stream differ little in them."""
    score = repr(present / declared).encode() if declared else NULL
    return b'{"declared": %d, "present": %d}\t%b' % (declared, present, score)


def _at_path(content: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(content, dict):
            content = content.get(step)
        elif isinstance(content, list) and step.isdigit() and int(step) < len(content):
            content = content[int(step)]
        else:
            return None
    return content


def _moment_field(moment: datetime | None) -> bytes:
    return NULL if moment is None else moment.isoformat(" ").encode()


def _ordering(value: Any) -> int | Decimal | str:
    """Return the replication key as a number for COPY; a text that is no timestamp orders nothing."""
    if isinstance(value, str):
        found = microseconds(value)
        return _NULL if found is None else found
    if isinstance(value, Decimal):
        orders = (
            value.is_finite()
            and abs(value) < _LARGEST_ORDERING
            and int(value.as_tuple().exponent) >= -_MOST_PLACES
        )
        return value if orders else _NULL
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_ORDERING:
        return value
    return _NULL
