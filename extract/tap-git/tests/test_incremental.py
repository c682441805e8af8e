"""What comes again, and what does not."""

from __future__ import annotations

import shutil
from typing import Any


def test_a_second_run_gives_nothing_and_a_new_commit_is_one(repo: Any, run: Any) -> None:
    repo.commit()
    repo.commit()
    first = run(repo)
    assert len(first.hashes()) == 2
    second = run(repo, state=first.state)
    assert second.hashes() == []
    assert second.state == first.state
    commit = repo.commit()
    assert run(repo, state=second.state).hashes() == [commit]


def test_the_state_moves_after_the_records_of_its_repository(repo: Any, make_repo: Any, run: Any) -> None:
    other = make_repo("other")
    names = [repo.commit(), other.commit("other"), other.commit()]
    result = run(repo, other)
    states = [i for i, message in enumerate(result.messages) if message["type"] == "STATE"]
    records = [i for i, message in enumerate(result.messages) if message["type"] == "RECORD"]
    assert result.hashes() == names
    assert min(states) > max(records)
    assert {name: entry["tips"] for name, entry in repositories(result.state).items()} == {
        names[0]: [names[0]],
        names[1]: [names[2]],
    }


def repositories(state: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = state["bookmarks"]["commits"]["repositories"]
    return found


def test_the_state_keeps_the_ends_of_history_alone(repo: Any, run: Any) -> None:
    for number in range(5):
        repo.commit()
        repo.git("tag", f"t{number}")
    repo.git("branch", "behind", "HEAD~3")
    (entry,) = repositories(run(repo).state).values()
    assert entry["tips"] == [repo.git("rev-parse", "HEAD")]


def test_a_rewritten_history_gives_its_new_commits_even_without_the_old_ones(repo: Any, run: Any) -> None:
    repo.commit("kept")
    repo.commit("old")
    first = run(repo)
    repo.git("commit", "--quiet", "--amend", "--allow-empty", "-m", "new")
    second = run(repo, state=first.state)
    assert [record["message"] for record in second.records()] == ["new\n"]
    repo.git("commit", "--quiet", "--amend", "--allow-empty", "-m", "newer")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "--quiet", "--prune=now")
    third = run(repo, state=second.state)
    assert [record["message"] for record in third.records()] == ["kept\n", "newer\n"]
    assert third.gaps == []


def test_a_renamed_branch_a_moved_folder_and_a_new_clone_give_nothing(
    repo: Any, make_repo: Any, run: Any
) -> None:
    repo.commit()
    repo.commit()
    state = run(repo).state
    clone = make_repo("clone", clone_of=repo)
    assert run(clone, state=state).hashes() == []
    repo.git("branch", "--move", "renamed")
    repo.path = repo.path.rename(repo.path.with_name("moved"))
    assert run(repo, state=state).hashes() == []


def test_two_clones_give_a_shared_commit_once(repo: Any, make_repo: Any, run: Any) -> None:
    shared = repo.commit()
    clone = make_repo("clone", clone_of=repo)
    here = repo.commit("here")
    there = clone.commit("there")
    first = run(repo, clone)
    assert first.hashes() == [shared, here, there]
    assert run(repo, clone, state=first.state).hashes() == []
    assert run(clone, repo, state=first.state).hashes() == []


def test_unrelated_branches_and_merged_foreign_histories_keep_the_identity(
    repo: Any, make_repo: Any, run: Any
) -> None:
    foreign = make_repo("foreign")
    foreign.commits = -1000
    foreign.commit("older", f="1\n")
    root = repo.commit()
    first = run(repo)
    repo.git("fetch", "--quiet", str(foreign.path), "main")
    repo.git("merge", "--quiet", "--no-edit", "--allow-unrelated-histories", "FETCH_HEAD")
    repo.git("switch", "--quiet", "--orphan", "pages")
    repo.commit("pages")
    second = run(repo, state=first.state)
    assert len(second.hashes()) == 3
    assert set(repositories(second.state)) == {root}


def test_authors_are_chosen_by_email_in_any_case(repo: Any, run: Any) -> None:
    mine = repo.commit()
    repo.git("commit", "--quiet", "--allow-empty", "-m", "theirs", "--author=B <b@example.org>")
    assert run(repo, author_emails=["ADA@Example.org"]).hashes() == [mine]


def test_another_choice_of_authors_reads_everything_again(repo: Any, run: Any) -> None:
    mine = repo.commit()
    repo.git("commit", "--quiet", "--allow-empty", "-m", "theirs", "--author=B <b@example.org>")
    theirs = repo.git("rev-parse", "HEAD")
    first = run(repo, author_emails=["ada@example.org"])
    again = run(repo, author_emails=["ada@example.org"], state=first.state)
    assert again.hashes() == []
    both = run(repo, author_emails=["b@example.org", "ada@example.org"], state=first.state)
    assert both.hashes() == [mine, theirs]


def test_a_shallow_clone_says_what_it_lacks_and_gives_the_rest_when_it_is_completed(
    repo: Any, make_repo: Any, run: Any
) -> None:
    names = [repo.commit(**{str(number): "x\n"}) for number in range(4)]
    clone = make_repo("clone", "--depth=2", clone_of=repo)
    first = run(clone)
    assert first.hashes() == names[2:]
    assert [record["files"] is None for record in first.records()] == [True, False]
    assert first.records()[0]["parents"] == [names[1]]
    assert first.provenances()[0]["degraded"] is True
    assert "degraded" not in first.provenances()[1]
    assert f"Repository {clone.path} is a shallow clone" in first.log
    assert first.gaps == []
    assert run(clone, state=first.state).hashes() == []
    clone.git("fetch", "--quiet", "--depth=3")
    assert run(clone, state=first.state).hashes() == names[1:]
    clone.git("fetch", "--quiet", "--unshallow")
    completed = run(clone, state=first.state)
    assert completed.hashes() == names
    assert None not in [record["files"] for record in completed.records()]


def test_a_partial_clone_is_read_without_asking_the_network(repo: Any, make_repo: Any, run: Any) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    names = [repo.commit(a="1\n"), repo.commit(a="2\n")]
    clone = make_repo("clone", "--filter=blob:none", "--no-checkout", clone_of=repo)
    before = clone.git("count-objects", "--verbose")
    result = run(clone)
    assert result.hashes() == names
    assert [record["files"] for record in result.records()] == [None, None]
    assert "is a partial clone" in result.log
    assert clone.git("count-objects", "--verbose") == before


def test_a_lost_state_costs_a_repeat_with_equal_records(repo: Any, run: Any) -> None:
    repo.commit(a="1\n")
    repo.commit(a="2\n")
    shutil.copytree(repo.path, repo.path.with_name("copy"))
    assert run(repo).records() == run(repo.path.with_name("copy")).records()
