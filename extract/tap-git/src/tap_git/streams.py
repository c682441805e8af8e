"""Commits and tags of the repositories."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack, closing, nullcontext
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_LOG_BASED
from typing_extensions import override

from tap_git.changes import decode_path
from tap_git.git import GitError
from tap_git.objects import codec_of, commit_record, parse_object, tag_record
from tap_git.repository import ChangesReader
from tap_kit import Raw, RawStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_git.git import ObjectReader
    from tap_git.repository import Repository
    from tap_git.tap import TapGit

_TAGS = "refs/tags/"
_MOST_LAYERS = 100
"""Tags of tags; more are an attack, not a habit."""

_TEXT = th.StringType(nullable=True)
_PERSON = th.ObjectType(
    th.Property("name", _TEXT),
    th.Property("email", _TEXT),
    th.Property("seconds", th.IntegerType(nullable=True), description="Since 1970-01-01 UTC."),
    th.Property("offset", _TEXT, description="As written, such as +0200."),
    th.Property("date", _TEXT, description="The two as ISO 8601."),
    th.Property(
        "line", _TEXT, description="Only where the line does not follow git's form: the whole of it."
    ),
    nullable=True,
)
_HEADERS = th.ArrayType(
    th.ObjectType(th.Property("name", th.StringType), th.Property("value", th.StringType)),
)
_FILE = th.ObjectType(
    th.Property(
        "status", th.StringType, description="A added, M modified, D deleted, R renamed, T other type."
    ),
    th.Property("path", th.StringType),
    th.Property("old_path", _TEXT, description="Of a renamed file."),
    th.Property("mode", th.StringType, description="Octal; 160000 is a submodule, 120000 a link."),
    th.Property("old_mode", th.StringType),
    th.Property("additions", th.IntegerType(nullable=True), description="Lines; null for a binary file."),
    th.Property("deletions", th.IntegerType(nullable=True), description="Lines; null for a binary file."),
    th.Property("encoding", _TEXT, description="Of the paths, only where it is not UTF-8."),
)


class GitStream(RawStream):
    """Something that the repositories hold, told repository by repository."""

    _tap: TapGit

    def _repositories(self) -> Iterator[Repository]:
        """Give the repositories that can be read; the others are gaps."""
        repositories, failures = self._tap.repositories
        for sentence in failures:
            self.report_gap(sentence)
        yield from repositories

    def _by_identity(self) -> dict[str, list[Repository]]:
        """Put clones of one repository together, in the order of the settings."""
        clones: dict[str, list[Repository]] = defaultdict(list)
        for repository in self._repositories():
            clones[repository.identity].append(repository)
        return clones

    def _provenance(self, repository: Repository, codec: str = "UTF-8") -> dict[str, Any]:
        """Say where a record comes from; the place is no part of it, as the same one may be elsewhere too."""
        provenance = {"repository": repository.identity, "repository_path": str(repository.path)}
        return provenance if codec == "UTF-8" else {**provenance, "encoding": codec}


class Commits(GitStream):
    """Commits that a ref reaches now and none reached in the run before, parents before their children.

    The state has, for each repository, the commits at the ends of its history. It moves when all records of the
    repository were sent.
    """

    name = "commits"
    primary_keys = ("hash",)
    source_timestamp = "/author/date"
    schema = th.PropertiesList(
        th.Property("hash", th.StringType(nullable=False), required=True),
        th.Property("tree", th.StringType),
        th.Property("parents", th.ArrayType(th.StringType)),
        th.Property("author", _PERSON),
        th.Property("committer", _PERSON),
        th.Property("encoding", _TEXT, description="As the commit declares it."),
        th.Property("headers", _HEADERS, description="All others, such as gpgsig."),
        th.Property("message", th.StringType),
        th.Property(
            "files",
            th.ArrayType(_FILE, nullable=True),
            description="Compared with the first parent. Null: this clone does not have what it takes.",
        ),
    ).to_dict()

    def __init__(self, tap: TapGit) -> None:
        """Declare the stream incremental; it needs no replication key for that."""
        super().__init__(tap)
        self.forced_replication_method = REPLICATION_LOG_BASED

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        for identity, clones in self._by_identity().items():
            yield from self._new_commits(identity, clones)

    def _new_commits(self, identity: str, clones: list[Repository]) -> Iterator[Raw]:
        """Give what is new in a repository, in whichever clones; then move its state, if nothing was left out."""
        gaps = self._gaps
        states: dict[str, Any] = self.stream_state.setdefault("repositories", {})
        question = {
            "author_emails": sorted(self._tap.author_emails),
            "limits": [clone.limits for clone in clones if clone.limits],
        }
        saved = self._saved_tips(states.get(identity, {}), question)
        read: set[str] = set()
        given: set[str] | None = set() if len(clones) > 1 else None
        for clone in clones:
            try:
                tips = clone.tips()
                yield from self._records(clone, tips, clone.present([*saved, *read]), given)
                read.update(clone.heads(tips))
            except GitError as error:
                self.report_gap(f"Repository {clone.path}: {error}. Check it with git fsck.")
        if gaps == self._gaps:
            states[identity] = {"tips": sorted(read), **question}

    def _saved_tips(self, state: dict[str, Any], question: dict[str, Any]) -> list[str]:
        """Give the ends of the history that the last run has read, if it was asked the same question."""
        goes_on = self.replication_method != REPLICATION_FULL_TABLE and question.items() <= state.items()
        tips: list[str] = state["tips"] if goes_on else []
        return tips

    def _records(
        self, clone: Repository, tips: list[str], known: list[str], given: set[str] | None
    ) -> Iterator[Raw]:
        """Give the wanted commits that *tips* reach and *known* do not.

        Args:
            clone: Where to read.
            tips: Commits that refs name.
            known: Commits that have been read with all that they reach.
            given: Notes what was given, so that another clone does not give it again. None: there is no other.
        """
        with closing(ChangesReader(clone)) as changes, clone.objects() as objects:
            for commit in clone.commits(tips, known):
                if given is not None:
                    if commit in given:
                        continue
                    given.add(commit)
                record = self._commit(clone, commit, objects, changes)
                if record is not None:
                    yield record

    def _commit(
        self, repository: Repository, commit: str, objects: ObjectReader, changes: ChangesReader
    ) -> Raw | None:
        found = objects.read(commit)
        if found is None:
            raise GitError(f"the commit {commit} is missing")
        git_object = parse_object(found[1])
        codec = codec_of(git_object)
        record = commit_record(commit, git_object, codec)
        if not self._is_wanted(record):
            return None
        record["files"] = changes.read(commit, record["parents"])
        provenance = self._provenance(repository, codec)
        if record["files"] is None:
            provenance["degraded"] = True
            if repository.limits is None:
                self.report_gap(
                    f"Repository {repository.path}: the files of commit {commit} cannot be read. Check it with git fsck."
                )
        return Raw(record, provenance)

    def _is_wanted(self, record: dict[str, Any]) -> bool:
        emails = self._tap.author_emails
        return not emails or ((record["author"] or {}).get("email") or "").casefold() in emails


class Tags(GitStream):
    """All tags, annotated and lightweight; a moved one is a change, a deleted one is gone."""

    name = "tags"
    primary_keys = ("repository", "name")
    source_timestamp = "/tagger/date"
    absence = "window"
    schema = th.PropertiesList(
        th.Property(
            "repository",
            th.StringType(nullable=False),
            required=True,
            description="See the README, 'Identity'.",
        ),
        th.Property("name", th.StringType(nullable=False), required=True),
        th.Property(
            "object", th.StringType, description="What the ref names; of an annotated tag its own object."
        ),
        th.Property("object_type", th.StringType),
        th.Property("target", th.StringType, description="What is tagged in the end."),
        th.Property("target_type", th.StringType),
        th.Property("tagger", _PERSON),
        th.Property("message", _TEXT),
        th.Property("headers", _HEADERS),
    ).to_dict()

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        for identity, repositories in self._by_identity().items():
            # A repository that cannot be read may be a clone of this one, and hold the tags that seem gone.
            closing_window = (
                self.window(None, None, {"repository": identity}) if self.complete else nullcontext()
            )
            with closing_window:
                yield from self._tags_of_clones(repositories)

    def _tags_of_clones(self, repositories: list[Repository]) -> Iterator[Raw]:
        """Give each tag once; where clones differ, that of the one listed first, lest it changes with every run."""
        given: dict[str, Raw] = {}
        for repository in repositories:
            try:
                for tag in self._tags(repository):
                    first = given.setdefault(tag["name"], tag)
                    if first is tag:
                        yield tag
                    elif first["object"] != tag["object"]:
                        self.log(
                            "Tag %s differs between %s and %s, clones of one repository; the first one's is taken.",
                            tag["name"],
                            first.provenance["repository_path"],
                            repository.path,
                        )
            except GitError as error:
                self.report_gap(f"Repository {repository.path}: {error}. Check it with git fsck.")

    def _tags(self, repository: Repository) -> Iterator[Raw]:
        refs = repository.reader.lines("for-each-ref", "--format=%(objectname) %(refname)", _TAGS)
        with ExitStack() as stack:
            objects = stack.enter_context(repository.objects())
            for ref in refs:
                name, _, refname = ref.partition(" ")
                yield self._tag(repository, objects, name, refname.removeprefix(_TAGS))

    def _tag(self, repository: Repository, objects: ObjectReader, tagged: str, name: str) -> Raw:
        text, encoding = decode_path(name.encode("utf-8", "surrogateescape"))
        kind, content = _present(objects, tagged)
        record: dict[str, Any] = {"repository": repository.identity, "name": text}
        record |= {"object": tagged, "object_type": kind, "target": tagged, "target_type": kind}
        record |= {"tagger": None, "message": None, "headers": []}
        codec = encoding or "UTF-8"
        if kind == "tag":
            git_object = parse_object(content)
            codec = codec_of(git_object)
            record["target"], record["target_type"] = _target(objects, content)
            record |= tag_record(git_object, codec)
        return Raw(record, self._provenance(repository, codec))


def _target(objects: ObjectReader, content: bytes) -> tuple[str, str]:
    """Follow an annotated tag, or a tag of tags, to what is tagged in the end."""
    for _ in range(_MOST_LAYERS):
        named = (parse_object(content).first(b"object") or b"").decode("ascii", "replace")
        kind, content = _present(objects, named)
        if kind != "tag":
            return named, kind
    raise GitError(f"a tag has more than {_MOST_LAYERS} layers")


def _present(objects: ObjectReader, name: str) -> tuple[str, bytes]:
    found = objects.read(name)
    if found is None:
        raise GitError(f"the tagged object {name} is missing")
    return found
