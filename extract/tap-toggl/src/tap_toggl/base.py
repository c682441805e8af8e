"""What all streams of the tap share: reading under limits, and a state that never runs ahead."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from singer_sdk.singerlib.json import deserialize_json
from typing_extensions import override

from tap_kit import Raw, RawStream
from tap_kit.errors import AnswerError
from tap_toggl.client import NotAvailableError, PaidFeatureError, QuotaUsedUpError
from tap_toggl.moments import is_due, since_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tap_toggl.account import Account
    from tap_toggl.client import Answer, Toggl
    from tap_toggl.tap import TapToggl

WHOLE_EVERY = timedelta(hours=20)
"""How often lists are read whole; a daily run that starts a little early still does so."""


_UNEXPECTED_SHAPES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading an answer of an unexpected shape raises."""


class TogglStream(RawStream):
    """A part of the account.

    Subclasses give ``read``, a generator of records that may call :meth:`remember` once what it remembers was
    yielded. Whatever stops one stream does not stop the others; a stream that is a paid feature is
    asked for again a day later (``closed`` in its state).
    """

    _tap: TapToggl

    keys: ClassVar[Sequence[str]] = ()
    changed_at: ClassVar[str | None] = None
    """Field that moves with each change; told to the loader as the replication key."""

    def __init__(self, tap: TapToggl) -> None:
        """Read the schema, which lies in ``schemas/<stream>.json``."""
        text = files("tap_toggl").joinpath("schemas", f"{self.name}.json").read_text(encoding="utf-8")
        super().__init__(tap, schema=deserialize_json(text))
        self.primary_keys = self.keys
        self.replication_key = self.changed_at
        self._read_whole = False

    @property
    def toggl(self) -> Toggl:
        """The connection."""
        return self._tap.toggl

    @property
    def account(self) -> Account:
        """User and workspaces."""
        return self._tap.account

    @abstractmethod
    def read(self) -> Iterator[Raw]:
        """Yield the records that are due, in whatever order they come."""

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        try:
            self._keep_to_account()
            if is_due(self.stream_state.get("closed"), self.account.now, WHOLE_EVERY):
                for record in self.read():
                    record.provenance["account"] = self.account.name
                    yield record
        except PaidFeatureError as error:
            self.settle(error)
            self.remember(closed=self.account.now.isoformat())
        except (NotAvailableError, QuotaUsedUpError, FatalAPIError, RetriableAPIError) as error:
            self.settle(error)
        except _UNEXPECTED_SHAPES as error:
            self.settle(
                FatalAPIError(
                    f"an answer has another shape than is known here ({type(error).__name__}). Look for a newer tap-toggl."
                )
            )

    def _keep_to_account(self) -> None:
        """Forget the state if it belongs to another account, whose changes say nothing about this one."""
        known = self.stream_state.get("account", self.account.name)
        if known != self.account.name:
            self.logger.warning("%s: the token belongs to another account; reading everything.", self.name)
            self.stream_state.clear()
        self.stream_state["account"] = self.account.name

    def settle(self, error: Exception) -> None:
        """Note that a part was not read; what is no matter of rights or quota fails the run at its end."""
        sentence = f"{self.name}: {error}"
        if not isinstance(error, NotAvailableError | QuotaUsedUpError):
            self._tap.failures.append(sentence)
            self._tap.fail_on_gaps = True  # type: ignore[misc] # this run's alone, other gaps are no failure
        self.report_gap(sentence)

    def ask_since(self, path: str, bookmark: datetime | None) -> Answer | None:
        """Ask what changed since the bookmark, overlap included; None where Toggl refuses the question."""
        since = since_of(bookmark, self.account.now)
        try:
            return self.toggl.get(path, since=int(since.timestamp()))
        except AnswerError as error:
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
            self.logger.warning("%s Reading everything instead.", error)
            return None

    def remember(self, **values: Any) -> None:
        """Move the state and send it; everything that it covers has been yielded before."""
        self.stream_state.update(values)
        self.state_manager.is_flushed = False
        self._write_state_message()

    def records(self, answer: Answer, items: Iterable[dict[str, Any]] | None = None) -> Iterator[Raw]:
        """Wrap the objects of an answer, or some of them, with its provenance."""
        for item in answer.items() if items is None else items:
            yield Raw(item, answer.provenance)

    @override
    def _close(self, *, complete: bool) -> None:
        super()._close(complete=complete and self._read_whole)

    # The state is moved by remember() alone.

    @override
    def _increment_stream_state(self, latest_record: Any, *, context: Any = None) -> None:
        """Leave the state: the answers are not ordered by what they are asked for."""

    @override
    def _write_starting_replication_value(self, context: Any) -> None:
        """Leave the state: ``start_date`` says which entries are wanted, not since when changes are."""
