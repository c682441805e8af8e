"""From a RECORD message to rows for COPY: key, time, hash, check against the schema."""

from __future__ import annotations

import base64
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

from target_postgres_bronze import identity
from target_postgres_bronze.copytext import NULL, field_of_bytea, field_of_bytes, field_of_text
from target_postgres_bronze.payload import Payload, canonical_without, content_hash, read_payload
from target_postgres_bronze.provenance import NONE, Provenance, json_field, read_provenance
from target_postgres_bronze.schemas import describe_fields
from target_postgres_bronze.timestamps import is_plausible, microseconds, read_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_postgres_bronze.batch import Batch
    from target_postgres_bronze.messages import Message
    from target_postgres_bronze.streams import Stream

VALID: Final = "valid"
WARNING: Final = "warning"
INVALID: Final = "invalid"
#: Replication keys are moments or counters; beyond this a number orders nothing.
_LARGEST_ORDERING: Final = 10**30


class RecordReader:
    """Turns RECORD messages into rows of a batch."""

    def __init__(self, stream_id: Callable[[Stream, str], int], now: datetime) -> None:
        """Make a reader for one run.

        Args:
            stream_id: Gives bronze.streams.id of a stream and an account.
            now: Time of the run (UTC), from which ten years ahead are counted.
        """
        self._stream_id = stream_id
        self._now = now
        self._occurrences = identity.Occurrences()
        self._provenance: tuple[bytes, Provenance] = (b"", NONE)

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
        provenance = self._read_provenance(bytes(message.provenance))
        content = payload.content
        checks = _Checks(stream, payload)
        moment = self._moment(stream, provenance, content, checks)
        raw_id = identity.key_text(content, stream.key_properties) if provenance.raw_id is None else None
        ordering = _ordering(content.get(stream.replication_key)) if stream.replication_key else None
        declared = len(stream.checker.declared)
        present = declared and len(content) - len(checks.undeclared)
        canonical = payload.canonical
        if stream.volatile:
            canonical = canonical_without(content, stream.volatile) + payload.loss.encode()
        digest = content_hash(canonical)
        keyless = False
        if raw_id is None:
            raw_id, keyless = self._name_without_key(stream, provenance, digest, checks)

        stream_id = self._stream_id(stream, provenance.account)
        batch.read[stream.name] += 1
        batch.size += len(line)
        if checks.status == INVALID:
            batch.invalid[stream.name] += 1
        wave = batch.wave(stream_id, raw_id, b"degraded" + digest if provenance.degraded else digest)
        if wave is None:
            batch.known[stream.name] += 1
            return
        part = batch.parts[wave]
        ord_field = b"%d" % len(part.incoming)
        part.incoming.append(
            b"%b\t%d\t%b\t%b\t%b\t%b\t%b\n"
            % (
                ord_field,
                stream_id,
                field_of_text(raw_id),
                field_of_bytea(digest),
                NULL if ordering is None else str(ordering).encode(),
                b"t" if provenance.degraded else b"f",
                b"t" if keyless else b"f",
            )
        )
        part.stage.append(
            b"%b\t%b\t%b\t%b\t%d\t%b\t%b\t%b\t%b\t%d\t%d\t%b\t%b\n"
            % (
                ord_field,
                field_of_bytes(payload.text),
                _moment_field(moment),
                _moment_field(read_timestamp(message.time_extracted)),
                position,
                checks.status.encode(),
                field_of_text(checks.message()),
                self._metadata(provenance, payload, message),
                stream.schema_hash.encode(),
                declared,
                present,
                checks.outcome(),
                provenance.columns,
            )
        )
        part.origin.append((stream.name, position, line))
        part.months.append(date(moment.year, moment.month, 1) if moment else None)

    def _read_provenance(self, raw: bytes) -> Provenance:
        # the records of one answer have the same
        if raw != self._provenance[0]:
            self._provenance = (raw, read_provenance(raw))
        return self._provenance[1]

    def _moment(
        self, stream: Stream, provenance: Provenance, content: dict[str, Any], checks: _Checks
    ) -> datetime | None:
        """Return when it happened; a moment that cannot be read, or cannot be true, is left out with a warning."""
        said = provenance.timestamp
        if said is None and stream.timestamp_path:
            said = _at_path(content, stream.timestamp_path)
        if said is None or said == "":
            return None
        moment = read_timestamp(said)
        if moment is None:
            checks.warn("timestamp", "source_timestamp: cannot be read")
        elif not is_plausible(moment, self._now):
            checks.warn("timestamp", "source_timestamp: outside 1900 to ten years ahead")
            return None
        return moment

    def _name_without_key(
        self, stream: Stream, provenance: Provenance, digest: bytes, checks: _Checks
    ) -> tuple[str, bool]:
        """Return the ``raw_id`` of a record that has no key of its own, and whether its content is its identity."""
        if provenance.raw_id is not None and stream.key_properties:
            return identity.shortened(identity.text_id(provenance.raw_id)), False
        base = digest.hex() if provenance.raw_id is None else identity.shortened(provenance.raw_id)
        number = provenance.occurrence
        if number is None:
            number = self._occurrences.next(stream.name, provenance.account, provenance.scope, base)
        if stream.key_properties:
            checks.fail("key", f"key {describe_fields(stream.key_properties)}: missing or null")
            return f"#{base}#{number}", True
        return f"{base}#{number}", True

    def _metadata(self, provenance: Provenance, payload: Payload, message: Message) -> bytes:
        if not provenance.metadata and not payload.loss:
            return NULL
        metadata = provenance.metadata
        if payload.loss:
            metadata = {**metadata, "raw_base64": base64.b64encode(bytes(message.record)).decode()}
        return json_field(metadata)


