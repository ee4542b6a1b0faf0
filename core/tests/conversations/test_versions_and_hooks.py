"""Migration of the agent's data on load, and hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from agentkeep import ConfigurationError, Conflict, Keep, NewMessage, Session, StateTooNew
from agentkeep.conversations import Conversation, Hooks, SessionManager, ValidateData
from pydantic import BaseModel, ValidationError

pytestmark = pytest.mark.anyio


async def store_old(keep: Keep, version: int | None) -> None:
    await keep.sessions.create("s", user_id="ann", state={"name": "Ann B"}, schema_version=version)


def split_name(data: dict[str, Any], from_version: int | None) -> dict[str, Any]:
    assert from_version in (None, 1)
    first, _, last = data.pop("name").partition(" ")
    return data | {"first": first, "last": last}


async def split_name_later(data: dict[str, Any], from_version: int | None) -> dict[str, Any]:
    await asyncio.sleep(0)
    return split_name(data, from_version)


@pytest.mark.parametrize("migrate", [split_name, split_name_later])
@pytest.mark.parametrize("stored", [None, 1])
@pytest.mark.parametrize("verb", ["get", "get_or_create", "resume_latest", "reload"])
async def test_old_data_is_migrated_on_load_and_stored(keep: Keep, migrate: Any, stored: int | None, verb: str) -> None:
    await store_old(keep, stored)
    manager = SessionManager(keep, user_id="ann", schema_version=2, migrate=migrate)
    if verb == "reload":
        old = await SessionManager(keep, user_id="ann").get("s")
        conversation = Conversation(keep, old.session, manager.settings)
        await conversation.reload()
    else:
        conversation = await getattr(manager, verb)(*(["s"] if verb != "resume_latest" else []))
    assert conversation.id == "s"
    assert conversation.data == {"first": "Ann", "last": "B"}
    session = await keep.sessions.get("s")
    assert (session.state, session.schema_version) == (conversation.data, 2)


async def test_racing_loads_migrate_once(keep: Keep) -> None:
    await store_old(keep, 1)
    manager = SessionManager(keep, schema_version=2, migrate=split_name_later)
    version = (await keep.sessions.get("s")).version
    loaded = await asyncio.gather(*(manager.get("s") for _ in range(5)))
    assert {conversation.session.version for conversation in loaded} == {version + 1}


async def test_new_sessions_have_the_version(keep: Keep) -> None:
    def never(data: dict[str, Any], from_version: int | None) -> dict[str, Any]:
        raise AssertionError("a new session is up to date")

    manager = SessionManager(keep, schema_version=2, migrate=never)
    assert (await manager.get_or_create("new")).session.schema_version == 2


async def test_newer_data_and_a_missing_migrate_are_refused(keep: Keep) -> None:
    await store_old(keep, 3)
    with pytest.raises(StateTooNew) as caught:
        await SessionManager(keep, schema_version=2, migrate=split_name).get("s")
    assert (caught.value.found, caught.value.known) == (3, 2)
    with pytest.raises(ConfigurationError, match="give the manager a `migrate`"):
        await SessionManager(keep, schema_version=4).get("s")
    assert (await keep.sessions.get("s")).state == {"name": "Ann B"}


async def test_a_failing_migrate_changes_nothing(keep: Keep) -> None:
    await store_old(keep, 1)
    before = await keep.sessions.get("s")

    def broken(data: dict[str, Any], from_version: int | None) -> dict[str, Any]:
        data.clear()
        raise KeyError("name")

    with pytest.raises(KeyError):
        await SessionManager(keep, schema_version=2, migrate=broken).get("s")
    assert await keep.sessions.get("s") == before


class Recording(Hooks):
    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    async def before_load(self, session_id: str) -> None:
        self.events.append(("before_load", session_id))

    async def after_load(self, session: Session) -> None:
        self.events.append(("after_load", session.id))

    async def before_append(self, conversation: Conversation, messages: Sequence[NewMessage]) -> None:
        self.events.append(("before_append", [message.content for message in messages]))

    async def after_append(self, conversation: Conversation, appended: Any) -> None:
        self.events.append(("after_append", [message.seq for message in appended]))

    async def before_save(self, conversation: Conversation, data: dict[str, Any]) -> None:
        self.events.append(("before_save", dict(data)))
        data["a hook"] = "may not change it"

    async def after_save(self, conversation: Conversation, session: Session) -> None:
        self.events.append(("after_save", session.state))

    async def on_conflict(self, conversation: Conversation, conflict: Conflict) -> None:
        self.events.append(("on_conflict", conflict.kind))


async def test_hooks_run_around_loads_and_writes(keep: Keep) -> None:
    hooks = Recording()
    manager = SessionManager(keep, hooks=hooks)
    conversation = await manager.get_or_create("s")
    async with conversation.turn() as turn:
        turn.add("user", "Hi")
        turn.set_data({"a": 1})
    await conversation.reload()
    assert hooks.events == [
        ("before_load", "s"),
        ("after_load", "s"),
        ("before_append", ["Hi"]),
        ("before_save", {"a": 1}),
        ("after_append", [1]),
        ("after_save", {"a": 1}),
        ("before_load", "s"),
        ("after_load", "s"),
    ]


async def test_on_conflict_runs_before_a_write_is_tried_again(keep: Keep) -> None:
    hooks = Recording()
    mine = await SessionManager(keep, hooks=[hooks]).get_or_create("s")
    await keep.sessions.update("s", state={"theirs": 1})
    hooks.events.clear()
    await mine.set_data({"mine": 2})
    assert [name for name, _ in hooks.events] == [
        "before_save",
        "on_conflict",
        "before_load",
        "after_load",
        "before_save",
        "after_save",
    ]
    assert hooks.events[-2] == ("before_save", {"theirs": 1, "mine": 2})


class Order(BaseModel):
    size: int


def is_small(data: dict[str, Any]) -> None:
    if data["size"] > 10:
        raise ValueError("too large")


async def is_small_later(data: dict[str, Any]) -> None:
    await asyncio.sleep(0)
    is_small(data)


@pytest.mark.parametrize(
    ("check", "error"), [(Order, ValidationError), (is_small, (ValueError, TypeError)), (is_small_later, Exception)]
)
async def test_an_exception_refuses_the_write(keep: Keep, check: Any, error: Any) -> None:
    conversation = await SessionManager(keep, hooks=ValidateData(check)).get_or_create("s")
    await conversation.set_data({"size": 3})
    before = await keep.sessions.get("s")
    with pytest.raises(error):
        await conversation.set_data({"size": "large"})
    with pytest.raises(error):  # noqa: PT012 - the block's end raises
        async with conversation.turn() as turn:
            turn.add("user", "Hi")
            turn.set_data({"size": "large"})
    assert await keep.sessions.get("s") == before
    assert conversation.data == {"size": 3}


async def test_an_exception_refuses_messages(keep: Keep) -> None:
    class NoSecrets(Hooks):
        async def before_append(self, conversation: Conversation, messages: Sequence[NewMessage]) -> None:
            if any("secret" in str(message.content) for message in messages):
                raise PermissionError

    conversation = await SessionManager(keep, hooks=NoSecrets()).get_or_create("s")
    with pytest.raises(PermissionError):
        await conversation.add_message("user", "a secret")
    assert await conversation.history() == []


async def test_a_load_can_be_refused(keep: Keep) -> None:
    class Blocked(Hooks):
        async def before_load(self, session_id: str) -> None:
            raise PermissionError(session_id)

    manager = SessionManager(keep, hooks=Blocked())
    with pytest.raises(PermissionError):
        await manager.get_or_create("s")
    assert await keep.sessions.find("s") is None
