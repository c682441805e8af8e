"""Reading repositories with the git command, whatever the person has configured.

A repository is found with the person's own configuration, so that git's refusals (``safe.directory``) hold. It is
then read with none: no mail map, replacements, grafts, attributes, text conversion or hooks, and no network,
so that the same commit is the same record on every machine.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tap_kit import TapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OLDEST_VERSION = (2, 20)
_KEPT_TO_FIND = ("GIT_CONFIG", "GIT_EXEC_PATH", "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM")
_KEPT_TO_READ = ("GIT_EXEC_PATH",)
_SETTINGS_TO_READ = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}
_OPTIONS_TO_READ = ("--bare", "-c", "protocol.allow=never", "-c", f"core.attributesFile={os.devnull}")


class GitError(Exception):
    """A git command failed; the message is a sentence for the person."""


class Git:
    """The git command; says clearly when it is missing or too old."""

    def __init__(self, command: str = "git") -> None:
        """Take the command's name, or its path from here; :meth:`check` tries it out."""
        is_path = os.sep in command
        self.command = str(Path(command).expanduser().absolute()) if is_path else command

    def check(self) -> None:
        """Try the command out.

        Raises:
            TapError: It is missing, cannot be run, or is too old.
        """
        wanted = ".".join(str(number) for number in OLDEST_VERSION)
        remedy = f"Install git {wanted} or newer, or name it in the setting git_path (TAP_GIT_GIT_PATH)."
        try:
            told = self.run("--version", environment=environment_to_find()).decode("utf-8", "replace")
        except (OSError, GitError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise TapError(f"The command '{self.command}' cannot be run ({reason}). {remedy}") from None
        version = re.search(r"(\d+)\.(\d+)", told)
        if version is None or (int(version[1]), int(version[2])) < OLDEST_VERSION:
            raise TapError(f"'{self.command}' says '{told.strip()}', which is too old. {remedy}")

    def run(
        self, *arguments: str, environment: dict[str, str], cwd: Path | None = None, text: str = ""
    ) -> bytes:
        """Run to the end and give the output.

        Raises:
            GitError: The exit code is not 0; the message is git's first line.
        """
        ended = subprocess.run(
            [self.command, *arguments],
            env=environment,
            cwd=cwd,
            input=text.encode(),
            capture_output=True,
            check=False,
        )
        if ended.returncode:
            raise GitError(first_line(ended.stderr, ended.returncode))
        return ended.stdout


class Reader:
    """One repository's objects; runs git without configuration, in the Git directory."""

    def __init__(self, git: Git, git_dir: Path) -> None:
        """Take a Git directory that git has accepted before."""
        self._git = git
        self._git_dir = git_dir
        kept = {name: value for name, value in os.environ.items() if _is_kept(name, _KEPT_TO_READ)}
        self._environment = {
            **kept,
            **_SETTINGS_TO_READ,
            "GIT_DIR": str(git_dir),
            "GIT_INDEX_FILE": str(git_dir / "no-index-is-read"),  # attributes would come from it
            "LC_ALL": "C",
        }

    def lines(self, *arguments: str, text: str = "") -> list[str]:
        """Run a git command to its end; gives its output by lines."""
        output = self._git.run(
            *_OPTIONS_TO_READ, *arguments, environment=self._environment, cwd=self._git_dir, text=text
        )
        return [line.decode("utf-8", "surrogateescape") for line in output.split(b"\n") if line]

    def stream(self, *arguments: str, text: str) -> Iterator[str]:
        """Run a git command that reads all of *text* before it answers; gives its output line by line."""
        with self.process(*arguments) as (process, errors):
            stdin, stdout = pipes(process)
            with suppress(BrokenPipeError):  # git says why in its errors
                stdin.write(text.encode())
                stdin.close()
            for line in stdout:
                yield line.decode("utf-8", "surrogateescape").rstrip("\n")
            if process.wait():
                raise GitError(first_line(_written(errors), process.returncode))

    @contextmanager
    def process(self, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
        """Start a git command that is spoken with; ends it, whatever happens."""
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                [self._git.command, *_OPTIONS_TO_READ, *arguments],
                env=self._environment,
                cwd=self._git_dir,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            ) as process,
        ):
            try:
                yield process, errors
            finally:
                process.kill()
                with suppress(BrokenPipeError):  # what git did not read any more
                    pipes(process)[0].close()


class ObjectReader:
    """``git cat-file --batch``: one object after another."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Take the running command."""
        self.process = process
        self._stdin, self._stdout = pipes(process)

    def read(self, name: str) -> tuple[str, bytes] | None:
        """Give type and content of an object; None if the repository does not have it.

        Raises:
            GitError: git has ended, as it does on damaged objects.
        """
        try:
            self._stdin.write(name.encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError:
            raise GitError(f"git cannot read the object {name}") from None
        header = self._stdout.readline().split()
        if not header:
            raise GitError(f"git cannot read the object {name}")
        if header[-1] == b"missing":
            return None
        content = self._stdout.read(int(header[2]))
        if not self._stdout.read(1):
            raise GitError(f"git cannot read the object {name}")
        return header[1].decode("ascii"), content


class Dialogue:
    """A git command that answers each line, and repeats a line that it does not understand.

    The repeated line marks the end of an answer. ``diff-tree --stdin`` works like this.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Take the running command."""
        self._stdin, self._stdout = pipes(process)
        self._mark = f"end-{uuid.uuid4().hex}\n".encode()

    def ask(self, question: str) -> bytes | None:
        """Give the answer to one line; None if git has ended, as it does on missing or damaged objects."""
        try:
            self._stdin.write(question.encode() + b"\n" + self._mark)
            self._stdin.flush()
        except BrokenPipeError:
            return None
        answer = bytearray()
        while line := self._stdout.readline():
            answer += line
            if line.endswith(self._mark):
                return bytes(answer[: -len(self._mark)])
        return None


def pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Give a process's input and output, which were asked for when it was started."""
    if process.stdin is None or process.stdout is None:
        raise TypeError("the process was started without pipes")
    return process.stdin, process.stdout


def environment_to_find() -> dict[str, str]:
    """Make the environment for finding repositories: the person's, without what points to one repository."""
    kept = {name: value for name, value in os.environ.items() if _is_kept(name, _KEPT_TO_FIND)}
    return {**kept, "LC_ALL": "C"}


def first_line(errors: bytes, code: int | None) -> str:
    """Give git's own reason: the first line that says ``fatal`` or ``error``, else the first one."""
    lines: Sequence[str] = errors.decode("utf-8", "replace").splitlines()
    serious = [line for line in lines if line.startswith(("fatal:", "error:"))]
    line = next(iter([*serious, *lines]), f"exit code {code}")
    return line.removeprefix("fatal: ").removeprefix("error: ")


def _written(errors: IO[bytes]) -> bytes:
    errors.seek(0)
    return errors.read()


def _is_kept(name: str, kept: Iterable[str]) -> bool:
    return not name.startswith("GIT_") or name.startswith(tuple(kept))
