"""Backups: a dump of the database, Meltano's state and the raw archive, each verified; `.env` stays out.

FOLDER/<database>-<time>/manifest.json   what is in it: fingerprints of the tables, SHA-256 of the files
                         database.dump   pg_dump's custom format
                         meltano.db      Meltano's state, where it is kept on this machine
FOLDER/archive/<source>/...              the raw archive; its files never change, so that backups share them
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from target_postgres_bronze.operator import pgtools, session, state
from target_postgres_bronze.operator.progress import progress
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

    from target_postgres_bronze.database import Target

DUMP: Final = "database.dump"
STATE: Final = "meltano.db"
STATE_EXPORT: Final = "meltano-state.json"
MANIFEST: Final = "manifest.json"
ARCHIVE: Final = "archive"
FINGERPRINTS: Final = "SELECT name, row_count, digest FROM bronze.fingerprints ORDER BY name"
MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True)
class Places:
    """Where the project keeps what a backup holds beside the database.

    Attributes:
        archive: Folder of the raw archive.
        state: Meltano's database; None if its state is elsewhere.
        root: Folder of the project.
    """

    archive: Path
    state: Path | None
    root: Path


def back_up(target: Target, places: Places, folder: Path, *, verify: bool) -> Path:
    """Write a backup into *folder*, and return its own folder there.

    Args:
        target: Database.
        places: The rest.
        folder: Where backups go.
        verify: Restore the dump into a scratch database on the same server, and compare every row.

    Raises:
        OperatorError: It cannot be made, or what was restored differs.
    """
    if places.archive.resolve() in [folder.resolve(), *folder.resolve().parents]:
        raise OperatorError(
            f"{folder} lies in {places.archive}, which is saved. Name a folder elsewhere, best on another disk."
        )
    with session.connected(target) as connection:
        name = connection.info.dbname
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        made = _free(folder, f"{name}-{stamp}")
        half_made = made.with_name(f".{made.name}.part")
        major = connection.info.server_version // 10_000
        try:
            half_made.mkdir(parents=True)
            # the dump and the fingerprints show the same moment
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            (snapshot,) = session.rows(connection, "SELECT pg_export_snapshot() AS name")
            arguments = ["--format=custom", f"--snapshot={snapshot['name']}", f"--file={half_made / DUMP}"]
            with progress("Saving the database"):
                pgtools.dump(target, arguments, major=major)
            with progress("Reading every row"):
                fingerprints = session.rows(connection, FINGERPRINTS)
            _save_state(places, half_made)
            archive = copy_archive(places.archive, folder / ARCHIVE)
            files = {file.name: digest_of(file) for file in sorted(half_made.iterdir())}
            manifest = {
                "database": target.display,
                "server": major,
                "made_at": stamp,
                "fingerprints": fingerprints,
                "files": files,
                "archive": archive,
            }
            (half_made / MANIFEST).write_text(json.dumps(manifest, indent=2))
            if verify:
                _verify(target, half_made, fingerprints, major)
            half_made.rename(made)
        except OSError as error:
            raise OperatorError(
                f"{error.filename or folder} cannot be written: {error.strerror}. Free the disk, or name another folder."
            ) from error
        finally:
            shutil.rmtree(half_made, ignore_errors=True)
    return made


def _save_state(places: Places, folder: Path) -> None:
    """Save Meltano's state; a backup without it is still worth having, and the command reports that it is missing."""
    if places.state is None:
        with contextlib.suppress(OperatorError):
            (folder / STATE_EXPORT).write_text(state.export(places.root))
    elif places.state.exists():
        state.save(places.state, folder / STATE)


def _free(folder: Path, name: str) -> Path:
    """Return a folder *name* that is not there: two backups may begin within one second."""
    names = (name, *(f"{name}-{number}" for number in range(2, 100)))
    return next(folder / free for free in names if not (folder / free).exists())


def read_manifest(backup: Path) -> dict[str, Any]:
    """Return what *backup* holds, once its files are found to be whole.

    Raises:
        OperatorError: It is no backup, or a file is missing or damaged.
    """
    try:
        manifest: dict[str, Any] = json.loads((backup / MANIFEST).read_text())
        for name, wanted in manifest["files"].items():
            if digest_of(backup / name) != wanted:
                raise OperatorError(f"{backup / name} is damaged (SHA-256 differs). Take another backup.")
    except (OSError, ValueError, KeyError) as error:
        raise OperatorError(
            f"{backup} is no whole backup ({type(error).__name__}). Name a folder that bronze backup made, such as "
            "bronze-20240131T040000Z."
        ) from error
    return manifest


def load_dump(target: Target, backup: Path, wanted: list[dict[str, Any]], major: int) -> None:
    """Restore the dump of *backup* into the empty database *target*, and compare every row.

    Raises:
        OperatorError: It cannot be restored, or differs from what was saved.
    """
    with progress("Restoring"):
        pgtools.restore(target, backup / DUMP, major=major)
    with progress("Comparing every row"), session.connected(target) as connection:
        found = session.rows(connection, FINGERPRINTS)
    if found != wanted:
        names = sorted({row["name"] for row in [*found, *wanted] if row not in found or row not in wanted})
        raise OperatorError(
            f"What was restored differs from what was saved: {', '.join(names)}. Make a new backup."
        )


def _verify(target: Target, backup: Path, fingerprints: list[Any], major: int) -> None:
    name = f"bronze_verify_{secrets.token_hex(4)}"
    scratch = pgtools.create(target, name)
    try:
        load_dump(scratch, backup, fingerprints, major)
    finally:
        pgtools.drop(scratch)


def copy_archive(source: Path, destination: Path) -> dict[str, int]:
    """Copy the files of the raw archive that *destination* lacks or has in part; return the size of each.

    Cold partitions, which lie in the same folder, go along.
    """
    sizes = {file: file.stat().st_size for file in sorted(source.rglob("*")) if file.is_file()}
    with progress("Copying the raw archive", sum(sizes.values())) as advance:
        for file, size in sizes.items():
            place = destination / file.relative_to(source)
            if not place.exists() or place.stat().st_size < size:
                place.parent.mkdir(parents=True, exist_ok=True)
                part = place.with_name(f".{place.name}.part")
                shutil.copy2(file, part)
                part.chmod(0o600)
                part.replace(place)
            advance(size)
    return {str(file.relative_to(source)): size for file, size in sizes.items()}


def restore_archive(backup: Path, wanted: dict[str, int], archive: Path) -> None:
    """Put back the files of the raw archive that are missing.

    Args:
        backup: A backup's own folder; the archive lies beside it.
        wanted: Size of each file when the backup was made.
        archive: Folder of the raw archive.

    Raises:
        OperatorError: Some are neither in the backup nor here; the others are back.
    """
    copy_archive(backup.parent / ARCHIVE, archive)
    lost = [
        name
        for name, size in wanted.items()
        if not (archive / name).exists() or (archive / name).stat().st_size < size
    ]
    if lost:
        raise OperatorError(
            f"{len(lost)} files of the raw archive are missing or cut short in {backup.parent / ARCHIVE}, such as {lost[0]}. Take them "
            "from another copy of that folder; the database is restored all the same."
        )


def digest_of(file: Path) -> str:
    """Return the SHA-256 of *file*, hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(MEBIBYTE):
            digest.update(chunk)
    return digest.hexdigest()
