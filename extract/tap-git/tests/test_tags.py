"""Tags of real repositories."""

from __future__ import annotations

from typing import Any


def by_name(result: Any) -> dict[str, dict[str, Any]]:
    return {record["name"]: record for record in result.records("tags")}


def test_annotated_and_lightweight_tags_say_what_they_name(repo: Any, run: Any) -> None:
    commit = repo.commit(a="1\n")
    repo.git("tag", "light")
    repo.git("tag", "-a", "-m", "Größe\n\nmore", "v1.0")
    repo.git("tag", "-a", "-m", "again", "of-a-tag", "v1.0")
    repo.git("tag", "of-a-file", "HEAD:a")
    tags = by_name(run(repo))
    assert tags["light"] == {
        "repository": commit,
        "name": "light",
        "object": commit,
        "object_type": "commit",
        "target": commit,
        "target_type": "commit",
        "tagger": None,
        "message": None,
        "headers": [],
    }
    assert tags["v1.0"] == {
        **tags["light"],
        "name": "v1.0",
        "object": repo.git("rev-parse", "v1.0"),
        "object_type": "tag",
        "tagger": {
            "name": "Ada Example",
            "email": "ada@example.org",
            "seconds": 1_700_000_060,
            "offset": "+0200",
            "date": "2023-11-15T00:14:20+02:00",
        },
        "message": "Größe\n\nmore\n",
    }
    assert (tags["of-a-tag"]["target"], tags["of-a-tag"]["target_type"]) == (commit, "commit")
    assert tags["of-a-file"]["target_type"] == "blob"


def test_each_repository_is_closed_by_itself_after_its_tags(repo: Any, make_repo: Any, run: Any) -> None:
    other = make_repo("other")
    roots = [repo.commit(), other.commit("other")]
    repo.git("tag", "one")
    result = run(repo, other)
    told = [m for m in result.messages if m.get("stream") == "tags"]
    assert [m["type"] for m in told] == [
        "SCHEMA",
        "SCHEMA",
        "RECORD",
        "ACTIVATE_VERSION",
        "SCHEMA",
        "ACTIVATE_VERSION",
    ]
    windows = [m["schema"]["x-absence-window"] for m in told if m["type"] == "SCHEMA"]
    assert [window.get("match") for window in windows] == [
        None,
        {"repository": roots[0]},
        {"repository": roots[1]},
    ]


def test_a_moved_tag_has_the_same_key_and_another_target(repo: Any, run: Any) -> None:
    repo.commit()
    repo.git("tag", "latest")
    before = by_name(run(repo))["latest"]
    repo.commit()
    repo.git("tag", "--force", "latest")
    after = by_name(run(repo))["latest"]
    assert after["target"] != before["target"]
    assert (after["repository"], after["name"]) == (before["repository"], before["name"])


def test_nothing_is_closed_when_a_repository_cannot_be_read(repo: Any, run: Any, tmp_path: Any) -> None:
    repo.commit()
    repo.git("tag", "one")
    result = run(repo, tmp_path / "none")
    assert list(by_name(result)) == ["one"]
    assert result.told("ACTIVATE_VERSION", "tags") == []


def test_a_damaged_tag_leaves_its_repository_open_and_the_next_one_is_closed(
    repo: Any, make_repo: Any, run: Any
) -> None:
    repo.commit()
    repo.git("tag", "-a", "-m", "x", "bad")
    name = repo.git("rev-parse", "bad")
    (repo.path / ".git" / "objects" / name[:2] / name[2:]).unlink()
    other = make_repo("other")
    root = other.commit("other")
    other.git("tag", "good")
    result = run(other, repo)
    assert list(by_name(result)) == ["good"]
    assert len(result.told("ACTIVATE_VERSION", "tags")) == 1
    assert result.told("SCHEMA", "tags")[1]["schema"]["x-absence-window"]["match"] == {"repository": root}
    assert any("bad" in gap or name in gap for gap in result.gaps)


def test_of_clones_that_differ_the_first_one_counts(repo: Any, make_repo: Any, run: Any) -> None:
    repo.commit()
    clone = make_repo("clone", clone_of=repo)
    repo.git("tag", "v1")
    second = clone.commit()
    clone.git("tag", "v1")
    clone.git("tag", "v2")
    result = run(repo, clone)
    assert [record["name"] for record in result.records("tags")] == ["v1", "v2"]
    assert by_name(result)["v2"]["target"] == second
    assert by_name(result)["v1"]["target"] != second
    assert "Tag v1 differs between" in result.log
    assert len(result.told("ACTIVATE_VERSION", "tags")) == 1


def test_a_name_that_is_no_utf_8_is_kept_and_its_encoding_told(repo: Any, run: Any) -> None:
    commit = repo.commit()
    packed = repo.path / ".git" / "packed-refs"
    packed.write_bytes(f"{commit} refs/tags/".encode() + b"gr\xfcn\n")
    result = run(repo)
    assert result.records("tags")[0]["name"].encode("ISO-8859-1") == b"gr\xfcn"
    assert result.provenances("tags")[0]["encoding"] == "ISO-8859-1"
