"""What a commit's record holds, on real repositories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def files(record: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Status, old path, additions and deletions by path."""
    return {
        file["path"]: (file["status"], file["old_path"], file["additions"], file["deletions"])
        for file in record["files"]
    }


def test_a_commit_has_everything_that_git_knows_of_it(repo: Any, run: Any) -> None:
    first = repo.commit("First", **{"a.txt": "1\n2\n"})
    second = repo.commit("Sécond\n\nwith a body", **{"a.txt": "1\n3\n4\n"})
    result = run(repo)
    assert result.hashes() == [first, second]
    ada = {
        "name": "Ada Example",
        "email": "ada@example.org",
        "seconds": 1_700_000_120,
        "offset": "+0200",
        "date": "2023-11-15T00:15:20+02:00",
    }
    assert result.records()[1] == {
        "hash": second,
        "tree": repo.git("rev-parse", "HEAD^{tree}"),
        "parents": [first],
        "author": ada,
        "committer": ada,
        "encoding": None,
        "headers": [],
        "message": "Sécond\n\nwith a body\n",
        "files": [
            {
                "status": "M",
                "path": "a.txt",
                "old_path": None,
                "mode": "100644",
                "old_mode": "100644",
                "additions": 2,
                "deletions": 1,
            }
        ],
    }
    assert result.provenances()[1] == {"repository": first, "repository_path": str(repo.path)}
    assert result.gaps == []


def test_each_kind_of_change_is_told(repo: Any, run: Any) -> None:
    repo.commit(moved="1\n2\n3\n4\n", gone="x\n", kind="y\n", run="z\n")
    (repo.path / "moved").rename(repo.path / 'new name\t\n"ü')
    (repo.path / "gone").unlink()
    (repo.path / "kind").unlink()
    (repo.path / "kind").symlink_to("run")
    (repo.path / "run").chmod(0o755)
    repo.write("binary", b"\x00\x01")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module")
    repo.git("config", "submodule.module.ignore", "all")
    repo.git("add", "--all", "--", ":!module")
    repo.git("commit", "--quiet", "-m", "all of them")
    record = run(repo).records()[1]
    assert files(record) == {
        "binary": ("A", None, None, None),
        "gone": ("D", None, 0, 1),
        "kind": ("T", None, 1, 1),
        "module": ("A", None, 1, 0),
        'new name\t\n"ü': ("R", "moved", 0, 0),
        "run": ("M", None, 0, 0),
    }
    modes = {file["path"]: (file["old_mode"], file["mode"]) for file in record["files"]}
    assert modes["module"] == ("000000", "160000")
    assert modes["kind"] == ("100644", "120000")
    assert modes["run"] == ("100644", "100755")


def test_a_merge_is_compared_with_its_first_parent(repo: Any, run: Any) -> None:
    base = repo.commit(a="1\n")
    repo.git("switch", "--quiet", "--create", "side")
    side = repo.commit(side="s\n")
    repo.git("switch", "--quiet", "main")
    main = repo.commit(main="m\n")
    repo.git("merge", "--quiet", "--no-edit", "side")
    *others, merge = run(repo).records()
    assert {record["hash"] for record in others} == {base, side, main}
    assert merge["parents"] == [main, side]
    assert files(merge) == {"side": ("A", None, 1, 0)}


def test_an_empty_commit_has_no_files(repo: Any, run: Any) -> None:
    repo.commit()
    assert run(repo).records()[0]["files"] == []


def test_thousands_of_files_in_one_commit_come_complete(repo: Any, run: Any) -> None:
    repo.commit(**{f"folder/{number:05}": f"{number}\n" for number in range(3000)})
    (record,) = run(repo).records()
    assert len(files(record)) == 3000
    assert record["files"][2999] == {
        "status": "A",
        "path": "folder/02999",
        "old_path": None,
        "mode": "100644",
        "old_mode": "000000",
        "additions": 1,
        "deletions": 0,
    }


def test_a_path_that_is_no_utf_8_is_kept_and_its_encoding_told(repo: Any, run: Any) -> None:
    blob = repo.git("hash-object", "-w", "--stdin", text="x\n")
    repo.git("update-index", "-z", "--index-info", text=f"100644 {blob}\t".encode() + b"gr\xfcn\0")
    repo.git("commit", "--quiet", "-m", "odd")
    (record,) = run(repo).records()
    assert record["files"][0]["path"].encode("ISO-8859-1") == b"gr\xfcn"
    assert record["files"][0]["encoding"] == "ISO-8859-1"


