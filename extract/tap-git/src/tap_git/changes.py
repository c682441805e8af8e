"""The files that a commit changed, as ``git diff-tree`` compares it with its first parent.

Source: ``git diff-tree``, "Raw output format" and "Other diff formats" (``-z``, ``--numstat``).
"""

from __future__ import annotations

from typing import Any

ARGUMENTS = (
    "diff-tree",
    "--stdin",
    "--root",
    "-r",
    "-z",
    "--raw",
    "--numstat",
    "--no-commit-id",
    "--no-abbrev",
    # Renames are a guess of git's; these make it the same guess everywhere.
    "-M50%",
    "-l1000",
    "--diff-algorithm=myers",
    "--no-textconv",
    "--no-ext-diff",
    "--ignore-submodules=none",
)
_FALLBACK = "ISO-8859-1"


def parse_changes(output: bytes) -> list[dict[str, Any]]:
    """Read the output for one commit: raw entries, then line counts.

    Returns:
        One object per file, in git's order: ``status`` (A, M, D, R, T), ``path``, ``old_path`` (of a rename, else null),
        ``mode`` and ``old_mode`` (octal, ``000000`` for none), ``additions`` and ``deletions`` in lines (null for a
        binary file). A path that is not UTF-8 is read as ISO-8859-1, and ``encoding`` says so.
    """
    fields = iter(output.split(b"\0"))
    files: dict[bytes, dict[str, Any]] = {}
    for field in fields:
        if field.startswith(b":"):
            path, change = _entry(field, fields)
            files[path] = change
        elif field:
            _count(field, fields, files)
    return list(files.values())


def _entry(field: bytes, fields: Any) -> tuple[bytes, dict[str, Any]]:
    old_mode, mode, _, _, status = field[1:].decode("ascii").split(" ")
    old_path = next(fields) if status[0] in "RC" else None
    path = next(fields)
    text, encoding = decode_path(path)
    change = {
        "status": status[0],
        "path": text,
        "old_path": None if old_path is None else decode_path(old_path)[0],
        "mode": mode,
        "old_mode": old_mode,
        "additions": 0,
        "deletions": 0,
    }
    if old_path is not None and encoding is None:
        encoding = decode_path(old_path)[1]
    return path, change if encoding is None else {**change, "encoding": encoding}


def _count(field: bytes, fields: Any, files: dict[bytes, dict[str, Any]]) -> None:
    """Add the line counts of one file; a change of type comes as two."""
    additions, deletions, path = field.split(b"\t", 2)
    if not path:
        next(fields)
        path = next(fields)
    change = files[path]
    for name, count in (("additions", additions), ("deletions", deletions)):
        change[name] = None if count == b"-" or change[name] is None else change[name] + int(count)


def decode_path(path: bytes) -> tuple[str, str | None]:
    """Read a path; gives the text, and the encoding where it is not UTF-8."""
    try:
        return path.decode("utf-8"), None
    except UnicodeDecodeError:
        return path.decode(_FALLBACK), _FALLBACK
