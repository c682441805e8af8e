"""The tap of local Git repositories: settings and streams."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from singer_sdk import typing as th
from typing_extensions import override

from tap_git.git import Git, GitError
from tap_git.repository import Repository, find_repository
from tap_git.streams import Commits, Tags
from tap_kit import RawTap

if TYPE_CHECKING:
    from singer_sdk import Stream


class TapGit(RawTap):
    """Commits and tags of local Git repositories."""

    name = "tap-git"
    fail_on_gaps = True  # a repository that was named and cannot be read is not a success
    config_jsonschema = th.PropertiesList(
        th.Property(
            "repositories",
            th.ArrayType(th.StringType(nullable=False)),
            title="Repositories",
            description="Folders of local repositories, from the project's folder or absolute. Default: the project's own.",
        ),
        th.Property(
            "author_emails",
            th.ArrayType(th.StringType(nullable=False)),
            title="Author e-mails",
            description="Only commits by these authors, in upper or lower case. Default: everyone's.",
        ),
        th.Property(
            "git_path",
            th.StringType(nullable=False),
            default="git",
            title="Git command",
            description="Name or path of the git command, 2.20 or newer.",
        ),
    ).to_dict()

    @cached_property
    def author_emails(self) -> frozenset[str]:
        """The authors that are wanted, in lower case; none means everyone."""
        return frozenset(email.strip().casefold() for email in self.config.get("author_emails") or ())

    @cached_property
    def repositories(self) -> tuple[list[Repository], list[str]]:
        """Repositories that can be read and have commits, and a sentence for each that cannot be read."""
        git = Git(self.config["git_path"])
        git.check()
        found: dict[Path, Repository] = {}
        failures: list[str] = []
        for path in self._paths():
            try:
                repository = find_repository(git, path)
            except GitError as error:
                failures.append(str(error))
            else:
                found.setdefault(repository.common_dir, repository)
        for repository in found.values():
            self._tell_limits(repository)
        return [repository for repository in found.values() if repository.identity], failures

    def _paths(self) -> list[Path]:
        project = Path(os.environ.get("MELTANO_PROJECT_ROOT") or Path.cwd())
        return [project / Path(named).expanduser() for named in self.config.get("repositories") or [""]]

    def _tell_limits(self, repository: Repository) -> None:
        """Say aloud what a repository does not hold."""
        if not repository.identity:
            self.logger.info("Repository %s has no commits yet.", repository.path)
        elif repository.shallow:
            self.logger.warning(
                "Repository %s is a shallow clone: older commits and the files of %d commits are not in it. "
                "To have them, run there: git fetch --unshallow",
                repository.path,
                len(repository.shallow),
            )
        elif repository.is_partial:
            self.logger.warning(
                "Repository %s is a partial clone: changed files are left out, as asking for them needs the network.",
                repository.path,
            )

    @override
    def discover_streams(self) -> list[Stream]:
        return [Commits(self), Tags(self)]
