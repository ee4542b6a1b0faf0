"""A turn is one commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from agentkeep import Conflict, Keep, NewMessage, OutcomeUnknown, connect
from agentkeep.conversations import Conversation, SessionManager
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep.wrappers import MessagesWrapper, SessionsWrapper, Wrapper

pytestmark = pytest.mark.anyio


class Calls(Wrapper):
    """Names each call of the adapter, and lets appends fail after they landed."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.names: list[str] = []
        self.lost_replies = 0
        self.is_writing, self.may_write = asyncio.Event(), asyncio.Event()
        self.may_write.set()


class _Sessions(SessionsWrapper):
    @property
    def inner(self) -> Any:
        return _Named(super().inner, "sessions", self.wrapper)


class _Messages(MessagesWrapper):
    @property
    def inner(self) -> Any:
        return _Named(super().inner, "messages", self.wrapper)

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        wrapper: Any = self.wrapper
        wrapper.is_writing.set()
        await wrapper.may_write.wait()
        result = await super().append(scope, append)
        if wrapper.lost_replies:
            wrapper.lost_replies -= 1
            raise OutcomeUnknown("the reply was lost")
        return result


class _Named:
    def __init__(self, repository: Any, name: str, wrapper: Any) -> None:
        self._repository, self._name, self._wrapper = repository, name, wrapper

    def __getattr__(self, verb: str) -> Any:
        self._wrapper.names.append(f"{self._name}.{verb}")
        return getattr(self._repository, verb)


Calls.sessions_wrapper = _Sessions
Calls.messages_wrapper = _Messages


@pytest.fixture
async def keep() -> AsyncIterator[Keep]:
    async with connect("memory://", wrap=[Calls]) as keep:
        yield keep


@pytest.fixture
def calls(keep: Keep) -> Calls:
    assert isinstance(keep.adapter, Calls)
    return keep.adapter


@pytest.fixture
async def conversation(keep: Keep) -> Conversation:
    return await SessionManager(keep, agent_name="support", user_id="ann").get_or_create("s")


def contents(messages: Sequence[Any]) -> list[Any]:
    return [message.content for message in messages]


async def test_a_turn_is_one_append_and_nothing_before_it(conversation: Conversation, calls: Calls) -> None:
    calls.names.clear()
    async with conversation.turn() as turn:
        turn.move(route="billing", step="ask")
        turn.add("user", "Hi")
        turn.set_data({"name": "Ann"})
        turn.add("assistant", "Hello")
        turn.add_usage(input_tokens=5, output_tokens=7, cost="0.001")
        assert calls.names == [], "no call, so no connection is held while the model thinks"
    assert calls.names == ["messages.append"]
    stored = await conversation.history()
    assert turn.stored is not None
    assert stored == list(turn.stored)
    assert contents(stored) == ["Hi", "Hello"]
    assert {(m.turn_id, m.route, m.step) for m in stored} == {(turn.id, "billing", "ask")}
    assert [message.id for message in stored] == [f"{turn.id}.0", f"{turn.id}.1"]
    seen = conversation.session
    session = await conversation.reload()
    assert (session.state, session.current_route, session.current_step) == ({"name": "Ann"}, "billing", "ask")
    assert session.counters == {"usage.input_tokens": 5, "usage.output_tokens": 7, "usage.cost_nanos": 1_000_000}
    for field in ("version", "state", "counters", "message_count", "last_seq", "last_message_at", "current_step"):
        assert getattr(seen, field) == getattr(session, field), field


async def test_an_exception_leaves_the_session_as_it_was(conversation: Conversation, keep: Keep) -> None:
    before = await keep.sessions.get("s")
    turn = conversation.turn()
    with pytest.raises(RuntimeError, match="the model broke"):  # noqa: PT012 - the block's end raises
        async with turn:
            turn.add("user", "Hi")
            turn.set_data({"a": 1})
            raise RuntimeError("the model broke")
    assert await keep.sessions.get("s") == before
    assert (conversation.data, conversation.session) == ({}, before)
    assert turn.stored is None


async def test_keep_partial_keeps_what_was_finished_and_marks_it(conversation: Conversation) -> None:
    async def breaking() -> AsyncIterator[str]:
        yield "Hel"
        raise RuntimeError("the model broke")

    with pytest.raises(RuntimeError, match="the model broke"):  # noqa: PT012 - the block's end raises
        async with conversation.turn("t1", keep_partial=True) as turn:
            turn.add("user", "Hi", metadata={"from": "web"})
            turn.add_messages([NewMessage(id="own", role="user", content="Hey", turn_id="theirs")])
            turn.set_data({"a": 1})
            async for _ in turn.stream(breaking()):
                pass
    kept, own = await conversation.history()
    assert (kept.content, kept.metadata) == ("Hi", {"from": "web", "partial": True})
    assert (own.id, own.turn_id) == ("own", "theirs")
    assert (await conversation.reload()).state == {"a": 1}
    async with conversation.turn("t1") as turn:
        turn.add("user", "Hi", metadata={"from": "web"})
        turn.add("assistant", "Hello")
    assert contents(await conversation.history()) == ["Hi", "Hey", "Hi", "Hello"]
    assert contents(await conversation.stored_turn("t1")) == ["Hi", "Hello"]


async def test_keep_partial_also_if_the_task_is_cancelled(conversation: Conversation) -> None:
    begun = asyncio.Event()

    async def talk() -> None:
        async with conversation.turn(keep_partial=True) as turn:
            turn.add("user", "Hi")
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(talk())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert contents(await conversation.history()) == ["Hi"]


