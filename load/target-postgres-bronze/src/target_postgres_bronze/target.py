"""The loader as singer-sdk knows targets: its settings, ``--about``, and a way in for the SDK's command line and tests."""

from __future__ import annotations

import copy
import io
import sys
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final

from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.singerlib.encoding import SimpleSingerReader
from singer_sdk.target_base import Target
from target_postgres.target import TargetPostgres
from typing_extensions import override

from target_postgres_bronze import project
from target_postgres_bronze.pipeline import run_loader
from target_postgres_bronze.settings import OWN_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.helpers.capabilities import CapabilitiesEnum

#: The settings of target-postgres that say where the database is; the others shape tables, which sql/ does here.
_CONNECTION: Final = ("host", "port", "user", "password", "database", "sqlalchemy_url", "ssh_tunnel")
_SECRETS: Final = ("password", "sqlalchemy_url", "ssl_client_private_key")
#: Left open here: with them set, nobody could tell "use the embedded server" from a server on the default port.
_WITHOUT_DEFAULT: Final = ("port",)


def _settings() -> dict[str, Any]:
    theirs = copy.deepcopy(TargetPostgres.config_jsonschema["properties"])
    settings = {
        name: schema for name, schema in theirs.items() if name in _CONNECTION or name.startswith("ssl_")
    }
    for name in _SECRETS:
        settings[name] |= {"secret": True, "writeOnly": True}
    for name in _WITHOUT_DEFAULT:
        settings[name].pop("default", None)
    return {"type": "object", "properties": {**settings, **OWN_SETTINGS}}


class _WholeRunReader(SimpleSingerReader):
    """Hands all messages to the loader's own way, which takes bytes and not parsed lines."""

    target: TargetPostgresBronze

    @override
    def process_lines(
        self, file_input: IO[str] | None, callbacks: dict[str, Callable[[dict[str, Any]], None]]
    ) -> Counter[str]:
        out: IO[bytes] = getattr(sys.stdout, "buffer", None) or _TextOut()  # type: ignore[assignment]
        try:
            env = project.environment()
        except project.ProjectError as error:
            sys.exit(str(error))
        code = run_loader(self.target.config, file_input or sys.stdin, out, env)
        if code:
            sys.exit(code)
        return Counter()


class _TextOut(io.RawIOBase):
    """Writes bytes to a standard output that takes text only."""

    @override
    def write(self, data: Any) -> int:
        return sys.stdout.write(bytes(data).decode())

    @override
    def flush(self) -> None:
        sys.stdout.flush()


class TargetPostgresBronze(Target):
    """Lands raw payloads in bronze_<source>: versions, provenance, monthly partitions."""

    name = "target-postgres-bronze"
    package_name = "target-postgres-bronze"
    config_jsonschema: ClassVar[dict[str, Any]] = _settings()
    capabilities: ClassVar[list[CapabilitiesEnum]] = [PluginCapabilities.ABOUT]

    def __init__(self, **options: Any) -> None:
        """Make the target; *options* are those of `singer_sdk.Target`."""
        reader = _WholeRunReader()
        reader.target = self
        super().__init__(**options, message_reader=reader, setup_mapper=False)

    @override
    def process_endofpipe(self) -> None:
        """Do nothing: the run has closed its own books."""

    @classmethod
    @override
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add nothing: the SDK's settings shape tables, which sql/ does here."""
