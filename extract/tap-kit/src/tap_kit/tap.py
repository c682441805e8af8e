"""The tap of raw streams, and a command line that tells errors in one sentence."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import contextmanager
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import CapabilitiesEnum, PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import JSONSchemaValidator, SingerCommand
from typing_extensions import override

from tap_kit.client import Client
from tap_kit.errors import TOLD, TapError
from tap_kit.jsontext import loads
from tap_kit.messages import ExactWriter
from tap_kit.settings import explain, public_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from logging import Logger
    from types import FrameType

    import click

# what the SDK imports is not garbage: Python's last look through it takes a tenth of a second, and Meltano starts a tap twice for a run
atexit.register(gc.freeze)


class RawTap(Tap):
    """A Singer tap whose records are what the source sent."""

    message_writer_class = ExactWriter

    # Mapping, flattening and batches would change or bypass the payload.
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    fail_on_gaps: ClassVar[bool] = False
    """Whether a run with a part that could not be read ends with exit code 1, after everything else landed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`singer_sdk.Tap`."""
        self.gaps: list[str] = []
        super().__init__(*args, **kwargs)

    @cached_property
    def client(self) -> Client:
        """The HTTP client of all streams; override to give it the service's pace."""
        return Client()

    @property
    def identity(self) -> dict[str, Any]:
        """What each SCHEMA message says of the tap: name, version, settings without secrets.

        ``reports_completion`` announces that a run that succeeds ends with a STATE message that says so.
        """
        return {
            "name": self.name,
            "version": self.plugin_version,
            "settings": public_settings(self.config_jsonschema, self.config),
            "reports_completion": True,
        }

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the settings against their schema; messages name settings and rules, never values."""
        declared = self.config_jsonschema.get("properties", {})
        for name in sorted(self._config.keys() - declared.keys()):
            self.logger.warning(
                "Setting '%s' is not known and has no effect. Known are: %s.", name, ", ".join(declared)
            )
        self._config = {name: value for name, value in self._config.items() if name in declared}
        validator = JSONSchemaValidator(self.config_jsonschema)
        errors = [
            explain(list(error.path), str(error.validator), error.validator_value, self.name)
            for error in validator.iter_errors(self._config)
        ]
        if errors and raise_errors:
            raise ConfigValidationError(" ".join(errors), errors=errors)
        return errors

    @classmethod
    @override
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add none: the SDK's own settings are of mapping, flattening and batches."""

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Stop at once and say so: the SDK would write a state amid a record and end with exit code 0."""
        sys.exit(128 + signum)

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the settings files; what is no JSON object is told by file and position."""
        try:
            return super().cb_config(ctx, param, value)
        except FileNotFoundError:
            raise
        except (OSError, ValueError, TypeError) as error:
            reason = {OSError: f"unreadable ({error})", ValueError: f"not JSON ({error})"}
            told = next((text for kind, text in reason.items() if isinstance(error, kind)), "no JSON object")
            raise TapError(f"The settings in {', '.join(value)} are {told}. Give a JSON object.") from None

    @classmethod
    @override
    def invoke(cls, *, about: bool = False, about_format: str | None = None, **kwargs: Any) -> None:
        """Run the tap as the SDK does; end with exit code 1 where gaps are to fail the run."""
        os.umask(0o077)  # what is written is the caller's alone
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        config = kwargs["config"]
        tap = cls(
            config=config.config,
            state=_read(kwargs["state"], "state"),
            catalog=_read(kwargs["catalog"], "catalog"),
            parse_env_config=config.parse_env,
        )
        tap.sync_all()
        if tap.gaps and tap.fail_on_gaps:
            cls.logger.error(
                "Not everything could be read (warnings above: %d). The rest was sent.", len(tap.gaps)
            )
            sys.exit(1)
        tap.report_completion()

    def report_completion(self) -> None:
        """Write that everything was sent, so that the loader can tell a failed tap from one that has finished."""
        if isinstance(self.message_writer, ExactWriter):
            self.message_writer.write_completion()

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        sdk = super().get_singer_command()
        command = RawCommand(
            name=sdk.name,
            callback=sdk.callback,
            context_settings=sdk.context_settings,
            params=sdk.params,
            logger=cls.logger,
        )
        command.help = sdk.help
        return command


class RawCommand(SingerCommand):
    """A command that tells what a person can put right in one sentence, and shows tracebacks of bugs only."""

    @override
    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with told_in_one_sentence(self.logger):  # --discover and --test run while the options are read
            return super().make_context(*args, **kwargs)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        with told_in_one_sentence(self.logger):
            return super().invoke(ctx)


@contextmanager
def told_in_one_sentence(logger: Logger) -> Iterator[None]:
    """Log the errors that a person can act on without traceback, and end with exit code 1."""
    try:
        yield
    except ConfigValidationError as error:
        for sentence in error.errors or [str(error)]:
            logger.error("%s", sentence)  # noqa: TRY400 - no traceback on purpose
    except TOLD as error:
        logger.error("%s", error)  # noqa: TRY400 - no traceback on purpose
    else:
        return
    sys.exit(1)


def _read(file: IO[str] | None, what: str) -> dict[str, Any] | None:
    """Read the JSON object that came with ``--state`` or ``--catalog``."""
    if file is None:
        return None
    try:
        content = loads(file.read())
    except ValueError as error:
        raise TapError(
            f"The {what} file {file.name} is {error}. Give the file that was written before."
        ) from None
    if not isinstance(content, dict):
        raise TapError(f"The {what} file {file.name} holds no JSON object. Give the one written before.")
    return content
