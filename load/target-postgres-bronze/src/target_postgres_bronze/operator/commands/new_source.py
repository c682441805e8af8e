"""``bronze new-source``: the files of a new source, with everything that the checks ask for."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from target_postgres_bronze import project
from target_postgres_bronze.operator.session import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

TEMPLATES = "target_postgres_bronze.operator", "templates"
SUFFIX = ".in"  # so that no tool takes a template for what it becomes

BOTH, API, EXPORT = "both", "api", "export"  # the folders of templates

NEXT = """
Made tap-{name}. Next:
  1. extract/tap-{name}: {look}
  2. .venv/bin/uv lock, then ./bronze setup: both know it from now on.
  3. ./bronze test extract/tap-{name}
  4. {run}
"""
LOOK = {
    API: "put the real address, sign-in and streams into src/, real structure with invented content into tests/.",
    EXPORT: "put the real files into the table of src/.../tap.py, their parsers beside it, real structure with invented "
    "content into tests/; the signs of the plugin definition tell bronze inbox what it is.",
}
RUN = {
    API: ".venv/bin/meltano invoke tap-{name} --discover, then .venv/bin/meltano run tap-{name} target-postgres",
    EXPORT: "drop an export into data/inbox, then ./bronze inbox",
}


@click.command(
    epilog="Example: bronze new-source strava. Exit code 0: the files are there; 1: nothing was made, as the name is taken or none."
)
@click.argument("name")
@click.option("--title", help="The service's name as people write it. Default: NAME with a capital.")
@click.option("--export", is_flag=True, help="It comes as files that a person exports, not from an HTTP API.")
def command(name: str, title: str | None, *, export: bool) -> None:
    """Make the files of a new source: a tap for an HTTP API or for export files, its tests and its plugin definition.

    NAME is in lower case, such as strava or apple-health.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise OperatorError(
            f"'{name}' is no name for a source. Use lower case, digits and single dashes: apple-health."
        )
    root = project.find_root()
    if (root / "extract" / f"tap-{name}").exists():
        raise OperatorError(f"extract/tap-{name} is there already. Remove it, or choose another name.")
    kind = EXPORT if export else API
    for path in make(root, name, title or name.replace("-", " ").title(), kind):
        click.echo(path.relative_to(root))
    _tidy(root / "extract" / f"tap-{name}")
    click.echo(NEXT.format(name=name, look=LOOK[kind], run=RUN[kind].format(name=name)))


def make(root: Path, name: str, title: str, kind: str) -> Iterator[Path]:
    """Write the files of source *name*, of the kind `API` or `EXPORT`, into the project at *root*, yielding each."""
    module = name.replace("-", "_")
    words = {
        "@name@": name,
        "@module@": module,
        "@Class@": "".join(part.title() for part in name.split("-")),
        "@Title@": title,
        "@VARIABLE@": f"{module.upper()}_API_TOKEN",
        "@UPPER@": module.upper(),
    }
    folder = resources.files(TEMPLATES[0]) / TEMPLATES[1]
    for template, path in (*_templates(folder / BOTH, ""), *_templates(folder / kind, "")):
        target = root / _filled(path, words).removesuffix(SUFFIX)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled(template.read_text(), words))
        yield target
    if kind == EXPORT:
        return
    example = root / ".env.example"
    with example.open("a") as file:
        file.write(f"\n# {title} (extract/tap-{name}/README.md)\n# {words['@VARIABLE@']}=\n")
    yield example


def _tidy(folder: Path) -> None:
    """Order imports and break lines, which both depend on the name, where ruff is installed beside this command."""
    ruff = Path(sys.executable).with_name("ruff")
    if ruff.exists():
        for words in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
            subprocess.run([str(ruff), *words, str(folder)], check=False)


def _templates(folder: Traversable, path: str) -> Iterator[tuple[Traversable, str]]:
    """Yield each template below *folder* with its path relative to it."""
    for entry in sorted(folder.iterdir(), key=lambda found: found.name):
        below = f"{path}/{entry.name}".lstrip("/")
        if entry.is_dir():
            yield from _templates(entry, below)
        elif entry.name.endswith(SUFFIX):
            yield entry, below


def _filled(text: str, words: Mapping[str, str]) -> str:
    for token, word in words.items():
        text = text.replace(token, word)
    return text
