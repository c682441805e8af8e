"""Repositories that are not as they should be: told in one sentence, and the others go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tap_git.git import Git, GitError
from tap_git.repository import find_repository, without_credentials
from tap_kit import TapError

if TYPE_CHECKING:
    from pathlib import Path


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda _: None,
            "Repository {} does not exist. Name local repositories in the setting repositories (TAP_GIT_REPOSITORIES).",
        ),
        (
            lambda path: path.mkdir(),
            "{} is no Git repository. Name local repositories in the setting repositories (TAP_GIT_REPOSITORIES).",
        ),
        (
            lambda path: path.write_text("x"),
            "Repository {} is no folder that this user may read. Name local repositories in the setting repositories (TAP_GIT_REPOSITORIES).",
        ),
        (
            lambda path: (path.mkdir(), (path / ".git").write_text("gitdir: /nowhere\n")),
            "{} is no Git repository. Name local repositories in the setting repositories (TAP_GIT_REPOSITORIES).",
        ),
    ],
    ids=["missing", "plain folder", "file", "dangling"],
)
def test_a_path_without_repository_is_told_and_the_others_go_on(
    repo: Any, run: Any, tmp_path: Path, make: Any, sentence: str
) -> None:
    commit = repo.commit()
    wrong = tmp_path / "wrong"
    make(wrong)
    result = run(wrong, repo)
    assert result.hashes() == [commit]
    assert result.gaps == [sentence.format(wrong)]


def test_a_broken_configuration_is_told_with_gits_reason(repo: Any, make_repo: Any, run: Any) -> None:
    commit = repo.commit()
    broken = make_repo("broken")
    broken.write(".git/config", "[core\n")
    result = run(broken, repo)
    assert result.hashes() == [commit]
    assert len(result.gaps) == 1
    assert result.gaps[0].startswith(f"Repository {broken.path} cannot be read: bad config line 1 in file")


def test_a_repository_of_another_user_is_told_with_the_remedy(repo: Any, run: Any, tmp_path: Path) -> None:
    repo.commit()
    strict = script(tmp_path / "git", 'GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec git "$@"')
    result = run(repo, git_path=strict)
    assert result.hashes() == []
    remedy = f"If you trust it, run: git config --global --add safe.directory {repo.path}"
    assert result.gaps == [f"Repository {repo.path} belongs to another user, and git refuses it. {remedy}"]
    repo.git("config", "--global", "--add", "safe.directory", str(repo.path))
    assert len(run(repo, git_path=strict).hashes()) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("echo git version 2.19.6", "says 'git version 2.19.6', which is too old. Install git 2.20 or newer"),
        ("echo something else", "says 'something else', which is too old."),
        ("echo broken >&2; exit 3", "cannot be run (broken). Install git 2.20 or newer"),
    ],
    ids=["old", "no git", "failing"],
)
def test_a_git_that_cannot_be_used_ends_the_run(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(TapError) as caught:
        Git(script(tmp_path / "git", text)).check()
    assert sentence in str(caught.value)


def test_a_missing_git_ends_the_run() -> None:
    with pytest.raises(
        TapError, match=r"'no-such-git' cannot be run \(No such file or directory\)\. Install git"
    ):
        Git("no-such-git").check()


def test_a_git_that_ends_midway_is_an_error_of_its_repository(repo: Any) -> None:
    commit = repo.commit()
    found = find_repository(Git(), repo.path)
    with found.objects() as objects:
        assert objects.read(commit) is not None
        objects.process.kill()
        objects.process.wait()
        with pytest.raises(GitError, match=f"git cannot read the object {commit}"):
            objects.read(commit)


def test_a_git_that_refuses_a_long_question_tells_why(repo: Any) -> None:
    repo.commit()
    found = find_repository(Git(), repo.path)
    with pytest.raises(GitError, match="bad revision"):
        list(found.commits(["0" * 39 + "x"] * 10_000, []))


def test_a_git_named_by_a_relative_path_is_found_from_here(
    repo: Any, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repo.commit()
    script(tmp_path / "mygit", 'exec git "$@"')
    monkeypatch.chdir(tmp_path)
    assert run(repo, git_path="./mygit").hashes() == [commit]


def test_a_head_without_branch_does_not_hide_the_others(repo: Any, run: Any) -> None:
    commit = repo.commit()
    repo.git("symbolic-ref", "HEAD", "refs/heads/unborn")
    assert run(repo).hashes() == [commit]
    repo.git("tag", "kept", "main")
    repo.git("branch", "--delete", "--force", "main")
    assert run(repo).hashes() == [commit]


def test_an_empty_repository_is_no_failure(repo: Any, make_repo: Any, run: Any) -> None:
    commit = repo.commit()
    empty = make_repo("empty")
    result = run(empty, repo)
    assert result.hashes() == [commit]
    assert result.gaps == []
    assert f"Repository {empty.path} has no commits yet." in result.log


def test_worktrees_folders_inside_and_bare_repositories_are_read_once(
    repo: Any, make_repo: Any, run: Any
) -> None:
    commit = repo.commit(**{"folder/a": "1\n"})
    repo.git("worktree", "add", "--quiet", "--detach", "../tree")
    tree = repo.path.with_name("tree")
    (tree / "b").write_text("1\n")
    subprocess.run(["git", "add", "b"], cwd=tree, check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", "in the worktree"], cwd=tree, check=True)
    bare = make_repo("bare.git", "--bare", clone_of=repo)
    result = run(repo, tree, repo.path / "folder", bare)
    assert len(result.hashes()) == 2
    assert result.hashes()[0] == commit
    assert result.gaps == []
    assert run(bare).hashes() == [commit]


def test_the_projects_own_repository_is_the_default(
    repo: Any, run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = repo.commit()
    monkeypatch.chdir(repo.path)
    assert run().hashes() == [commit]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(repo.path))
    assert run().hashes() == [commit]
    assert run(".").hashes() == [commit]


def test_a_git_hooks_environment_does_not_redirect_the_reading(
    repo: Any, make_repo: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repo.commit()
    other = make_repo("other")
    other.commit()
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", "elsewhere")
    assert run(repo).hashes() == [commit]


def test_the_command_ends_with_exit_code_1_after_reading_the_others(repo: Any, tmp_path: Path) -> None:
    commit = repo.commit()
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"repositories": [str(tmp_path / "none"), str(repo.path)]}))
    ended = subprocess.run(
        [sys.executable, "-m", "tap_git", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=dict(os.environ),
    )
    messages = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [m["record"]["hash"] for m in messages if m["type"] == "RECORD"] == [commit]
    assert messages[-1]["type"] == "STATE"
    assert ended.returncode == 1
    assert f"Repository {tmp_path}/none does not exist." in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://user:hush@host.example:8443/a.git", "https://host.example:8443/a.git"),
        ("https://hush@host.example/a.git", "https://host.example/a.git"),
        ("git@host.example:a/b.git", "git@host.example:a/b.git"),
        ("/srv/a.git", "/srv/a.git"),
        ("file:///srv/a.git", "file:///srv/a.git"),
    ],
)
def test_an_address_is_told_without_credentials(address: str, told: str) -> None:
    assert without_credentials(address) == told
