"""What all streams of Garmin Connect share: identity, provenance, and failures that stay with their stream."""

from __future__ import annotations

from abc import abstractmethod
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from singer_sdk.singerlib.json import deserialize_json
from typing_extensions import override

from tap_garmin.connect import NotAvailableError
from tap_kit import Raw, RawStream, TapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_garmin.account import Account
    from tap_garmin.connect import Answer, Connect
    from tap_garmin.tap import TapGarmin


_NEWER = "Garmin may have changed it: look for a newer tap-garmin."
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What an answer of another shape trips; nobody promises the shape of an answer."""


class GarminStream(RawStream):
    """A stream with a schema in ``schemas/<name>.json`` and a state that moves by :meth:`remember` alone."""

    _tap: TapGarmin

    keys: ClassVar[Sequence[str]] = ()

    def __init__(self, tap: TapGarmin) -> None:
        """Read the schema."""
        text = files("tap_garmin").joinpath("schemas", f"{self.name}.json").read_text(encoding="utf-8")
        super().__init__(tap, schema=deserialize_json(text))
        self.primary_keys = self.keys

    def remember(self, **values: Any) -> None:
        """Move the state, and send it if the last one is old; everything that it covers has been yielded before.

        The state of a large account takes half a megabyte, and a step of it a second: sent each time, it would be
        most of what is sent.
        """
        self.stream_state.update(values)
        if self._tap.is_state_due():
            self.send_state()

    def send_state(self) -> None:
        """Send the state."""
        self.state_manager.is_flushed = False
        self._write_state_message()

    def settle(self, error: Exception) -> None:
        """Note that a part was not read; what is no matter of rights fails the run at its end."""
        sentence = f"{self.name}: {error}"
        if not isinstance(error, NotAvailableError):
            self._tap.fail_on_gaps = True  # type: ignore[misc] # this run's alone
        self.report_gap(sentence)

    @override
    def _increment_stream_state(self, latest_record: Any, *, context: Any = None) -> None:
        """Leave the state: no field tells up to where a stream is complete."""

    @override
    def _write_starting_replication_value(self, context: Any) -> None:
        """Leave the state."""


class ConnectStream(GarminStream):
    """A part of the account at Garmin Connect. Subclasses give ``read``, a generator of records.

    What stops one stream does not stop the others; a refusal to go on (sign-in, rate) stops the run.
    """

    takes_turns: ClassVar[bool] = True
    """Whether it may be long, so that what was not read for the longest time comes first."""

    @property
    def connect(self) -> Connect:
        """The connection."""
        return self._tap.connect

    @property
    def account(self) -> Account:
        """The account."""
        return self._tap.account

    @property
    @override
    def selected(self) -> bool:
        """Not, where there is no token and files are named to be read."""
        return bool(self.mask.get((), True)) and self._tap.uses_connect

    @selected.setter
    def selected(self, value: bool | None) -> None:
        RawStream.selected.fset(self, value)  # type: ignore[attr-defined] # the base class's property

    @abstractmethod
    def read(self) -> Iterator[Raw]:
        """Yield the records that are due."""

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        try:
            yield from self.read()
        except (NotAvailableError, FatalAPIError, RetriableAPIError) as error:
            self.settle(error)
        except TapError:
            self.send_state()  # the run ends here
            raise
        except _ODD as error:
            self.settle(_unforeseen(error))

    def close(self) -> None:
        """Note that what each run reads was read to its end."""
        self.stream_state["closed"] = self.account.now.isoformat()

    def record(self, answer: Answer, item: Any, **provenance: Any) -> Raw:
        """Wrap an object of an answer; the account is part of its identity.

        Raises:
            FatalAPIError: It is no object.
        """
        if not isinstance(item, dict):
            raise odd_shape(answer)
        told = {name: value for name, value in provenance.items() if value is not None}
        return Raw(item, {**answer.provenance, "account": self.account.id, **told})


def whole(records: Iterable[Raw]) -> list[Raw]:
    """Take all records of an answer, or none.

    Raises:
        FatalAPIError: The answer has another shape than was ever seen.
    """
    try:
        return list(records)
    except _ODD as error:
        raise _unforeseen(error) from error


def _unforeseen(error: Exception) -> FatalAPIError:
    return FatalAPIError(f"an answer has another shape than is known here ({type(error).__name__}). {_NEWER}")


def listed(answer: Answer, *steps: str) -> list[dict[str, Any]]:
    """Give the objects of a list that lies at *steps* in the answer; "nothing" is an empty list.

    Raises:
        FatalAPIError: There is something else.
    """
    content = answer.content
    for step in steps:
        if content is None:
            return []
        if not isinstance(content, dict):
            raise odd_shape(answer)
        content = content.get(step)
    if content is None or content == {}:
        return []
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise odd_shape(answer)
    return content


def odd_shape(answer: Answer) -> FatalAPIError:
    """Make the error of an answer that has another shape than was ever seen."""
    return FatalAPIError(
        f"{answer.provenance['api_endpoint']} answered in a shape that is not known here. {_NEWER}"
    )
