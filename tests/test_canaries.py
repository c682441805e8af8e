"""Secrets stay secret, and a person's own words stay out of the logs, through whole runs that go wrong.

Every secret is an invented word that occurs nowhere else; afterwards everything that the runs left behind is searched
for it: what was printed, Meltano's files, the server's log, all rows, the raw archive, and the arguments of every
process that ran.
"""

from __future__ import annotations

import base64
import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import psycopg
import pytest
import zstandard
from psycopg import sql

from tap_toggl.standin import Clock, StandIn, small_account
from tap_toggl.standin.answers import Answer
from target_postgres_bronze import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Project

TAPS = Path(__file__).parent / "taps"

TOKEN = "canaryTokenOfToggl"
PASSWORD = "canaryPasswordOfLoader"
WRONG = "canaryPasswordThatIsWrong"
OTHERS = ("canaryTokenInAnswer", "canaryCalendarAddress")
SECRETS = (TOKEN, PASSWORD, WRONG, *OTHERS)

#: Not a secret: a person's own words, which belong in rows and archive, and in no log.
NOTE = "canaryWordsOfADiary"


def spellings(word: str) -> set[str]:
    """Return how *word* may stand somewhere: plain, as bytea shows it, and as in an Authorization header."""
    whole_groups = word.encode()[: len(word) // 3 * 3]
    return {word, word.encode().hex(), base64.b64encode(whole_groups).decode()}


def found_in(text: str, words: tuple[str, ...]) -> list[str]:
    """Return those of *words* that are in *text* in any spelling."""
    return [word for word in words if any(spelling in text for spelling in spellings(word))]


def test_the_search_knows_a_word_in_each_spelling() -> None:
    header = base64.b64encode(f"{TOKEN}:api_token".encode()).decode()
    for text in (f"token={TOKEN}&", rf"\x00{TOKEN.encode().hex()}", f"Basic {header}"):
        assert found_in(text, SECRETS) == [TOKEN]


class Runs:
    """Meltano runs of a project: what they printed, and the arguments of their processes."""

    def __init__(self, project: Project, settings: dict[str, str]) -> None:
        self.project = project
        self.settings = settings
        self.printed = ""
        self.arguments: set[str] = set()

    def run(self, tap: str, **variables: str) -> tuple[int, str]:
        """Run *tap* into target-postgres with *variables*; return the exit code and what was printed."""
        settings = self.settings | variables
        with self.project.start("run", "--force", tap, "target-postgres", **settings) as meltano:
            over = threading.Event()
            watcher = threading.Thread(target=self._watch, args=(psutil.Process(meltano.pid), over))
            watcher.start()
            said, _ = meltano.communicate(timeout=120)
            over.set()
            watcher.join()
        self.printed += said
        return meltano.returncode, said

    def _watch(self, meltano: psutil.Process, over: threading.Event) -> None:
        while not over.wait(0.1):
            with suppress(psutil.NoSuchProcess):
                for process in (meltano, *meltano.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        self.arguments.add(" ".join(process.cmdline()))


@pytest.fixture
def server(project: Project) -> embedded.Server:
    """The embedded server, with a role that must give its password."""
    server = embedded.ensure_running(project.root / "data" / "postgres")
    embedded.ensure_database(server, "bronze")
    with psycopg.connect(server.conninfo("bronze"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE loader SUPERUSER LOGIN PASSWORD {}").format(PASSWORD))
        rules = server.data_dir / "pg_hba.conf"
        rules.write_text(f"local all loader scram-sha-256\n{rules.read_text()}")
        admin.execute("SELECT pg_reload_conf()")
    return server


@pytest.fixture
def toggl() -> Iterator[StandIn]:
    """A Toggl account whose token is the canary, and whose answers hold secrets of their own."""
    account = small_account(Clock(ticking=True))
    account.user |= {"api_token": OTHERS[0]}
    for workspace in account.workspaces:
        workspace |= {"api_token": OTHERS[0], "ical_url": f"/ical/{OTHERS[1]}"}
    with StandIn(account, plan="none", token=TOKEN) as standin:
        yield standin


def rows_of(project: Project) -> str:
    """Return every row of every table, as text."""
    tables = project.ask(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    return "\n".join(row for (table,) in tables for (row,) in project.ask(f"SELECT t::text FROM {table} t"))


def archive_of(project: Project) -> str:
    """Return the whole raw archive, unpacked."""
    files = sorted((project.root / "data" / "bronze").rglob("*.singer.zst"))
    unpacked = (zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read() for file in files)
    return "\n".join(content.decode(errors="replace") for content in unpacked)


def files_of(folder: Path, pattern: str) -> str:
    """Return the content of the files of *folder*, the installed plugins left out."""
    files = (path for path in folder.rglob(pattern) if path.is_file() and "venv" not in path.parts)
    return "\n".join(path.read_bytes().decode(errors="replace") for path in files)


def test_no_secret_is_left_behind_by_runs_that_go_wrong(
    project: Project, server: embedded.Server, toggl: StandIn
) -> None:
    (project.root / ".env").write_text(f"TOGGL_API_KEY={TOKEN}\nPG_PASS={PASSWORD}\n")
    project.define("tap-leaky", TAPS / "leaky.py", settings=[{"name": "note"}])
    settings = {
        "PG_HOST": str(server.socket_dir),
        "PG_USER": "loader",
        "TAP_TOGGL_API_URL": toggl.url,
        "TAP_LEAKY_NOTE": NOTE,
    }
    runs = Runs(project, settings)
    address = f"postgresql://loader:{{}}@/bronze?host={quote(str(server.socket_dir))}"

    for wrong in ({"PG_PASS": WRONG}, {"TARGET_POSTGRES_SQLALCHEMY_URL": address.format(WRONG)}):
        code, said = runs.run("tap-leaky", **wrong)
        assert code != 0
        assert "the password is wrong" in said
    code, said = runs.run("tap-toggl", TOGGL_API_KEY=WRONG, MELTANO_CLI_LOG_LEVEL="debug")
    assert code != 0
    assert "refused the API token" in said
    toggl.inject("/projects", Answer(500, f"{TOKEN} is confused", plain=True), Answer(400, TOKEN))
    code, said = runs.run("tap-toggl", TARGET_POSTGRES_SQLALCHEMY_URL=address.format(PASSWORD))
    assert code != 0
    assert "/projects" in said
    code, said = runs.run("tap-leaky")
    assert code != 0
    assert "leaky.notes: " in said

    rows, archive = rows_of(project), archive_of(project)
    places = {
        "printed": runs.printed,
        "arguments": "\n".join(runs.arguments),
        "Meltano's files": files_of(project.root / ".meltano", "*"),
        "server's log": files_of(server.data_dir, "server.log*"),
        "rows": rows,
        "archive": archive,
    }
    assert {place: found_in(text, SECRETS) for place, text in places.items() if found_in(text, SECRETS)} == {}
    quiet = ("printed", "arguments", "server's log")
    assert {place for place in quiet if found_in(places[place], (NOTE,))} == set()

    # What was searched was really there.
    assert re.search(r"tap-toggl.*--config", places["arguments"])
    assert "Studio" in rows
    assert "Studio" in archive
    assert found_in(rows, (NOTE,)), "in bronze_leaky and in the dead letters"
    assert found_in(archive, (NOTE,))
