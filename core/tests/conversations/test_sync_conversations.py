"""The twins in `agentkeep.sync`."""

from __future__ import annotations

import _thread
import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from agentkeep import conversations, sync
from agentkeep._blocking import Blocking
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


class _Twin:
    """Stands for the asynchronous object and for the runner: keeps what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        return partial(self._note, name)

    def run(self, result: Any) -> Any:
        return result

    def _note(self, name: str, /, *args: Any, **fields: Any) -> _Twin:
        self.calls.append((name, args, fields))
        return self


CALLS_BACK = {"retry", "stream"}
"""What these are given is a caller's function, which they call themselves."""


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SyncSessionManager, conversations.SessionManager),
        (SyncConversation, conversations.Conversation),
        (SyncTurn, conversations.Turn),
    ],
)
def test_every_argument_reaches_the_asynchronous_twin(ours: type[Blocking[Any]], theirs: type[object]) -> None:
    verbs = {name for name in vars(ours) if not name.startswith("_")} - CALLS_BACK
    for name in [name for name in verbs if inspect.isfunction(vars(ours)[name])]:
        twin = cast("Any", _Twin())
        face = ours.__new__(ours)
        Blocking.__init__(face, twin, twin)  # pyright: ignore[reportUnknownMemberType]
        args, fields, expected = every_argument_of(getattr(ours, name))
        getattr(face, name)(*args, **fields)
        called, given, named = twin.calls[0]
        assert called == name
        assert inspect.signature(getattr(theirs, name)).bind(None, *given, **named).arguments == expected, name


def test_a_manager_is_made_with_every_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = _Twin()
    monkeypatch.setattr("agentkeep._sync_conversations.SessionManager", twin.made)
    _, fields, _ = every_argument_of(SyncSessionManager.__init__)
    SyncSessionManager(cast("Any", SimpleNamespace(asynchronous="keep", runner=None)), **fields)
    assert twin.calls == [("made", ("keep",), fields)]


def every_argument_of(verb: Callable[..., Any]) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """A value of its own for each parameter, as they are given, and all of them as they are bound."""
    args: list[Any] = []
    fields: dict[str, Any] = {}
    bound: dict[str, Any] = {"self": None}
    for parameter in list(inspect.signature(verb).parameters.values())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            fields["name"] = "the name"
            bound[parameter.name] = {"name": "the name"}
        elif parameter.kind is parameter.KEYWORD_ONLY:
            fields[parameter.name] = bound[parameter.name] = f"the {parameter.name}"
        else:
            args.append(f"the {parameter.name}")
            bound[parameter.name] = args[-1]
    return args, fields, bound


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
