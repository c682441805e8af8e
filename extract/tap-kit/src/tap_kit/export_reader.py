"""Reads the exports under a path: which are new, in which order, member by member, and what became of each."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_kit.export_find import find_exports
from tap_kit.export_members import LITTER, Export, LeftOutError, LockedError, Member, MemberError, Rule
from tap_kit.export_seen import Seen
from tap_kit.export_sending import Sending

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from tap_kit.export import ExportTap
    from tap_kit.export_streams import ExportStream, Files

_NAMED = 10
"""Unknown files that are told one by one: a folder of pictures must not drown the rest."""

_SUSPICIOUS = 4096
"""Bytes from which on a file without a single record is worth a word."""


@dataclass(slots=True, eq=False)
class Plan:
    """What is to be done with an export.

    Attributes:
        export: The export.
        parsed: Members that are read, and by which rule.
        told: Other members with status and reason.
        keys: Its names in the state.
        content: The one that is the same in every packing; empty where there is nothing to read.
        found: How many records of which stream each member had, once they have been read.
        is_complete: Nothing of it was missing or damaged, so that what it does not hold is gone.
        is_finished: There is no more to be had from it, so that it need not be read again.
    """

    export: Export
    parsed: list[tuple[Member, Rule]] = field(default_factory=list)
    told: list[tuple[Member, str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    content: str = ""
    found: list[tuple[Member, Rule, Counter[str]]] = field(default_factory=list)
    is_complete: bool = True
    is_finished: bool = True

    @property
    def streams(self) -> set[str]:
        """The streams that it had records of."""
        return {name for _, _, counts in self.found for name, count in counts.items() if count}


class ExportReader:
    """The course of one run over exports."""

    def __init__(self, tap: ExportTap, files: Files) -> None:
        """Read for *tap*; *files* takes what became of each file, and its state what has been read."""
        self._tap = tap
        self._files = files
        self._streams = {stream.name: stream for stream in tap.export_streams()}
        self._seen = Seen(tap, files)
        self._limit = files.ABORT_AT_RECORD_COUNT
        self._log = tap.logger
        self._newest: dict[str, str] = {}

    def read(self, path: Path) -> None:
        """Read every export at *path* that has not been read before, oldest first."""
        exports, failures = find_exports(path, self._tap.config.get("password"))
        if failures:
            self._files.begin(closes=False)
        for label, error in failures:
            self._report(str(error))
            status = "locked" if isinstance(error, LockedError) else "damaged"
            self._files.tell(label, Member(label, label, _unopened), status, str(error))
        self._newest = {name: self._seen.newest(name) for name in self._streams}
        plans: list[Plan] = []
        for export in self._separated(exports):
            plan = self._plan(export)
            export.close()
            if plan is not None and not self._joins_twin(plan, plans):
                plans.append(plan)
        plans.sort(key=lambda plan: plan.export.moment)
        self._tap.progress.begin_reading()
        self._read_all(plans)
        self._tap.progress.close()
        for stream in self._streams.values():
            if read := stream.total + stream.count:
                self._log.info("%s: %d read.", stream.name, read)

    def _read_all(self, plans: list[Plan]) -> None:
        """Read exports, oldest first; the newest one with records of a stream tells which others are gone."""
        newest: dict[str, Plan] = {}
        waiting: list[Plan] = []
        for number, plan in enumerate(plans, start=1):
            self._read_export(plan, is_last=number == len(plans))
            plan.export.close()
            newest.update(dict.fromkeys(self._endings(plan), plan))
            # One that may have to end a stream is remembered when it has, or when a later one does.
            waiting.append(plan)
            for done in [one for one in waiting if one is plans[-1] or one not in newest.values()]:
                waiting.remove(done)
                self._remember(done)
        for plan in waiting:
            self._end_again(plan, {name for name, one in newest.items() if one is plan})
            self._remember(plan)

    def _endings(self, plan: Plan) -> set[str]:
        """Name the streams of which an export tells what is gone, unless a later one does."""
        found = {name: self._streams[name] for name in plan.streams}
        return {
            name
            for name, stream in found.items()
            if stream.absence == "full" and stream.selected and plan.export.moment >= self._newest[name]
        }

    def _end_again(self, plan: Plan, names: set[str]) -> None:
        """Have an export end streams of which later ones had nothing: what it has of them is sent once more for that.

        A target takes what came before the last SCHEMA with ``full`` for what older exports said, so the records have to follow it.
        """
        if not plan.is_complete or self._limit is not None:
            return
        streams = {name: stream for name, stream in self._streams.items() if name in names}
        for stream in streams.values():
            self._begin(stream, plan, closes=True)
        complete = True
        for member, rule, counts in plan.found:
            if names & counts.keys():
                self._tap.progress.expect(1, member.size or 0)
                status, _, _ = self._read_member(member, rule, only=names)
                complete &= status in {"parsed", "ignored"}
        plan.export.close()
        if complete:
            for stream in streams.values():
                stream.end()

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

    # What is to be read

    def _remember(self, plan: Plan) -> None:
        if plan.is_finished and self._limit is None:
            self._seen.remember(plan.export.path, plan.export.moment, plan.keys, plan.streams)

    def _plan(self, export: Export) -> Plan | None:
        """Find out what an export holds and whether it is new; None: it is not, or cannot be read today."""
        plan = Plan(export)
        progress = self._tap.progress
        try:
            if export.files:
                progress.expect(0, sum(file.size or 0 for file in export.files))
                plan.keys.append(
                    self._seen.key(
                        file.hash_content(lambda count: progress.advance(count=count))
                        for file in export.files
                    )
                )
                if plan.keys[0] in self._seen:
                    self._log.info("%s: read before.", export.path)
                    return None
        except MemberError as error:
            self._report(str(error))
            return None
        with suppress(LockedError):  # told when its members are
            export.moment = self._tap.moment_of(export)
        for member in export.members:
            self._classify(member, plan)
        self._tell_unknown(plan)
        self._hash_members(plan)
        if not plan.parsed:
            return self._plan_of_nothing(plan)
        plan.content = self._seen.key(sorted(member.digest for member, _ in plan.parsed))
        if plan.content in self._seen:
            self._log.info("%s: its content has been read before.", export.path)
            if plan.keys:
                self._seen.repeat(plan.content, plan.keys)
            return None
        plan.keys.append(plan.content)
        return plan

    def _plan_of_nothing(self, plan: Plan) -> Plan | None:
        """Have what an export without a readable file holds told once, by the names; None: it has been."""
        key = self._seen.key(sorted(f"{member.name} {status}" for member, status, _ in plan.told))
        if key in self._seen:
            return None
        plan.keys.append(key)
        return plan

    def _classify(self, member: Member, plan: Plan) -> None:
        """Put a member among those that are read, or say why it is not."""
        if member.damage:
            self._report(member.damage)
            plan.told.append((member, "damaged", member.damage))
        elif member.locked:
            self._report(member.refused)
            plan.told.append((member, "locked", member.refused))
        elif member.ignored or LITTER.search(member.name):
            plan.told.append((member, "ignored", member.refused or "left behind by an operating system"))
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
            plan.told.append((member, "unknown", "no rule of the tap matches it"))
        elif rule.parser is None:
            plan.told.append((member, "ignored", rule.reason))
        else:
            plan.parsed.append((member, rule))

    def _tell_unknown(self, plan: Plan) -> None:
        unknown = [member.path for member, status, _ in plan.told if status == "unknown"]
        for path in unknown[:_NAMED]:
            self._log.warning("%s: not known. What it holds is not read.", path)
        if (more := len(unknown) - _NAMED) > 0:
            self._log.warning(
                "%s: %d more files are not known; the stream _files names them.", plan.export.path, more
            )

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

    def _read_export(self, plan: Plan, *, is_last: bool) -> None:
        """Send the records of an export, and what became of its files; the last one ends the streams that it has."""
        path = plan.export.path
        self._log.info("%s: reading %d of %d files.", path, len(plan.parsed), len(plan.export.members))
        for stream in self._streams.values():
            self._begin(stream, plan, closes=is_last)
        for member, status, reason in plan.told:
            self._files.tell(path, member, status, reason)
            plan.is_complete &= status in {"ignored", "unknown"}
            plan.is_finished &= status != "locked"
        for member, rule in plan.parsed:
            status, reason, records = self._read_member(member, rule)
            self._files.tell(path, member, status, reason, records)
            plan.found.append((member, rule, records))
            plan.is_complete &= status in {"parsed", "ignored"}
            plan.is_finished &= status in {"parsed", "ignored", "damaged"}
        if plan.is_complete and self._limit is None:
            for stream in self._streams.values():
                stream.end()

    def _begin(self, stream: ExportStream, plan: Plan, *, closes: bool) -> None:
        """Have *stream* begin with an export; one that is older than what has been read of it says nothing new."""
        is_stale = plan.export.moment < self._newest[stream.name]
        stream.begin(closes=closes and not is_stale)
        stream.is_stale = is_stale

    def _read_member(
        self, member: Member, rule: Rule, only: AbstractSet[str] | None = None
    ) -> tuple[str, str, Counter[str]]:
        """Send the records of a member; return what became of it, why, and how many records of which stream.

        Args:
            member: The member.
            rule: What reads it.
            only: Streams whose records are wanted; None: all.
        """
        sending = Sending(self._tap, self._streams, self._provenance(member, rule), member, only)
        status, reason = "parsed", ""
        try:
            sending.run(rule)
        except LeftOutError as error:
            status, reason = "ignored", str(error)
        except LockedError as error:
            status, reason = "locked", str(error)
        except MemberError as error:
            status, reason = "damaged", str(error)
        except Exception as error:  # noqa: BLE001 - whatever a parser stumbles over, the other files go on
            status = "failed"
            reason = f"{member.path}: the parser fails on it ({type(error).__name__}). What it holds may be missing."
            self._log.debug("%s", member.path, exc_info=True)
        if status in {"parsed", "ignored", "damaged"} and member.damage:  # the cause of what the parser met
            status, reason = "damaged", member.damage
        if status not in {"parsed", "ignored"}:
            self._report(reason)
        elif (
            status == "parsed"
            and self._limit is None
            and only is None
            and (reason := _too_few(member, rule, sending.found))
        ):
            self._log.warning("%s", reason)
        sending.close()
        return status, reason, sending.counts

    def _provenance(self, member: Member, rule: Rule) -> dict[str, Any]:
        """Tell what the records of a member have in common."""
        provenance = self._tap.provenance_of(member)
        if rule.encoding:
            provenance["encoding"] = rule.encoding
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
