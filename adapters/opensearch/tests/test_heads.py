"""Which appends need not read their session first, counted at the socket, and what a cut leaves of such an append."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from agentkeep import Keep, NewMessage, OutcomeUnknown
from agentkeep_conformance.proxy import Fault, Proxy
from agentkeep_opensearch import heads

pytestmark = pytest.mark.anyio

_NEW = [NewMessage(role="user", content="x")]


async def _trips(proxy: Proxy, call: Awaitable[Any]) -> int:
    proxy.reset()
    await call
    return proxy.traffic.round_trips


async def test_an_append_after_a_write_of_the_same_process_takes_two(keep: Keep, proxy: Proxy, writer: Keep) -> None:
    append = writer.messages.append
    await writer.sessions.create("s")
    assert await _trips(proxy, append("s", _NEW)) == 2
    assert await _trips(proxy, append("s", _NEW * 4, update={"title": "t"}, add={"n": 1})) == 2
    await writer.sessions.update("s", state={"n": 1})
    assert await _trips(proxy, append("s", _NEW, expected_last_seq=5)) == 2
    await append("s", _NEW, keep_last=3)
    assert await _trips(proxy, append("s", _NEW)) == 2
    await writer.messages.truncate("s", after_seq=6)
    assert await _trips(proxy, append("s", _NEW)) == 2
    session, messages = await keep.sessions.resume("s")
    assert [each.seq for each in messages] == [5, 6, 9]
    assert (session.message_count, session.last_seq, session.title, session.state) == (3, 9, "t", {"n": 1})


async def test_an_append_with_ids_that_may_be_stored_takes_three(proxy: Proxy, writer: Keep) -> None:
    await writer.sessions.create("s")
    await writer.messages.append("s", _NEW)
    for id in ("m1", uuid4().hex[:31], "0" * 32):
        message = NewMessage(role="user", id=id)
        assert await _trips(proxy, writer.messages.append("s", [message])) == 3
        assert (await writer.messages.append("s", [message])).new == 0


async def test_after_an_append_of_another_process_sessions_are_read_for_a_while(
    keep: Keep, proxy: Proxy, writer: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lost commit costs two more, so it must not come again at once."""
    await writer.messages.append("s", _NEW, create={})
    await keep.messages.append("s", _NEW)
    assert await _trips(proxy, writer.messages.append("s", _NEW)) == 5
    await keep.messages.append("s", _NEW)
    for _ in range(2):
        assert await _trips(proxy, writer.messages.append("s", _NEW)) == 3
    monkeypatch.setattr(heads, "_SECONDS", 0.0)
    await writer.messages.append("s", _NEW)
    monkeypatch.undo()
    assert await _trips(proxy, writer.messages.append("s", _NEW)) == 2
    assert [each.seq for each in await keep.messages.tail("s", 10)] == [1, 2, 3, 4, 5, 6, 7, 8]


async def test_a_head_that_is_old_is_not_used(proxy: Proxy, writer: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    await writer.messages.append("s", _NEW, create={})
    monkeypatch.setattr(heads, "_SECONDS", -1.0)
    assert await _trips(proxy, writer.messages.append("s", _NEW)) == 3


_CUTS: dict[str, Callable[[Proxy], Any]] = {
    "the commit's reply": lambda proxy: proxy.arm(Fault.CUT_BEFORE_REPLY, nth=1),
    "the move's reply": lambda proxy: proxy.arm(Fault.CUT_BEFORE_REPLY, nth=2),
}


@pytest.mark.parametrize("lost", _CUTS)
async def test_a_lost_reply_doubles_nothing(keep: Keep, proxy: Proxy, writer: Keep, lost: str) -> None:
    await writer.messages.append("s", _NEW, create={})
    _CUTS[lost](proxy)
    await writer.messages.append("s", _NEW)
    proxy.restore()
    await writer.messages.append("s", _NEW)
    assert [each.seq for each in await keep.messages.tail("s", 10)] == [1, 2, 3]


async def test_after_a_commit_that_was_not_moved_the_session_is_read(keep: Keep, proxy: Proxy, writer: Keep) -> None:
    """The messages stand in the session's document alone; the next append must not take them out of it."""
    await writer.messages.append("s", _NEW, create={})
    proxy.arm(Fault.CUT_BEFORE_SEND, nth=2, then_refuse=True)
    with pytest.raises(OutcomeUnknown):
        await writer.messages.append("s", [NewMessage(role="user", content="pending")])
    proxy.restore()
    await writer.messages.append("s", _NEW)
    assert [each.content for each in await keep.messages.tail("s", 10)] == ["x", "pending", "x"]


@pytest.mark.parametrize(
    ("ids", "newest", "is_new"),
    [
        (["0" * 31 + "2"], "0" * 31 + "1", True),
        (["0" * 31 + "1"], "0" * 31 + "1", False),
        (["0" * 31 + "2", "0" * 32], "0" * 31 + "1", False),
        (["f" * 31], "", False),
        (["F" * 32], "", False),
        (["f" * 32], "", True),
        (["f" * 32], None, False),
        ([], "", True),
    ],
)
def test_ids_are_new_if_they_are_later_than_all_of_cores_form(ids: list[str], newest: str | None, is_new: bool) -> None:
    assert heads.are_new(ids, newest) is is_new


def test_ids_of_another_form_are_never_the_newest() -> None:
    assert heads.newest_id("0" * 32, ["1" * 31, "z", "F" * 32]) == "0" * 32
    assert heads.newest_id("0" * 32, ["1" * 32, "zz"]) == "1" * 32
    assert heads.newest_id(None, ["1" * 32]) is None
