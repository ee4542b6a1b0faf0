"""Wrappers compose: an adapter around an adapter, in a few lines (WRAP-1)."""

from __future__ import annotations

from typing import Any

import pytest
from agentkeep import Keep, NewMessage, PersistenceAdapter, connect, sync
from agentkeep.protocol import SupportsMigrations
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep.wrappers import MessagesWrapper, SessionsWrapper, Wrapper, find_ability
from agentkeep_memory import MemoryAdapter

pytestmark = pytest.mark.anyio


class CountingMessages(MessagesWrapper):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        appended = await super().append(scope, append)
        assert isinstance(self.wrapper, Counting)
        self.wrapper.appends += 1
        return appended


class Counting(Wrapper):
    messages_wrapper = CountingMessages
    appends = 0


class Migrated(MemoryAdapter):
    migrated_from = 3

    def migrations_sql(self, *, after: int = 0) -> str:
        return f"-- after {after}"


def verbs(kind: type[Any]) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_every_verb_is_delegated() -> None:
    from agentkeep.protocol import MessageRepository, SessionRepository

    assert verbs(SessionRepository) <= verbs(SessionsWrapper)
    assert verbs(MessageRepository) | {"search", "watch"} <= verbs(MessagesWrapper)
    assert isinstance(Wrapper(MemoryAdapter()), PersistenceAdapter)


async def test_a_wrapper_overrides_one_verb_and_delegates_the_rest() -> None:
    async with connect("memory://", wrap=[Counting]) as keep:
        session = await keep.sessions.create(user_id="ann")
        await keep.messages.append(session.id, [NewMessage(role="user", content="Hello there")])
        assert [message.content for message in await keep.messages.tail(session.id, 5)] == ["Hello there"]
        assert len(await keep.messages.search("hello")) == 1
        watching = keep.messages.watch(session.id, after_seq=0)
        assert (await anext(watching)).seq == 1
        await watching.aclose()
        assert (await keep.health()).adapter == keep.adapter.name == "memory"
        assert isinstance(keep.adapter, Counting)
        assert keep.adapter.appends == 1


async def test_the_first_wrapper_is_the_innermost() -> None:
    class Outer(Wrapper):
        pass

    keep = connect("memory://", wrap=[Counting, Outer])
    outer = keep.adapter
    assert isinstance(outer, Outer)
    assert isinstance(outer.inner, Counting)
    assert isinstance(outer.inner.inner, MemoryAdapter)
    assert repr(outer).startswith("Outer(Counting(")


async def test_repositories_may_be_made_in_open(made_in_open: PersistenceAdapter) -> None:
    async with Keep(Wrapper(Wrapper(made_in_open))) as keep:
        await keep.sessions.create("s")
        assert await keep.sessions.count() == 1


def test_optional_abilities_are_found_through_wrappers() -> None:
    inner = Migrated()
    for adapter in (inner, Wrapper(inner), Wrapper(Counting(inner)), Keep(Counting(inner), own_loop=True).adapter):
        assert find_ability(adapter, SupportsMigrations) is inner
    assert find_ability(Wrapper(MemoryAdapter()), SupportsMigrations) is None


def test_a_sync_keep_takes_wrappers_too() -> None:
    with sync.connect("memory://", wrap=[Counting], own_loop=True) as keep:
        keep.sessions.create("s")
        keep.messages.append("s", [NewMessage(role="user")])
        counting = find_ability(keep.adapter, Counting)
        assert counting is not None
        assert counting.appends == 1
