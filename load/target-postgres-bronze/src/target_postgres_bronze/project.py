"""Where things are: the project's folder, its ``.env``, its data and the SQL of the layout."""

from __future__ import annotations

import io
import os
from importlib import resources
from pathlib import Path

from dotenv import dotenv_values

MARKER = "meltano.yml"


class ProjectError(Exception):
    """The project or its ``.env`` cannot be used; the message says why, and the remedy."""


def find_root() -> Path:
    """Return the project's folder: ``MELTANO_PROJECT_ROOT``, the nearest one upward, or that of this checkout.

    Raises:
        ProjectError: None of these has a ``meltano.yml``.
    """
    named = os.environ.get("MELTANO_PROJECT_ROOT")
    if named:
        if Path(named, MARKER).is_file():
            return Path(named).resolve()
        raise ProjectError(
            f"MELTANO_PROJECT_ROOT names {named}, which has no {MARKER}. Correct it, or unset it."
        )
    here = Path.cwd().resolve()
    for start in (here, Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / MARKER).is_file():
                return folder
    raise ProjectError(
        f"There is no project in {here} or above it. Change to its folder, or set MELTANO_PROJECT_ROOT."
    )


def environment(root: Path | None = None) -> dict[str, str]:
    """Return the variables of the process, and those of the project's ``.env`` that it leaves open.

    Args:
        root: The project's folder; by default the one that `find_root` finds, if any.

    Raises:
        ProjectError: There is a ``.env`` that cannot be read.
    """
    if root is None:
        try:
            root = find_root()
        except ProjectError:
            return dict(os.environ)
    named = dotenv_values(stream=io.StringIO(_read_env(root / ".env")))
    return {name: value for name, value in named.items() if value is not None} | os.environ


def _read_env(file: Path) -> str:
    """Return the content of a ``.env``; an empty text if there is none."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        text = "\0"
    except OSError as error:
        raise ProjectError(
            f"{file} cannot be read: {error.strerror}. Give yourself the right to (chmod 600), or move it away."
        ) from error
    if "\0" in text:  # UTF-16, with or without a mark
        raise ProjectError(
            f"{file} is not in UTF-8, and meltano cannot read it either. Save it as UTF-8 in your editor."
        )
    return text


def postgres_dir(root: Path) -> Path:
    """Return the data folder of the embedded server."""
    return root / "data" / "postgres"


def archive_dir(root: Path) -> Path:
    """Return the folder of the raw archive."""
    return root / "data" / "bronze"


def sql_dir() -> Path:
    """Return the folder with the layout's SQL: the checkout's own, or the copy that was packed with the loader.

    Raises:
        ProjectError: Neither is there: the installation is broken.
    """
    package = Path(str(resources.files("target_postgres_bronze")))
    for folder in (package / "sql", *(parent / "sql" for parent in package.parents)):
        if (folder / "bronze" / "00_layout.sql").is_file():
            return folder
    raise ProjectError("The layout's SQL is missing from this installation. Run ./bronze setup again.")
