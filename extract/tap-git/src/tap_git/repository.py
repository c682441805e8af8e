"""A local repository: found, named for good, and asked for what is new."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from tap_git.changes import ARGUMENTS, parse_changes
from tap_git.git import Dialogue, Git, GitError, ObjectReader, Reader, environment_to_find

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_SETTING = "Name local repositories in the setting repositories (TAP_GIT_REPOSITORIES)."


@dataclass(frozen=True)
class Repository:
    """A repository that can be read."""

    path: Path
    """Where the person said it is."""

    reader: Reader
    common_dir: Path
    """What linked worktrees share; two paths with the same one are the same repository."""

    identity: str
    """The same on every machine and in every clone; empty while there is no commit. See :func:`_identify`."""

    shallow: frozenset[str]
    """Commits whose parents are not in this clone."""

    is_partial: bool
    """Contents of files may be missing in this clone."""

    @property
    def limits(self) -> str | None:
        """What this clone lacks; another value later means that there may be more to read in old commits."""
        if self.shallow:
            return "shallow " + hashlib.sha256(" ".join(sorted(self.shallow)).encode()).hexdigest()
        return "partial" if self.is_partial else None

    def tips(self) -> list[str]:
        """List the commits that refs name: branches, remotes, tags, notes, the stash, HEADs of all worktrees."""
        return self.reader.lines("rev-list", "--no-walk", "--all")

    def present(self, commits: Iterable[str]) -> list[str]:
        """Leave out the commits that this clone does not have (any more)."""
        names = sorted(set(commits))
        told = self.reader.lines("cat-file", "--batch-check=%(objecttype)", text="\n".join(names))
        return [name for name, kind in zip(names, told, strict=True) if kind == "commit"]

    def commits(self, tips: Iterable[str], known: Iterable[str]) -> Iterator[str]:
        """List what *tips* reach and *known* do not, parents before their children."""
        text = "".join([*(f"{tip}\n" for tip in tips), *(f"^{commit}\n" for commit in known)])
        yield from self.reader.stream("rev-list", "--topo-order", "--reverse", "--stdin", text=text)

    def heads(self, tips: Iterable[str]) -> list[str]:
        """Leave out the tips that others reach."""
        text = "".join(f"{tip}\n^{tip}^@\n" for tip in tips)
        return sorted(self.reader.stream("rev-list", "--stdin", text=text))

    @contextmanager
    def objects(self) -> Iterator[ObjectReader]:
        """Read objects inside this context."""
        with self.reader.process("cat-file", "--batch") as (process, _):
            yield ObjectReader(process)


class ChangesReader:
    """The changed files of one commit after another; git is started anew where a damaged object ended it."""

    def __init__(self, repository: Repository) -> None:
        """Take the repository; the command starts with the first question."""
        self._repository = repository
        self._running = ExitStack()
        self._dialogue: Dialogue | None = None

    def read(self, commit: str, parents: list[str]) -> list[dict[str, Any]] | None:
        """Compare a commit with its first parent, a root with nothing.

        Returns:
            See :func:`~tap_git.changes.parse_changes`. None: this clone does not have what it takes.
        """
        if self._repository.is_partial or commit in self._repository.shallow:
            return None
        if self._dialogue is None:
            process, _ = self._running.enter_context(self._repository.reader.process(*ARGUMENTS))
            self._dialogue = Dialogue(process)
        answer = self._dialogue.ask(" ".join([commit, *parents[:1]]))
        if answer is None:
            self.close()
            return None
        return parse_changes(answer)

    def close(self) -> None:
        """End the command."""
        self._dialogue = None
        self._running.close()


def find_repository(git: Git, path: Path) -> Repository:
    """Find the repository at *path*, or around it.

    Raises:
        GitError: There is none, or it cannot be read; the message says what to do.
    """
    git_dir, common_dir, is_shallow = _locate(git, path)
    try:
        return _open(Reader(git, git_dir), path, common_dir, is_shallow=is_shallow)
    except GitError as error:
        raise GitError(f"Repository {path} cannot be read: {error}. Check it with git fsck.") from None


def _open(reader: Reader, path: Path, common_dir: Path, *, is_shallow: bool) -> Repository:
    shallow: frozenset[str] = frozenset()
    if is_shallow:
        shallow = frozenset((common_dir / "shallow").read_text("ascii").split())
    return Repository(
        path=path,
        reader=reader,
        common_dir=common_dir,
        identity=_identify(reader, common_dir, is_shallow=is_shallow),
        shallow=shallow,
        is_partial=bool(_configured(reader, r"^(remote\..*\.promisor|extensions\.partialclone)$")),
    )


def _locate(git: Git, path: Path) -> tuple[Path, Path, bool]:
    if not path.exists():
        raise GitError(f"Repository {path} does not exist. {_SETTING}")
    if not path.is_dir() or not os.access(path, os.R_OK | os.X_OK):
        raise GitError(f"Repository {path} is no folder that this user may read. {_SETTING}")
    question = ("rev-parse", "--absolute-git-dir", "--is-shallow-repository", "--git-common-dir")
    try:
        told = git.run("-C", str(path), *question, environment=environment_to_find()).decode(
            "utf-8", "surrogateescape"
        )
    except GitError as error:
        raise GitError(_refusal(path, str(error))) from None
    git_dir, is_shallow, common_dir = told.rstrip("\n").split("\n")
    return Path(git_dir), (path / common_dir).resolve(), is_shallow == "true"


def _refusal(path: Path, reason: str) -> str:
    if "dubious ownership" in reason:
        return (
            f"Repository {path} belongs to another user, and git refuses it. If you trust it, run: "
            f"git config --global --add safe.directory {path}"
        )
    if "not a git repository" in reason:
        return f"{path} is no Git repository. {_SETTING}"
    return f"Repository {path} cannot be read: {reason}. {_SETTING}"


def _identify(reader: Reader, common_dir: Path, *, is_shallow: bool) -> str:
    """Name a repository so that a moved folder or another clone has the same name.

    It is the oldest first commit of HEAD and the local branches, along first parents: neither a branch without
    common history (a site's pages) nor a merged foreign history changes it. A shallow clone does not have
    its first commit; there it is the address of ``origin``, else the folder.
    """
    if is_shallow:
        address = next(iter(_configured(reader, r"^remote\.origin\.url$")), "")
        return without_credentials(address) if address else str(common_dir)
    chain = ("rev-list", "--first-parent", "--max-parents=0", "--timestamp")
    for refs in (("--branches",), ("--all",)):
        try:
            roots = reader.lines(*chain, "HEAD", *refs)
        except GitError:  # HEAD names a branch that does not exist yet
            roots = reader.lines(*chain, *refs)
        if roots:
            return min((int(time), name) for time, name in (root.split() for root in roots))[1]
    return ""


def _configured(reader: Reader, pattern: str) -> list[str]:
    """Give the values of the repository's own configuration whose names match."""
    try:
        told = reader.lines("config", "--local", "--get-regexp", pattern)
    except GitError:  # there are none
        return []
    return [line.partition(" ")[2] for line in told]


def without_credentials(address: str) -> str:
    """Leave user and password out of a URL; ``user@host:path`` has no password and stays."""
    parts = urlsplit(address)
    if not parts.scheme or not parts.netloc:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