class _Checks:
    """The checks of one record and their outcome."""

    __slots__ = ("_outcomes", "_sentences", "status", "undeclared")

    def __init__(self, stream: Stream, payload: Payload) -> None:
        self.status = VALID
        self._sentences: list[str] = []
        self._outcomes: tuple[tuple[str, str], ...] = ()
        checker = stream.checker
        self.undeclared = checker.undeclared(payload.content)
        if checker.defect:
            self.warn("schema", checker.defect)
        elif broken := checker.broken_rules(payload.content):
            self.fail("schema", broken)
        if self.undeclared:
            self.warn("declared_fields", f"not declared: {describe_fields(self.undeclared)}")
        if payload.loss:
            self.warn("payload", f"jsonb cannot hold {payload.loss}")

    def warn(self, check: str, sentence: str) -> None:
        """Note that something is odd."""
        if self.status == VALID:
            self.status = WARNING
        self._note(check, "warning", sentence)

    def fail(self, check: str, sentence: str) -> None:
        """Note that a rule is broken."""
        self.status = INVALID
        self._note(check, "fail", sentence)

    def message(self) -> str | None:
        """Return the sentences, or None if all is well."""
        return "; ".join(self._sentences) or None

    def outcome(self) -> bytes:
        """Return the column quality_checks."""
        return _outcome_field(self._outcomes)

    def _note(self, check: str, outcome: str, sentence: str) -> None:
        self._sentences.append(sentence)
        self._outcomes = (*self._outcomes, (check, outcome))


_PASSED: Final = {"schema": "pass", "declared_fields": "pass", "timestamp": "pass", "payload": "pass"}
_outcome_fields: dict[tuple[tuple[str, str], ...], bytes] = {}


def _outcome_field(outcomes: tuple[tuple[str, str], ...]) -> bytes:
    """Return the checks as JSON; there are few combinations."""
    found = _outcome_fields.get(outcomes)
    if found is None:
        found = _outcome_fields[outcomes] = json_field({**_PASSED, **dict(outcomes)})
    return found


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


def _ordering(value: Any) -> int | Decimal | None:
    """Return the replication key as a number; a text that is no timestamp orders nothing."""
    if isinstance(value, str):
        moment = read_timestamp(value)
        return None if moment is None else microseconds(moment)
    if type(value) in (int, Decimal) and -_LARGEST_ORDERING < value < _LARGEST_ORDERING:
        return cast("int | Decimal", value)
    return None
