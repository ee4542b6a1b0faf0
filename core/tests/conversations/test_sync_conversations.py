"""The twins in `agentkeep.sync`."""

from __future__ import annotations

import _thread
import asyncio
import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from agentkeep import conversations, sync
from agentkeep.records import Append, AppendedRecord, Scope
from agentkeep.sync import SyncConversation, SyncKeep, SyncSessionManager, SyncTurn
from agentkeep.wrappers import MessagesWrapper, Wrapper


@pytest.fixture
def keep() -> Iterator[SyncKeep]:
    with sync.connect("memory://") as keep:
        yield keep


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SyncSessionManager, conversations.SessionManager),
        (SyncConversation, conversations.Conversation),
        (SyncTurn, conversations.Turn),
    ],
)
def test_every_verb_is_there_with_the_same_parameters(ours: type[object], theirs: type[object]) -> None:
    verbs = {name for name in dir(theirs) if not name.startswith("_")}
    assert {name for name in verbs if not hasattr(ours, name)} == set()
    checked = verbs | {"__init__"} if ours is SyncSessionManager else verbs
    for name in checked:
        if inspect.isfunction(getattr(theirs, name)):
            mine, other = (list(inspect.signature(getattr(kind, name)).parameters) for kind in (ours, theirs))
            assert mine == other, name


def test_an_agent_without_await(keep: SyncKeep) -> None:
    manager = SyncSessionManager(keep, agent_name="support", user_id="ann", window=3)
    conversation = manager.resume_latest()
    with conversation.turn("t1") as turn:
        turn.add("user", "Hi")
        assert list(turn.stream(iter(["Hel", "lo"]))) == ["Hel", "lo"]
        turn.set_data({"name": "Ann"})
        turn.move(route="r")
        turn.add_usage(input_tokens=3, cost="0.5")
    assert turn.stored is not None
    assert [message.content for message in conversation.history()] == ["Hi", "Hello"]
    assert conversation.context() == conversation.history()
    assert (conversation.data, conversation.session.current_route) == ({"name": "Ann"}, "r")
    assert conversation.usage().cost_nanos == manager.usage(user_id="ann").cost_nanos == 500_000_000
    assert manager.get(conversation.id).stored_turn("t1") == list(turn.stored)
    assert len(conversation.fork(at=1).history()) == 1
    assert manager.list(status="active").items[0].parent_id == conversation.id
    assert manager.exists(conversation.id)
    assert repr(conversation).startswith("<SyncConversation")
    conversation.complete()
    assert manager.remove(conversation.id)


def test_a_failing_turn(keep: SyncKeep) -> None:
    conversation = SyncSessionManager(keep).get_or_create()
    with pytest.raises(KeyboardInterrupt), conversation.turn() as turn:  # noqa: PT012
        turn.add("user", "lost")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), conversation.turn(keep_partial=True) as turn:  # noqa: PT012
        turn.add("user", "kept")
        raise KeyboardInterrupt
    assert [(message.content, message.metadata) for message in conversation.history()] == [("kept", {"partial": True})]


def test_retry_in_threads(keep: SyncKeep) -> None:
    manager = SyncSessionManager(keep)
    manager.get_or_create("s").set_data({"left": 8})

    def reserve(conversation: SyncConversation) -> None:
        conversation.set_data({"left": conversation.data["left"] - 1})

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(manager.get("s").retry, reserve) for _ in range(8)]:
            done.result()
    assert manager.get("s").data == {"left": 0}


def test_a_summarizer_that_uses_the_keep(keep: SyncKeep) -> None:
    """It runs in a thread, so it may call the keep and wait for a model."""
    conversation = SyncSessionManager(keep).get_or_create()
    for text in ("a", "b", "c"):
        conversation.add_message("user", text)
    chosen = conversation.context(max_messages=2, summarize=lambda messages: f"{keep.sessions.count()} session")
    assert [message.content for message in chosen] == ["1 session", "c"]


class _SlowMessages(MessagesWrapper):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        threading.Timer(0.05, _thread.interrupt_main).start()
        await asyncio.sleep(0.3)
        return await super().append(scope, append)


class _Slow(Wrapper):
    messages_wrapper = _SlowMessages


def test_ctrl_c_during_the_commit() -> None:
    with sync.connect("memory://", wrap=[_Slow]) as keep:
        conversation = SyncSessionManager(keep).get_or_create()
        with pytest.raises(KeyboardInterrupt), conversation.turn(keep_partial=True) as turn:
            turn.add("user", "Hi")
        assert [message.content for message in conversation.history()] == ["Hi"]
