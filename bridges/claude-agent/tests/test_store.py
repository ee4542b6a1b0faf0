"""Agentkeep's store under the Claude Agent SDK: the SDK's own suite, and what it does not ask, on every database."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from agentkeep import Keep, OutcomeUnknown, View
from agentkeep.messages import Messages
from agentkeep_claude_agent import AgentkeepSessionStore
from claude_agent_sdk import SessionKey, get_session_messages_from_store, list_sessions_from_store
from claude_agent_sdk.testing import run_session_store_conformance

pytestmark = pytest.mark.anyio
KEY: SessionKey = {"project_key": "p", "session_id": "11111111-1111-4111-8111-111111111111"}
SUB: SessionKey = {**KEY, "subpath": "subagents/agent-1"}


@pytest.fixture
def store(view: View) -> AgentkeepSessionStore:
    return AgentkeepSessionStore(view)


def entry(uuid: str | None = None, **fields: Any) -> Any:
    return {"type": "user", **({"uuid": uuid} if uuid else {}), **fields}


async def test_the_sdks_own_suite_of_14_contracts(keep: Keep) -> None:
    await run_session_store_conformance(lambda: AgentkeepSessionStore(keep.for_tenant(uuid4().hex)))


async def test_resent_batches_are_stored_once(view: View, store: AgentkeepSessionStore) -> None:
    batch = [entry(str(n), n=n) for n in range(4)]
    await store.append(KEY, batch)
    await store.append(KEY, batch)
    await store.append(KEY, [batch[3], entry("4", n=4), entry("4", n=4)])
    await store.append(SUB, batch)
    await store.append(SUB, batch)
    assert [found["n"] for found in await store.load(KEY) or []] == [0, 1, 2, 3, 4]  # type: ignore[typeddict-item]
    assert await store.load(SUB) == batch
    await store.append(KEY, [entry(n=9)])
    await store.append(KEY, [entry(n=9)])  # without a uuid: a new entry each time
    assert len(await store.load(KEY) or []) == 7


async def test_entries_of_any_kind_come_back_equal(store: AgentkeepSessionStore) -> None:
    odd = [
        entry("a/b", text="half an emoji \ud83d", n=2**70, deep={"a.b": [1, 1.0, None]}),
        entry("x" * 400, role=None, message={"role": "assistant", "content": [{"type": "text", "text": "hi"}]}),
        {"type": "queue-operation", "agentkeep:json": "1"},
    ]
    await store.append(KEY, odd)  # type: ignore[arg-type]
    assert await store.load(KEY) == odd


async def test_more_entries_than_one_append_takes(store: AgentkeepSessionStore) -> None:
    batch = [entry(str(n)) for n in range(2_500)]
    await store.append(KEY, batch)
    assert await store.load(KEY) == batch


async def test_two_processes_lose_no_entry_and_no_summary(view: View) -> None:
    async def writer(name: str) -> None:
        store = AgentkeepSessionStore(view)
        for number in range(5):
            await store.append(KEY, [entry(f"{name}{number}")])
        await store.append(KEY, [entry(f"{name}-end", **{f"{name}Branch": 1, "gitBranch": name})])

    await asyncio.gather(*(writer(name) for name in "abcd"))
    store = AgentkeepSessionStore(view)
    loaded = [found.get("uuid") for found in await store.load(KEY) or []]
    assert len(loaded) == len(set(loaded)) == 24
    [summary] = await store.list_session_summaries("p")
    last = [found for found in await store.load(KEY) or [] if "gitBranch" in found][-1]
    assert summary["data"]["git_branch"] == last["gitBranch"]  # type: ignore[typeddict-item]


async def test_a_lost_reply_is_asked_again_and_stored_once(store: AgentkeepSessionStore) -> None:
    append, lost = Messages.append, iter([True, False])

    async def losing(*arguments: Any, **options: Any) -> Any:
        landed = await append(*arguments, **options)
        if next(lost, False):
            raise OutcomeUnknown("the reply was lost")
        return landed

    with patch.object(Messages, "append", losing):
        await store.append(KEY, [entry(n=1), entry("u", n=2)])
    assert [found["n"] for found in await store.load(KEY) or []] == [1, 2]  # type: ignore[typeddict-item]


async def test_tokens_are_counted_once_for_each_answer(view: View, store: AgentkeepSessionStore) -> None:
    answer = {"role": "assistant", "id": "msg_1", "usage": {"input_tokens": 7, "output_tokens": 2}}
    batch = [entry("1", message=answer), entry("2", message=answer), entry("3", message={"role": "user"})]
    await store.append(KEY, batch)
    await store.append(KEY, batch)
    [session] = (await view.sessions.list()).items
    assert session.counters == {"input_tokens": 7, "output_tokens": 2}
    assert [message.role async for message in view.messages.iterate(session.id)] == ["assistant", "assistant", "user"]


async def test_the_sdk_reads_it(store: AgentkeepSessionStore) -> None:
    session_id = KEY["session_id"]
    talk = [
        entry(str(uuid4()), sessionId=session_id, timestamp="2026-11-28T12:00:00.000Z", parentUuid=None,
              message={"role": "user", "content": "A window seat, please"}),
    ]  # fmt: skip
    await store.append(KEY, talk)
    assert await store.list_subkeys(KEY) == []
    directory = "/tmp/project"  # noqa: S108 - a name; nothing is opened
    from claude_agent_sdk import project_key_for_directory

    key: SessionKey = {"project_key": project_key_for_directory(directory), "session_id": session_id}
    await store.append(key, talk)
    [info] = await list_sessions_from_store(store, directory=directory)
    assert info.first_prompt == "A window seat, please"
    [message] = await get_session_messages_from_store(store, session_id, directory=directory)
    assert message.uuid == talk[0]["uuid"]


async def test_a_cut_short_delete_can_be_repeated(view: View, store: AgentkeepSessionStore) -> None:
    await store.append(KEY, [entry("1")])
    await store.append(SUB, [entry("2")])
    lost = patch.object(type(view.sessions), "delete", side_effect=OutcomeUnknown("the reply was lost"))
    with lost, pytest.raises(OutcomeUnknown):
        await store.delete(KEY)
    assert await store.load(KEY) is not None
    await store.delete(KEY)
    assert await view.sessions.count() == 0
