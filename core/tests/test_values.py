"""What users get back are values: equal by their fields, copied, pickled, JSON-ready, and fields of pydantic models."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from agentkeep import Appended, Health, Hit, Message, NewMessage, Page, Resumed, Session
from fastapi import Body, FastAPI
from pydantic import BaseModel, TypeAdapter, ValidationError

NOON = datetime(2026, 11, 28, 12, 0, 0, 1, tzinfo=UTC)
SESSION = Session(
    id="s1",
    tenant="default",
    user_id="ann",
    agent_name=None,
    title="Où?",
    status="active",
    current_route=None,
    current_step=None,
    state={"big": 2**70, "one": 1.0, "list": [1, None, {"a": True}]},
    metadata={"plan": "gold"},
    counters={"input_tokens": 812},
    parent_id=None,
    forked_at_seq=None,
    version=7,
    schema_version=None,
    message_count=1,
    last_seq=1,
    created_at=NOON,
    updated_at=NOON,
    last_message_at=NOON,
    completed_at=None,
    ends_at=NOON + timedelta(days=1),
    idle_ttl=timedelta(seconds=90, milliseconds=500),
    expires_at=NOON + timedelta(seconds=90),
)
MESSAGE = Message(
    id="m1",
    session_id="s1",
    seq=1,
    role="assistant",
    content=[{"type": "text", "text": "Hi"}],
    name=None,
    user_id=None,
    tool_calls=[{"id": "c1"}],
    tool_call_id=None,
    turn_id="t1",
    route=None,
    step=None,
    event={"kept": ["verbatim", -0.5]},
    metadata={},
    created_at=NOON,
)
NEW = NewMessage(role="user", content="Hi", id="m2", created_at=NOON)
PAGE = Page(items=[MESSAGE], next_cursor="abc", has_more=True)
HIT = Hit(message=MESSAGE, score=0.5, highlights=["**Hi**"])
HEALTH = Health(
    adapter="memory", server="Python", schema_version=None, durability="process", latency=timedelta(microseconds=1500),
    warnings=[],
)  # fmt: skip
APPENDED = Appended([MESSAGE], version=7, last_seq=1, new=1)
RESUMED = Resumed(session=SESSION, messages=[MESSAGE])
VALUES: list[tuple[Any, Any]] = [
    (Session, SESSION),
    (Message, MESSAGE),
    (NewMessage, NEW),
    (Page[Message], PAGE),
    (Page[Session], Page(items=[SESSION], next_cursor=None, has_more=False)),
    (Hit, HIT),
    (Health, HEALTH),
    (Appended, APPENDED),
    (Resumed, RESUMED),
]
each_value = pytest.mark.parametrize(("kind", "value"), VALUES, ids=[str(kind) for kind, _ in VALUES])


@each_value
def test_pickles_and_copies_are_equal(kind: Any, value: Any) -> None:
    for twin in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):  # noqa: S301
        assert twin == value
        assert type(twin) is type(value)


@pytest.mark.parametrize(
    ("value", "field", "changed"),
    [(SESSION, "title", "New"), (MESSAGE, "seq", 2), (NEW, "id", "m3"), (PAGE, "has_more", False), (HIT, "score", 1.0),
     (HEALTH, "server", "x"), (APPENDED, "new", 0), (RESUMED, "messages", [])],
)  # fmt: skip
def test_a_replaced_copy_has_one_other_field(value: Any, field: str, changed: object) -> None:
    replace = copy.replace if sys.version_info >= (3, 13) else _replace
    other = replace(value, **{field: changed})
    assert getattr(other, field) == changed
    assert other != value
    assert replace(other, **{field: getattr(value, field)}) == value


def _replace(value: Any, **changes: Any) -> Any:
    return (value._replace if hasattr(value, "_replace") else value.__replace__)(**changes)


@each_value
def test_what_to_dict_returns_is_json_and_comes_back_as_an_equal_value(kind: Any, value: Any) -> None:
    adapter = TypeAdapter(kind)
    as_dict = value.to_dict()
    text = json.dumps(as_dict, allow_nan=False)
    assert adapter.validate_python(as_dict) == value
    assert adapter.validate_json(text) == value
    assert adapter.validate_python(value) is value
    assert adapter.dump_python(value, mode="json") == as_dict
    assert json.loads(adapter.dump_json(value)) == as_dict
    assert adapter.validate_python(adapter.dump_python(value)) == value


@each_value
def test_its_json_schema_names_each_field(kind: Any, value: Any) -> None:
    for mode in ("validation", "serialization"):
        schema = TypeAdapter(kind).json_schema(mode=mode)
        found = schema if "properties" in schema else schema["$defs"][schema["$ref"].rpartition("/")[2]]
        assert set(found["properties"]) == set(value.to_dict())


def test_times_carry_their_zone_and_durations_are_seconds() -> None:
    made = SESSION.to_dict()
    assert made["created_at"] == "2026-11-28T12:00:00.000001Z"
    assert made["idle_ttl"] == 90.5
    assert HEALTH.to_dict()["latency"] == 0.0015


def test_what_to_dict_returns_can_be_changed_without_changing_the_value() -> None:
    made = SESSION.to_dict()
    made["state"]["list"].append(2)
    assert SESSION.state["list"] == [1, None, {"a": True}]


def test_a_value_is_a_field_of_a_model() -> None:
    class Reply(BaseModel):
        session: Session
        page: Page[Message]
        last: Message | None = None

    reply = Reply(session=SESSION, page=PAGE)
    assert Reply.model_validate_json(reply.model_dump_json()) == reply
    assert reply.model_dump(mode="json")["session"] == SESSION.to_dict()
    assert reply.model_dump()["session"]["created_at"] == NOON


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("created_at", "2026-11-28T12:00:00"), ("status", "done"), ("version", "x"), ("idle_ttl", "soon"), ("surplus", 1)],
)
def test_a_model_refuses_what_is_no_session(field: str, wrong: object) -> None:
    with pytest.raises(ValidationError, match=field):
        TypeAdapter(Session).validate_python(SESSION.to_dict() | {field: wrong})


def test_a_model_turns_times_to_utc_and_fills_defaults() -> None:
    in_rome = NOON.astimezone(timezone(timedelta(hours=1)))
    new = TypeAdapter(NewMessage).validate_json(json.dumps({"role": "user", "created_at": in_rome.isoformat()}))
    assert new == NewMessage(role="user", created_at=NOON)
    assert new.created_at is not None
    assert new.created_at.tzinfo is UTC


def test_fastapi_takes_and_returns_values() -> None:
    app = FastAPI()

    @app.post("/messages")
    def post(message: Annotated[NewMessage, Body()]) -> Message:  # pyright: ignore[reportUnusedFunction]
        assert isinstance(message, NewMessage)
        return msgspec.structs.replace(MESSAGE, content=message.content)

    @app.get("/messages", response_model=Page[Message])
    def get() -> object:  # pyright: ignore[reportUnusedFunction]
        return PAGE

    @app.get("/resumed")
    def resumed() -> Resumed:  # pyright: ignore[reportUnusedFunction]
        return RESUMED

    async def talk() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            posted = await client.post("/messages", json={"role": "user", "content": "Hello"})
            assert posted.json() == MESSAGE.to_dict() | {"content": "Hello"}
            assert (await client.post("/messages", json={"content": "no role"})).status_code == 422
            assert (await client.get("/messages")).json() == PAGE.to_dict()
            assert (await client.get("/resumed")).json() == RESUMED.to_dict()
            schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
            assert {"Message", "NewMessage", "Page_Message_", "Resumed", "Session"} <= set(schemas)
            assert schemas["Session"]["properties"]["created_at"]["format"] == "date-time"

    asyncio.run(talk())


class TestAppended:
    def test_it_is_a_sequence_of_messages(self) -> None:
        assert len(APPENDED) == 1
        assert APPENDED[0] is MESSAGE
        assert APPENDED[:1] == (MESSAGE,)
        assert list(APPENDED) == [MESSAGE]
        assert MESSAGE in APPENDED
        assert [message.seq for message in reversed(APPENDED)] == [1]

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError, match="version"):
            APPENDED.version = 8  # pyright: ignore[reportAttributeAccessIssue]
        with pytest.raises(AttributeError, match="new"):
            del APPENDED.new
        with pytest.raises(TypeError):
            hash(APPENDED)

    def test_equal_means_all_of_it(self) -> None:
        assert Appended([MESSAGE], version=7, last_seq=1, new=1) == APPENDED
        assert Appended([MESSAGE], version=8, last_seq=1, new=1) != APPENDED
        assert Appended([], version=7, last_seq=1, new=1) != APPENDED
        assert APPENDED != [MESSAGE]
        assert "version=7" in repr(APPENDED)


def test_resumed_unpacks_like_a_tuple() -> None:
    session, messages = RESUMED
    assert session is SESSION
    assert messages == [MESSAGE]
