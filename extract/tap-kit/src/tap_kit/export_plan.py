"""Finds out what is to be read: which exports are new, and by which rule each of their members is read, or why not."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_kit.export_members import (
    LITTER,
    Export,
    LockedError,
    Member,
    MemberError,
    Rule,
    copy_mark,
    folder_of,
    plain_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_kit.export import ExportTap
    from tap_kit.export_seen import Seen

_NAMED = 10
"""Unknown files that are told one by one: a folder of pictures must not drown the rest."""


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


class Planner:
    """Looks through exports before any of them is read."""

    def __init__(self, tap: ExportTap, seen: Seen, report: Callable[[str], None]) -> None:
        """Plan for *tap*, which has read what is in *seen*; *report* takes what is missing."""
        self._tap = tap
        self._seen = seen
        self._report = report
        self._log = tap.logger

    def plans(self, exports: Iterable[Export]) -> list[Plan]:
        """Return what is new, oldest first; of two exports with the same content one."""
        plans: list[Plan] = []
        for export, known in self._separated(exports):
            plan = self._plan(export, known)
            export.close()
            if plan is not None and not self._joins_twin(plan, plans):
                plans.append(plan)
        return sorted(plans, key=lambda plan: plan.export.moment)

    def _joins_twin(self, plan: Plan, others: Iterable[Plan]) -> bool:
        """Tell whether another export has the same content; it then stands for this one too."""
        twin = next((other for other in others if plan.content and other.content == plan.content), None)
        if twin is None:
            return False
        self._log.info("%s: the same content as %s.", plan.export.path, twin.export.path)
        twin.keys += plan.keys
        return True

    def _separated(self, exports: Iterable[Export]) -> Iterable[tuple[Export, set[str]]]:
        """Split loose files into the exports that they are of; with each, the folders in which catch-alls count."""
        for export in exports:
            known = self._known_folders(export)
            if export.files:
                yield export, known
                continue
            groups = (group for split in self._tap.split(export.members) for group in _by_download(split))
            for members in groups:
                part = Export(path=export.path, members=members)
                for member in members:
                    member.export = part
                yield part, known

    def _plan(self, export: Export, known: set[str]) -> Plan | None:
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
        for member in export.members:
            self._classify(member, plan, known)
        self._tell_unknown(plan)
        self._hash_members(plan)
        if not plan.parsed:
            self._date(export)
            return self._plan_of_nothing(plan)
        plan.content = self._seen.key(sorted(member.digest for member, _ in plan.parsed))
        if plan.content in self._seen:
            self._log.info("%s: its content has been read before.", export.path)
            if plan.keys:
                self._seen.repeat(plan.content, plan.keys)
            return None
        plan.keys.append(plan.content)
        self._date(export)
        return plan

    def _date(self, export: Export) -> None:
        """Note when an export was made: what its content says, else the newest time of its files."""
        said = ""
        with suppress(MemberError):  # reported with its members
            said = self._tap.moment_of(export)
        export.is_dated = bool(said)
        export.moment = said or max((member.modified or "" for member in export.members), default="")

    def _known_folders(self, export: Export) -> set[str]:
        """Return the folders with a file whose name a rule knows; catch-alls count in these."""
        if all(rule.inside is None for rule in self._tap.rules):
            return set()
        return {
            folder_of(member.name)
            for member in export.members
            if any(rule.knows(member.name) for rule in self._tap.rules)
        }

    def _plan_of_nothing(self, plan: Plan) -> Plan | None:
        """Have what an export without a readable file holds told once; loose files go by their names. None: it has been."""
        if plan.export.files:
            return plan
        key = self._seen.key(sorted(f"{member.name} {status}" for member, status, _ in plan.told))
        if key in self._seen:
            return None
        plan.keys.append(key)
        return plan

    def _classify(self, member: Member, plan: Plan, known: set[str]) -> None:
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
                self._match(member, plan, known)
            except LockedError as error:
                self._report(str(error))
                plan.told.append((member, "locked", str(error)))

    def _match(self, member: Member, plan: Plan, known: set[str]) -> None:
        def counts(rule: Rule) -> bool:
            return rule.inside is None or folder_of(member.name) in known or rule.is_inside(member.name)

        rule = next((rule for rule in self._tap.rules if counts(rule) and rule.matches(member)), None)
        if rule is None and member.size == 0 and self._expects_content(member):
            reason = f"{member.path}: empty. Make the export again."
            self._report(reason)
            plan.told.append((member, "damaged", reason))
        elif rule is None:
            plan.told.append((member, "unknown", "no rule of the tap matches it"))
        elif rule.parser is None:
            plan.told.append((member, "ignored", rule.reason))
        else:
            plan.parsed.append((member, rule))

    def _expects_content(self, member: Member) -> bool:
        return any(rule.expects_content(member.name) for rule in self._tap.rules)

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


def _by_download(members: Sequence[Member]) -> list[list[Member]]:
    """Split files of which some are second downloads of others: each download is an export of its own."""
    names = Counter(plain_name(member.name) for member in members)
    downloads: dict[str, list[Member]] = {}
    for member in members:
        mark = copy_mark(member.name) if names[plain_name(member.name)] > 1 else ""
        downloads.setdefault(mark, []).append(member)
    return list(downloads.values())
