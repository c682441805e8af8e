"""What leaves a raw tap: payload, provenance, annotations, absence, bookmarks."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tap_kit import Raw, RawStream, RawTap, TapError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from singer_sdk import Stream

START = "2100-01-01T00:00:00+00:00"


class Things(RawStream):
    name = "things"
    primary_keys = ("id",)
    schema = {  # noqa: RUF012 - the SDK's way to declare a schema
        "type": "object",
        "properties": {"id": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}},
        "required": ["id"],
    }
    records: Iterable[dict[str, Any]] = ()

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:  # noqa: ARG002
        yield from self.records


class ThingsTap(RawTap):
    name = "tap-things"
    package_name = "tap-kit"
    config_jsonschema = {  # noqa: RUF012 - the SDK's way to declare settings
        "type": "object",
        "properties": {
            "region": {"type": "string"},
            "token": {"type": "string", "secret": True},
            "login": {"type": "object", "properties": {"user": {}, "password": {"writeOnly": True}}},
        },
    }
    stream_types: tuple[type[Stream], ...] = (Things,)

    def discover_streams(self) -> list[Stream]:
        return [stream_type(self) for stream_type in self.stream_types]


Messages = list[dict[str, Any]]


@pytest.fixture
def synced(capsys: pytest.CaptureFixture[str]) -> Callable[..., Messages]:
    """Run a tap with one kind of stream in this process; gives its messages."""

    def sync(*stream_types: type[Stream], **options: Any) -> Messages:
        tap = type("Tap", (ThingsTap,), {"stream_types": stream_types})(**options)
        tap.sync_all()
        return [json.loads(line, parse_float=Decimal) for line in capsys.readouterr().out.splitlines()]

    return sync


def stream(**members: Any) -> type[Things]:
    return type("Stream", (Things,), members)


def of(messages: Messages, kind: str) -> Messages:
    return [message for message in messages if message["type"] == kind]


def kinds(messages: Messages) -> list[str]:
    return [message["type"] for message in messages]


def test_a_payload_leaves_with_its_undeclared_fields_and_every_digit(synced: Callable[..., Messages]) -> None:
    payload = {"id": 2**70, "Undeclared": {"deep": [Decimal("1.10"), None]}, "at": "yesterday"}
    (record,) = of(synced(stream(records=[payload])), "RECORD")
    assert record["record"] == payload
    assert "provenance" not in record


def test_provenance_travels_beside_the_payload(synced: Callable[..., Messages]) -> None:
    (record,) = of(synced(stream(records=[Raw({"id": 1}, {"file_path": "a.zip/b.json"})])), "RECORD")
    assert record["record"] == {"id": 1}
    assert record["provenance"] == {"file_path": "a.zip/b.json"}


def test_a_partition_is_not_written_into_the_payload(synced: Callable[..., Messages]) -> None:
    kind = stream(records=[{"id": 1}], partitions=[{"workspace": 7}])
    assert of(synced(kind), "RECORD")[0]["record"] == {"id": 1}


def test_declared_secrets_are_replaced_and_named(synced: Callable[..., Messages]) -> None:
    payload = {"id": 1, "token": "hush", "all": [{"key": "hush"}, {"key": None}, {}]}
    kind = stream(records=[payload], secrets=("/token", "/all/*/key", "/absent"))
    (record,) = of(synced(kind), "RECORD")
    assert record["record"] == {
        "id": 1,
        "token": "[redacted]",
        "all": [{"key": "[redacted]"}, {"key": None}, {}],
    }
    assert record["provenance"] == {"redacted": ["/token", "/all/0/key"]}


def test_annotations_and_public_settings_are_in_the_schema_message(synced: Callable[..., Messages]) -> None:
    kind = stream(source_timestamp="at", volatile=("/seen", "/items/*/seen"), absence="full")
    config = {"region": "eu", "token": "hush", "login": {"user": "me", "password": "hush"}, "unknown": "hush"}
    (schema,) = of(synced(kind, config=config), "SCHEMA")
    tap = schema["schema"].pop("x-tap")
    assert {name: value for name, value in schema["schema"].items() if name.startswith("x-")} == {
        "x-absence": "full",
        "x-source-timestamp": "at",
        "x-volatile": ["/seen", "/items/*/seen"],
    }
    assert tap["name"] == "tap-things"
    assert tap["settings"] == {"region": "eu", "login": {"user": "me"}}


def test_a_full_stream_is_closed_after_its_records(synced: Callable[..., Messages]) -> None:
    messages = synced(stream(records=[{"id": 1}], absence="full"))
    told = [message for message in messages if message["type"] != "STATE"]
    assert kinds(told) == ["SCHEMA", "RECORD", "ACTIVATE_VERSION"]
    assert told[1]["version"] == told[2]["version"]


def test_a_stream_without_absence_is_not_closed(synced: Callable[..., Messages]) -> None:
    messages = synced(stream(records=[{"id": 1}]), config={"emit_activate_version_messages": True})
    assert "ACTIVATE_VERSION" not in kinds(messages)


class Gappy(Things):
    absence = "full"

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:  # noqa: ARG002
        yield {"id": 1}
        self.report_gap("things: the second half is locked. Unlock it.")


def test_a_stream_with_a_gap_is_not_closed(synced: Callable[..., Messages]) -> None:
    messages = synced(Gappy)
    assert "RECORD" in kinds(messages)
    assert "ACTIVATE_VERSION" not in kinds(messages)


def test_an_error_leaves_the_stream_open(
    synced: Callable[..., Messages], capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> Iterable[dict[str, Any]]:
        yield {"id": 1}
        raise TapError("the disk is gone")

    with pytest.raises(TapError):
        synced(stream(records=broken(), absence="full"))
    assert "ACTIVATE_VERSION" not in capsys.readouterr().out


def test_a_dry_run_leaves_the_stream_open(capsys: pytest.CaptureFixture[str]) -> None:
    records = [{"id": 1}, {"id": 2}]
    tap_type = type("Tap", (ThingsTap,), {"stream_types": (stream(records=records, absence="full"),)})
    tap_type().run_connection_test()
    assert "ACTIVATE_VERSION" not in capsys.readouterr().out


class Windowed(Things):
    absence = "window"
    fail_in: str | None = None

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:  # noqa: ARG002
        for number, (start, end) in enumerate([("2024-01-01", "2024-02-01"), ("2024-02-01", "2024-03-01")]):
            with self.window(start, end, {"workspace_id": 7}):
                yield {"id": number}
                if self.fail_in == start:
                    self.report_gap("things: a page is missing.")


def test_each_window_is_announced_and_closed(synced: Callable[..., Messages]) -> None:
    told = [message for message in synced(Windowed) if message["type"] != "STATE"]
    assert kinds(told) == ["SCHEMA", *(["SCHEMA", "RECORD", "ACTIVATE_VERSION"] * 2)]
    empty = told[0]["schema"]["x-absence-window"]
    assert empty["from"] == empty["to"]
    assert told[4]["schema"]["x-absence-window"] == {
        "from": "2024-02-01",
        "to": "2024-03-01",
        "match": {"workspace_id": 7},
    }


def test_a_window_with_a_gap_stays_open_and_the_next_one_closes(synced: Callable[..., Messages]) -> None:
    told = [m for m in synced(type("W", (Windowed,), {"fail_in": "2024-01-01"})) if m["type"] != "STATE"]
    assert kinds(told) == ["SCHEMA", "SCHEMA", "RECORD", "SCHEMA", "RECORD", "ACTIVATE_VERSION"]


class Parents(Things):
    name = "parents"
    records = ({"id": 1}, {"id": 2})
    absence = "full"

    def get_child_context(self, record: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG002
        return {"parent": record["id"]}


class Children(Things):
    name = "children"
    parent_stream_type = Parents
    absence = "full"

    def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
        assert context is not None
        yield {"id": context["parent"] * 10}


def test_children_are_closed_once_after_the_last_parent(synced: Callable[..., Messages]) -> None:
    messages = synced(Parents, Children)
    closed = [message["stream"] for message in of(messages, "ACTIVATE_VERSION")]
    assert closed == ["parents", "children"]
    last_record = max(i for i, kind in enumerate(kinds(messages)) if kind == "RECORD")
    assert kinds(messages).index("ACTIVATE_VERSION") > last_record
    assert [r["record"] for r in of(messages, "RECORD") if r["stream"] == "children"] == [
        {"id": 10},
        {"id": 20},
    ]


def test_the_bookmark_is_the_newest_moment_whatever_the_offsets(synced: Callable[..., Messages]) -> None:
    records = [
        {"id": 1, "at": "2024-03-01T09:00:00+09:00"},
        {"id": 2, "at": "2024-03-01T01:00:00+00:00"},
        {"id": 3, "at": None},
        {"id": 4},
        {"id": 5, "at": "2024-03-01T08:00:00+09:00"},
    ]
    state = of(synced(stream(records=records, replication_key="at")), "STATE")[-1]["value"]
    assert state["bookmarks"]["things"]["replication_key_value"] == "2024-03-01T01:00:00+00:00"


def test_a_bookmark_never_moves_back(synced: Callable[..., Messages]) -> None:
    bookmark = {"replication_key": "at", "replication_key_value": "2024-05-01T00:00:00Z"}
    kind = stream(records=[{"id": 1, "at": "2024-03-01T00:00:00Z"}], replication_key="at")
    state = of(synced(kind, state={"bookmarks": {"things": bookmark}}), "STATE")[-1]["value"]
    assert state["bookmarks"]["things"]["replication_key_value"] == "2024-05-01T00:00:00Z"


def test_a_record_from_the_future_does_not_carry_the_bookmark_there(synced: Callable[..., Messages]) -> None:
    kind = stream(records=[{"id": 1, "at": START}], replication_key="at")
    state = of(synced(kind), "STATE")[-1]["value"]
    assert state["bookmarks"]["things"]["replication_key_value"] < START


def test_a_gap_keeps_the_bookmark_where_it_was(synced: Callable[..., Messages]) -> None:
    class Dated(Gappy):
        replication_key = "at"

        def get_records(self, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:
            for record in super().get_records(context):
                yield {**record, "at": "2024-03-01T00:00:00Z"}

    state = of(synced(Dated), "STATE")[-1]["value"]
    assert "replication_key_value" not in state["bookmarks"]["things"]


def test_a_deselected_field_is_left_out_and_named(synced: Callable[..., Messages]) -> None:
    catalog = ThingsTap().catalog_dict
    for entry in catalog["streams"][0]["metadata"]:
        entry["metadata"]["selected"] = entry["breadcrumb"] != ["properties", "at"]
    kind = stream(records=[{"id": 1, "at": "x", "other": 2}])
    (record,) = of(synced(kind, catalog=catalog), "RECORD")
    assert record["record"] == {"id": 1, "other": 2}
    assert record["provenance"] == {"deselected": ["/at"]}