@pytest.mark.parametrize(
    ("declared", "codec"), [("ISO-8859-2", "ISO-8859-2"), ("", "ISO-8859-1")], ids=["declared", "undeclared"]
)
def test_a_message_in_another_encoding_is_kept_and_its_encoding_told(
    repo: Any, run: Any, declared: str, codec: str
) -> None:
    header = f"encoding {declared}\n".encode() if declared else b""
    tree = repo.git("write-tree").encode()
    person = b"Bo\xbena <b@x> 1 +0000\n"
    message = "žluť".encode("ISO-8859-2")
    repo.raw_commit(
        b"tree " + tree + b"\nauthor " + person + b"committer " + person + header + b"\n" + message
    )
    result = run(repo)
    (record,) = result.records()
    assert record["message"].encode(codec) == message
    assert record["author"]["name"].encode(codec) == b"Bo\xbena"
    assert record["encoding"] == (declared or None)
    assert result.provenances()[0]["encoding"] == codec


def test_a_commit_with_broken_people_still_comes(repo: Any, run: Any) -> None:
    tree = repo.git("write-tree")
    odd = repo.raw_commit(
        f"tree {tree}\nauthor Nobody\ncommitter A <a@x> 99999999999999 +9999\n\nodd".encode()
    )
    (record,) = run(repo).records()
    assert record["hash"] == odd
    assert record["author"]["line"] == "Nobody"
    assert record["committer"]["seconds"] == 99999999999999
    assert record["committer"]["date"] is None


def test_the_stash_notes_and_detached_heads_are_read(repo: Any, run: Any) -> None:
    repo.commit(a="1\n")
    repo.git("notes", "add", "-m", "a note")
    repo.write("a", "2\n")
    repo.git("stash", "--quiet")
    repo.git("switch", "--quiet", "--detach")
    repo.commit("detached", b="1\n")
    messages = {record["message"].split(":")[0].strip() for record in run(repo).records()}
    assert messages == {"Work", "Notes added by 'git notes add'", "WIP on main", "index on main", "detached"}


def test_what_a_person_has_configured_changes_nothing(repo: Any, run: Any) -> None:
    first = repo.commit(**{"a.txt": "1\n2\n3\n4\n"})
    repo.git("mv", "a.txt", "b.txt")
    second = repo.commit(**{"c.txt": "one\n"})
    before = run(repo)
    (Path.home() / ".gitconfig").write_text(
        "[diff]\nrenames = false\nexternal = false\nnoprefix = true\nalgorithm = patience\n"
        "[log]\nshowSignature = true\n[core]\nquotepath = true\nattributesFile = ~/attributes\n"
        '[diff "upper"]\ntextconv = tr a-z A-Z <\n[mailmap]\nfile = ~/mailmap\n'
    )
    (Path.home() / "attributes").write_text("*.txt -diff\n")
    (Path.home() / "mailmap").write_text("Mapped <mapped@x> <ada@example.org>\n")
    repo.write(".gitattributes", "*.txt binary diff=upper\n")
    repo.git("add", ".gitattributes")
    repo.write(".mailmap", "Mapped <mapped@x> <ada@example.org>\n")
    repo.git("config", "diff.renames", "copies")
    repo.git("config", "diff.renameLimit", "0")
    repo.write(".git/info/grafts", second + "\n")
    repo.git("replace", "--force", second, first)
    after = run(repo)
    assert after.records() == before.records()


def test_a_repository_of_sha_256_objects_is_read(make_repo: Any, run: Any) -> None:
    repo = make_repo("long", "--object-format=sha256")
    commit = repo.commit(a="1\n")
    (record,) = run(repo).records()
    assert (record["hash"], len(commit)) == (commit, 64)
    assert files(record) == {"a": ("A", None, 1, 0)}


def test_a_damaged_file_leaves_its_commit_marked_and_the_others_whole(repo: Any, run: Any) -> None:
    repo.commit(a="1\n")
    damaged = repo.commit(a="2\n")
    blob = repo.git("rev-parse", "HEAD:a")
    repo.commit(b="3\n")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    result = run(repo)
    assert [record["files"] is None for record in result.records()] == [False, True, False]
    assert [provenance.get("degraded") for provenance in result.provenances()] == [None, True, None]
    assert result.gaps == [
        f"Repository {repo.path}: the files of commit {damaged} cannot be read. Check it with git fsck."
    ]
    assert (
        "commits" not in result.state["bookmarks"] or not result.state["bookmarks"]["commits"]["repositories"]
    )


def test_a_lost_commit_stops_its_repository_alone(repo: Any, make_repo: Any, run: Any) -> None:
    repo.commit()
    lost = repo.commit()
    repo.commit()
    (repo.path / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    other = make_repo("other")
    whole = other.commit()
    result = run(repo, other)
    assert result.hashes() == [whole]
    assert len(result.gaps) == 1
    assert result.gaps[0].startswith(f"Repository {repo.path}")
    assert set(result.state["bookmarks"]["commits"]["repositories"]) == {whole}
