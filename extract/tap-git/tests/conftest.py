"""Real repositories with fixed names and dates, and the tap run on them."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - of a dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tap_git.tap import TapGit

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 1_700_000_000
"""When a repository starts; 2023-11-14 22:13:20 UTC."""


@dataclass
class Repo:
    """A repository that a test works in; each commit is one minute later than the one before."""

    path: Path
    commits: int = 0

    def git(self, *arguments: str, text: str | bytes = "", **environment: str) -> str:
        """Run git here and give its output without the line end."""
        when = f"{SECONDS + 60 * self.commits} +0200"
        ended = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            input=text if isinstance(text, bytes) else text.encode(),
            capture_output=True,
            check=False,
            env={**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, **environment},
        )
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout.decode("utf-8", "replace").rstrip("\n")

    def write(self, name: str, content: str | bytes) -> Path:
        """Put a file into the working tree."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def commit(self, message: str = "Work", **files: str) -> str:
        """Commit everything, and *files*; gives the hash."""
        self.commits += 1
        for name, content in files.items():
            self.write(name, content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def raw_commit(self, content: bytes, branch: str = "odd") -> str:
        """Store a commit object with exactly this content, on a branch of its own."""
        name = self.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", text=content)
        self.git("update-ref", f"refs/heads/{branch}", name)
        return name


@pytest.fixture(autouse=True)
def _person(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, with a name for commits, and no project around."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("GIT_", "MELTANO_", "TAP_GIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (home / ".gitconfig").write_text(
        "[user]\nname = Ada Example\nemail = ada@example.org\n[init]\ndefaultBranch = main\n"
        '[protocol "file"]\nallow = always\n[gc]\nauto = 0\n'
    )


@pytest.fixture
def make_repo(tmp_path: Path) -> Callable[..., Repo]:
    """Make a repository in a folder of this name, or (with *clone_of*) a clone there."""

    def make(name: str, *options: str, clone_of: Repo | None = None) -> Repo:
        repo = Repo(tmp_path / name)
        repo.path.mkdir(parents=True)
        if clone_of is None:
            repo.git("init", "--quiet", *options)
        else:
            repo.git("clone", "--quiet", *options, f"file://{clone_of.path}", ".")
        return repo

    return make


@pytest.fixture
def repo(make_repo: Callable[..., Repo]) -> Repo:
    return make_repo("repo")


@dataclass
class Run:
    """What one run of the tap said."""

    messages: list[dict[str, Any]]
    gaps: list[str]
    log: str

    def records(self, stream: str = "commits") -> list[dict[str, Any]]:
        """Payloads of a stream."""
        return [message["record"] for message in self.told("RECORD", stream)]

    def provenances(self, stream: str = "commits") -> list[dict[str, Any]]:
        """Provenances of a stream's records."""
        return [message["provenance"] for message in self.told("RECORD", stream)]

    def hashes(self) -> list[str]:
        """Hashes of the commits, in their order."""
        return [record["hash"] for record in self.records()]

    def told(self, kind: str, stream: str) -> list[dict[str, Any]]:
        """Messages of a kind and stream."""
        return [m for m in self.messages if m["type"] == kind and m["stream"] == stream]

    @property
    def state(self) -> dict[str, Any]:
        """The last state."""
        state: dict[str, Any] = [m["value"] for m in self.messages if m["type"] == "STATE"][-1]
        return state


class Runner:
    """Runs the tap in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
        self._capsys = capsys
        self._caplog = caplog
        caplog.set_level(logging.INFO)

    def __call__(self, *repos: Repo | Path | str, state: Any = None, **settings: Any) -> Run:
        paths = [str(repo.path if isinstance(repo, Repo) else repo) for repo in repos]
        self._caplog.clear()
        tap = TapGit(config={**settings, **({"repositories": paths} if paths else {})}, state=state)
        tap.sync_all()
        messages = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        return Run(messages, tap.gaps, self._caplog.text)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Runner:
    return Runner(capsys, caplog)
