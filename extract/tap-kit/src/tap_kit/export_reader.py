"""Reads the exports under a path, member by member; says what became of each, and what the newest ones ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_kit.export_find import find_exports
from tap_kit.export_members import LeftOutError, LockedError, Member, MemberError, Rule
from tap_kit.export_plan import Plan, Planner
from tap_kit.export_seen import Newest, Seen
from tap_kit.export_sending import Sending
from tap_kit.export_streams import Unread

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from tap_kit.export import ExportTap
    from tap_kit.export_streams import ExportStream, Files

_UNREAD = frozenset({"damaged", "failed"})
_SUSPICIOUS = 4096
"""Bytes from which on a file without a single record is worth a word."""


class ExportReader:
    """The course of one run over exports."""

    def __init__(self, tap: ExportTap, files: Files) -> None:
        """Read for *tap*; *files* takes what became of each file, and its state what has been read."""
        self._tap = tap
        self._files = files
        self._unread = Unread(tap)
        self._streams = {stream.name: stream for stream in tap.export_streams()}
        self._seen = Seen(tap, files)
        self._limit = files.ABORT_AT_RECORD_COUNT
        self._log = tap.logger
        self._newest: dict[str, Newest] = {}

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
        plans = Planner(self._tap, self._seen, self._report).plans(exports)
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
            if stream.absence == "full"
            and stream.selected
            and not self._newest[name].is_newer_than(plan.export)
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

    def _remember(self, plan: Plan) -> None:
        if plan.is_finished and self._limit is None:
            self._seen.remember(plan.export, plan.keys, plan.streams)

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
        is_stale = self._newest[stream.name].is_newer_than(plan.export)
        stream.begin(closes=closes and not is_stale)
        stream.is_stale = is_stale

    def _read_member(
        self, member: Member, rule: Rule, only: AbstractSet[str] | None = None
    ) -> tuple[str, str, Counter[str]]:
        """Send the records of a member; return what became of it, why, and how many records of which stream.

        Args:
            member: The member.
            rule: What reads it.
            only: Streams whose records are wanted once more; None: all for the first time.
        """
        provenance = self._provenance(member, rule)
        if only is not None:
            del provenance["file_hash"]  # a target numbers equal records within it, and is to begin anew
        sending = Sending(self._tap, self._streams, provenance, member, only)
        status, reason = self._outcome(sending, member, rule)
        if status in _UNREAD and only is None and not sending.has_letters:
            self._unread.keep(member)
        if status in {"parsed", "ignored", "damaged"} and member.damage:  # the cause of what the parser met
            status, reason = "damaged", member.damage
        if status == "parsed" and sending.strays:
            status, reason = "damaged", _strays(member, sending.strays)
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

    def _outcome(self, sending: Sending, member: Member, rule: Rule) -> tuple[str, str]:
        """Send what the parser finds; return what became of the member, and why."""
        try:
            sending.run(rule)
        except LeftOutError as error:
            return "ignored", str(error)
        except LockedError as error:
            return "locked", str(error)
        except MemberError as error:
            return "damaged", str(error)
        except Exception as error:  # noqa: BLE001 - whatever a parser stumbles over, the other files are read
            self._log.debug("%s", member.path, exc_info=True)
            return "failed", (
                f"{member.path}: the parser fails on it ({type(error).__name__}). Its bytes are kept as dead letters; "
                "look for a newer version of the tap."
            )
        return "parsed", ""

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


def _strays(member: Member, count: int) -> str:
    return f"{member.path}: {count} elements are not objects. They are kept as dead letters (bronze dead-letters list)."


def _unopened() -> Any:
    raise MemberError("It could not be opened.")
