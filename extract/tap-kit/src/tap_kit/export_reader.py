"""Reads the exports under a path: which are new, in which order, member by member, and what became of each."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tap_kit.export_find import find_exports
from tap_kit.export_members import LITTER, Export, LockedError, Member, MemberError, Rule
from tap_kit.export_sending import Sending

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable
    from pathlib import Path

    from tap_kit.export import ExportTap
    from tap_kit.export_streams import Files

_SUSPICIOUS = 4096
"""Bytes from which on a file without a single record is worth a word."""


@dataclass(slots=True)
class Plan:
    """What is to be done with an export.

    Attributes:
        export: The export.
        parsed: Members that are read, and by which rule.
        told: Other members with status and reason.
        keys: Its names in the state.
        content: The one that is the same in every packing; empty where there is nothing to read.
        is_stale: A later export has been read before, so that what this one says is no news.
    """

    export: Export
    parsed: list[tuple[Member, Rule]] = field(default_factory=list)
    told: list[tuple[Member, str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    content: str = ""
    is_stale: bool = False


class ExportReader:
    """The course of one run over exports."""

    def __init__(self, tap: ExportTap, files: Files) -> None:
        """Read for *tap*; *files* takes what became of each file, and its state what has been read."""
        self._tap = tap
        self._files = files
        self._streams = {stream.name: stream for stream in tap.export_streams()}
        self._account = str(tap.config.get("account") or "")
        self._limit = files.ABORT_AT_RECORD_COUNT
        self._log = tap.logger

    def read(self, path: Path) -> None:
        """Read every export at *path* that has not been read before, oldest first."""
        exports, failures = find_exports(path, self._tap.config.get("password"))
        if failures:
            self._files.begin(closes=False)
        for label, error in failures:
            self._report(str(error))
            status = "locked" if isinstance(error, LockedError) else "damaged"
            self._files.tell(label, Member(label, label, _unopened), status, str(error))
        plans: list[Plan] = []
        for export in self._separated(exports):
            plan = self._plan(export)
            export.close()
            if plan is not None and not self._joins_twin(plan, plans):
                plans.append(plan)
        plans.sort(key=lambda plan: plan.export.moment)
        newest = max((str(seen.get("moment", "")) for seen in self._seen.values()), default="")
        for number, plan in enumerate(plans, start=1):
            plan.is_stale = plan.export.moment < newest
            closes = number == len(plans) and not plan.is_stale
            self._read_export(plan, closes=closes)
            plan.export.close()
        self._tap.progress.close()
        for stream in self._streams.values():
            if read := stream.total + stream.count:
                self._log.info("%s: %d read.", stream.name, read)

    def _joins_twin(self, plan: Plan, others: Iterable[Plan]) -> bool:
        """Tell whether another export has the same content; it then stands for this one too."""
        twin = next((other for other in others if plan.content and other.content == plan.content), None)
        if twin is None:
            return False
        self._log.info("%s: the same content as %s.", plan.export.path, twin.export.path)
        twin.keys += plan.keys
        return True

    def _separated(self, exports: Iterable[Export]) -> Iterable[Export]:
        """Split loose files into the exports that they are of."""
        for export in exports:
            if export.files:
                yield export
                continue
            for members in self._tap.split(export.members):
                part = Export(path=export.path, members=members)
                for member in members:
                    member.export = part
                yield part

    # What has been read before

    @property
    def _seen(self) -> dict[str, dict[str, Any]]:
        seen: dict[str, dict[str, Any]] = self._files.stream_state.setdefault("exports", {})
        mine = f"{self._account}:" if self._account else ""
        return {key: entry for key, entry in seen.items() if key.rpartition(":")[0] == mine.rstrip(":")}

    def _is_seen(self, key: str) -> bool:
        return self._seen.get(key, {}).get("parsers") == self._tap.parser_version

    def _remember(self, plan: Plan) -> None:
        """Put it into the state that an export has been read, and send the state."""
        entry = {
            "path": plan.export.path,
            "moment": plan.export.moment,
            "parsers": self._tap.parser_version,
            "read": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._files.stream_state.setdefault("exports", {}).update(dict.fromkeys(plan.keys, entry))
        self._tap.send_state()

    def _key(self, hashes: Iterable[str]) -> str:
        digest = sha256("\n".join(hashes).encode()).hexdigest()
        return f"{self._account}:{digest}" if self._account else digest

    def _plan(self, export: Export) -> Plan | None:
        """Find out what an export holds and whether it is new; None: it is not, or cannot be read today."""
        plan = Plan(export)
        progress = self._tap.progress
        try:
            if export.files:
                progress.expect(0, sum(file.size or 0 for file in export.files))
                plan.keys.append(
                    self._key(
                        file.hash_content(lambda count: progress.advance(count=count))
                        for file in export.files
                    )
                )
                if self._is_seen(plan.keys[0]):
                    self._log.info("%s: read before.", export.path)
                    return None
        except MemberError as error:
            self._report(str(error))
            return None
        with suppress(LockedError):  # told when its members are
            export.moment = self._tap.moment_of(export)
        for member in export.members:
            self._classify(member, plan)
        self._hash_members(plan)
        if not plan.parsed:
            return plan
        plan.content = self._key(sorted(member.digest for member, _ in plan.parsed))
        if self._is_seen(plan.content):
            self._log.info("%s: its content has been read before.", export.path)
            if plan.keys:
                self._remember(plan)
            return None
        plan.keys.append(plan.content)
        return plan

    def _classify(self, member: Member, plan: Plan) -> None:
        """Put a member among those that are read, or say why it is not."""
        if member.damage:
            self._report(member.damage)
            plan.told.append((member, "damaged", member.damage))
        elif LITTER.search(member.name):
            plan.told.append((member, "ignored", "left behind by an operating system"))
        elif member.refused:
            self._report(f"{member.path}: not read: {member.refused}.")
            plan.told.append((member, "refused", member.refused))
        else:
            try:
                self._match(member, plan)
            except LockedError as error:
                self._report(str(error))
                plan.told.append((member, "locked", str(error)))

    def _match(self, member: Member, plan: Plan) -> None:
        rule = next((rule for rule in self._tap.rules if rule.matches(member)), None)
        if rule is None:
            self._log.warning("%s: not known. What it holds is not read.", member.path)
            plan.told.append((member, "unknown", "no rule of the tap matches it"))
        elif rule.parser is None:
            plan.told.append((member, "ignored", rule.reason))
        else:
            plan.parsed.append((member, rule))

    def _hash_members(self, plan: Plan) -> None:
        progress = self._tap.progress
        progress.expect(len(plan.parsed), 2 * sum(member.size or 0 for member, _ in plan.parsed))
        readable = []
        for member, rule in plan.parsed:
            try:
                member.hash_content(lambda count: progress.advance(count=count))
                readable.append((member, rule))
            except LockedError as error:
                self._report(str(error))
                plan.told.append((member, "locked", str(error)))
        plan.parsed = readable

    # Reading

    def _read_export(self, plan: Plan, *, closes: bool) -> None:
        """Send the records of an export, then what it ended, then the state."""
        path = plan.export.path
        self._log.info("%s: reading %d of %d files.", path, len(plan.parsed), len(plan.export.members))
        for stream in self._streams.values():
            stream.begin(closes=closes)
        complete = finished = True
        for member, status, reason in plan.told:
            self._files.tell(path, member, status, reason)
            complete &= status in {"ignored", "unknown"}
            finished &= status != "locked"
        for member, rule in plan.parsed:
            status, reason, records = self._read_member(member, rule, is_stale=plan.is_stale)
            self._files.tell(path, member, status, reason, records)
            complete &= status == "parsed"
            finished &= status in {"parsed", "damaged"}
        if self._limit is not None:
            return
        if complete:
            for stream in self._streams.values():
                stream.end()
        if finished:
            self._remember(plan)

    def _read_member(self, member: Member, rule: Rule, *, is_stale: bool) -> tuple[str, str, Counter[str]]:
        """Send the records of a member; return what became of it, why, and how many records of which stream."""
        sending = Sending(self._tap, self._streams, self._provenance(member, rule, is_stale=is_stale), member)
        counts = sending.counts
        status, reason = "parsed", ""
        try:
            sending.run(rule)
        except LockedError as error:
            status, reason = "locked", str(error)
        except MemberError as error:
            status, reason = "damaged", str(error)
        except Exception as error:  # noqa: BLE001 - whatever a parser stumbles over, the other files go on
            status = "failed"
            reason = f"{member.path}: the parser fails on it ({type(error).__name__}). What it holds may be missing."
            self._log.debug("%s", member.path, exc_info=True)
        if status in {"parsed", "damaged"} and member.damage:  # the cause of what the parser met
            status, reason = "damaged", member.damage
        if status != "parsed":
            self._report(reason)
        elif self._limit is None and (reason := _too_few(member, rule, counts.total())):
            self._log.warning("%s", reason)
        sending.close()
        return status, reason, counts

    def _provenance(self, member: Member, rule: Rule, *, is_stale: bool) -> dict[str, Any]:
        """Tell what the records of a member have in common."""
        provenance = self._tap.provenance_of(member)
        if rule.encoding:
            provenance["encoding"] = rule.encoding
        if is_stale:
            provenance["degraded"] = True  # it lands, and what the later export said stays current
        return provenance

    def _report(self, sentence: str) -> None:
        self._files.report_gap(sentence)


def _too_few(member: Member, rule: Rule, count: int) -> str:
    """Say so if there are fewer records in a file than its size suggests; else nothing."""
    size = member.size or 0
    expected = size // rule.record_bytes if rule.record_bytes else size // _SUSPICIOUS and 1
    if count >= expected:
        return ""
    return f"{member.path}: {count or 'no'} records in {size:,} bytes. Its layout may have changed."


def _unopened() -> Any:
    raise MemberError("It could not be opened.")