async def test_keep_partial_inside_a_cancel_scope_that_cancels_each_await(conversation: Conversation) -> None:
    import anyio

    with anyio.CancelScope() as scope:
        async with conversation.turn(keep_partial=True) as turn:
            turn.add("user", "Hi")
            scope.cancel()
            await anyio.sleep(60)
    assert scope.cancelled_caught
    assert contents(await conversation.history()) == ["Hi"]


@pytest.mark.parametrize("keep_partial", [True, False])
async def test_a_commit_that_is_cancelled(conversation: Conversation, calls: Calls, *, keep_partial: bool) -> None:
    """With keep_partial it is finished all the same; without, nothing of it lands."""
    calls.may_write.clear()

    async def talk() -> None:
        async with conversation.turn(keep_partial=keep_partial) as turn:
            turn.add("user", "Hi")
            turn.add("assistant", "Hello")

    task = asyncio.create_task(talk())
    await calls.is_writing.wait()
    task.cancel()
    await asyncio.sleep(0)
    calls.may_write.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    stored = await conversation.history()
    assert contents(stored) == (["Hi", "Hello"] if keep_partial else [])
    assert all(message.metadata == {} for message in stored), "it is whole"


async def test_a_partial_that_can_not_be_kept_is_a_note(conversation: Conversation, calls: Calls) -> None:
    calls.lost_replies = 1
    with pytest.raises(RuntimeError) as caught:  # noqa: PT012 - the block's end raises
        async with conversation.turn(keep_partial=True) as turn:
            turn.add("user", "Hi")
            raise RuntimeError
    assert "OutcomeUnknown: the reply was lost" in caught.value.__notes__[0]


async def test_a_turn_whose_reply_was_lost_may_be_committed_again(conversation: Conversation, calls: Calls) -> None:
    calls.lost_replies = 1
    turn = conversation.turn()
    with pytest.raises(OutcomeUnknown):  # noqa: PT012 - the block's end raises
        async with turn:
            turn.add("user", "Hi")
            turn.set_data({"a": 1})
            turn.add_usage(input_tokens=5)
    stored = await turn.commit()
    assert stored is not None
    assert await turn.commit() is stored
    session = await conversation.reload()
    assert (session.message_count, session.state) == (1, {"a": 1})
    assert session.counters == {"usage.input_tokens": 5}


async def test_the_same_turn_in_another_process_lands_once(keep: Keep) -> None:
    manager = SessionManager(keep)
    for _ in range(2):
        conversation = await manager.get_or_create("s")
        async with conversation.turn("request-7") as turn:
            turn.add("user", "Hi")
            turn.add_usage(input_tokens=5)
            turn.set_data({"n": len(conversation.data)})
    conversation = await manager.get("s")
    session = conversation.session
    assert (session.message_count, session.counters, session.state) == (1, {"usage.input_tokens": 5}, {"n": 0})
    with pytest.raises(Conflict) as caught:
        async with conversation.turn("request-7") as turn:
            turn.add("user", "Something else")
    assert caught.value.kind == "message_id"
    assert contents(await conversation.stored_turn("request-7")) == ["Hi"]
    assert await conversation.stored_turn("request-8") == []


async def test_a_stored_turn_is_all_of_it_and_no_more(conversation: Conversation) -> None:
    for turn_id in ("a", "b", "c"):
        async with conversation.turn(turn_id) as turn:
            turn.add("user", turn_id)
            turn.add("assistant", turn_id * 2)
    assert contents(await conversation.stored_turn("b")) == ["b", "bb"]


async def test_chunks_are_shown_live_and_the_finished_message_is_stored(conversation: Conversation) -> None:
    async def answer() -> AsyncIterator[str]:
        for chunk in ("Hel", "lo", "!"):
            yield chunk

    shown: list[str] = []
    async with conversation.turn() as turn:
        turn.add("user", "Hi")
        async for chunk in turn.stream(answer(), metadata={"model": "m"}):
            assert len(turn.messages) == 1, "the message is not finished yet"
            shown.append(chunk)
    assert shown == ["Hel", "lo", "!"]
    _, stored = await conversation.history()
    assert (stored.role, stored.content, stored.metadata) == ("assistant", "Hello!", {"model": "m"})


async def test_racing_turns_both_land_whole_and_keep_each_others_data(keep: Keep) -> None:
    manager = SessionManager(keep)
    await manager.get_or_create("s")

    async def talk(n: int) -> None:
        conversation = await manager.get("s")
        async with conversation.turn() as turn:
            turn.add("user", f"q{n}")
            await asyncio.sleep(0)
            turn.set_data({f"k{n}": n})
            turn.add("assistant", f"a{n}")

    await asyncio.gather(*(talk(n) for n in range(6)))
    conversation = await manager.get("s")
    assert conversation.data == {f"k{n}": n for n in range(6)}
    texts = contents(await conversation.history())
    assert [texts[n].replace("q", "a") for n in range(0, 12, 2)] == texts[1::2], "each turn's messages are adjacent"


async def test_messages_of_a_converter_get_ids_and_the_turn(conversation: Conversation) -> None:
    async with conversation.turn("t") as turn:
        added = turn.add_messages(
            [NewMessage(role="user", content="a"), NewMessage(role="user", content="b", id="own")]
        )
    assert [message.id for message in added] == ["t.0", "own"]
    assert {message.turn_id for message in await conversation.history()} == {"t"}


async def test_an_empty_turn_writes_nothing(conversation: Conversation, calls: Calls) -> None:
    calls.names.clear()
    async with conversation.turn() as turn:
        pass
    assert (turn.stored, calls.names) == (None, [])
