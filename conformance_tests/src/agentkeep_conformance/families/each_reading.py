"""A message and a session are the same through each verb that returns them, whatever they hold (FID-1, FID-3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import Any

from agentkeep import Keep, Message, NewMessage, Session, View
from msgspec.structs import replace

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.families.fidelity import TIMES, exactly
from agentkeep_conformance.families.order_paging import all_pages
from agentkeep_conformance.samples import FULL_SESSION, said
from agentkeep_conformance.tables import STRUCTURES, VALUES

_ALL = 1_000


def _sent() -> list[NewMessage]:
    """One message for each value and each time, in turns."""
    return [
        NewMessage(
            role="user",
            id=f"{number} {row}",
            content="needle" if number % 2 else [{"type": "text", "text": f"needle {number}"}],
            event=value,
            metadata={"k": value},
            tool_calls=[value],
            created_at=TIMES[number % len(TIMES)],
        )
        for number, (row, value) in enumerate(VALUES.items())
        if not isinstance(value, str) or len(value) < 10_000
    ]


async def _watched(keep: View, sent: Sequence[NewMessage]) -> list[Message]:
    async with aclosing(keep.messages.watch("s", after_seq=0)) as messages:
        return [await anext(messages) for _ in sent]


async def _searched(keep: View, sent: Sequence[NewMessage]) -> list[Message]:
    found = await keep.messages.search("needle", session_id="s", limit=_ALL)
    return sorted((hit.message for hit in found), key=lambda message: message.seq)


async def _many(keep: View, sent: Sequence[NewMessage]) -> list[Message]:
    found = await keep.messages.get_many("s", [str(each.id) for each in sent])
    return [found[str(each.id)] for each in sent]


async def _copied(keep: View, sent: Sequence[NewMessage]) -> list[Message]:
    await keep.sessions.fork("s", new_id="copy")
    return [replace(each, session_id="s") for each in await keep.messages.tail("copy", _ALL)]


async def _popped(keep: View, sent: Sequence[NewMessage]) -> list[Message]:
    """The last one, as it takes messages away."""
    popped = [await keep.messages.pop("s") for _ in sent]
    return [message for message in reversed(popped) if message is not None]


READINGS: dict[str, Callable[[View, Sequence[NewMessage]], Awaitable[Sequence[Message]]]] = {
    "list": lambda keep, sent: all_pages(partial(keep.messages.list, "s"), 13),
    "list newest first": lambda keep, sent: _newest_first(keep),
    "iterate": lambda keep, sent: _iterated(keep),
    "tail": lambda keep, sent: keep.messages.tail("s", _ALL),
    "a tail of whole turns": lambda keep, sent: keep.messages.tail("s", _ALL, whole_turns=True),
    "resume": lambda keep, sent: _resumed(keep),
    "get": lambda keep, sent: _each(keep, sent),
    "get_many": _many,
    "the same append again": lambda keep, sent: keep.messages.append("s", sent),
    "watch": _watched,
    "search": _searched,
    "fork": _copied,
    "pop": _popped,
}


async def _newest_first(keep: View) -> list[Message]:
    return (await all_pages(partial(keep.messages.list, "s"), 13, newest_first=True))[::-1]


async def _iterated(keep: View) -> list[Message]:
    return [message async for message in keep.messages.iterate("s")]


async def _resumed(keep: View) -> list[Message]:
    return (await keep.sessions.resume("s", tail=_ALL)).messages


async def _each(keep: View, sent: Sequence[NewMessage]) -> list[Message]:
    return [await keep.messages.get("s", str(each.id)) for each in sent]


def _offers(keep: View, reading: str) -> bool:
    """Whether the adapter declares the capability of that name; other readings need none."""
    return bool(getattr(keep.capabilities, reading, True))


class EachReading:
    @proves("FID-1", "FID-2", "FID-3")
    async def test_a_message_is_the_same_through_each_verb_that_returns_it(self, keep: Keep, twin: Keep) -> None:
        sent = _sent()
        told = await keep.messages.append("s", sent, create={})
        for message, meant in zip(told, sent, strict=True):
            found = (message.content, message.event, message.metadata, message.tool_calls)
            assert exactly(found) == exactly((meant.content, meant.event, meant.metadata, meant.tool_calls))
            assert message.created_at == meant.created_at
        for name, read in READINGS.items():
            if _offers(twin, name):
                assert exactly(list(await read(twin, sent))) == exactly(list(told)), name

    @proves("FID-1", "FID-3", "SES-2")
    async def test_a_session_is_the_same_through_each_verb_that_returns_it(self, keep: Keep, twin: Keep) -> None:
        times = {"ttl": timedelta(days=36_000, microseconds=1), "idle_ttl": timedelta(days=400, microseconds=3)}
        for number, (row, value) in enumerate(STRUCTURES.items()):
            held: dict[str, Any] = {"k": value}
            fields: dict[str, Any] = {**FULL_SESSION, "user_id": row, "state": held, "metadata": held, **times}
            await keep.sessions.create(row, **fields)
            said_then = said(created_at=TIMES[number % len(TIMES)])
            await keep.messages.append(row, [said_then], update={"current_route": "r", "current_step": "s"})
            meant = await keep.sessions.update(row, add={"a": 1, "b.c": 1 - 2**53})
            assert exactly((meant.state, meant.metadata)) == exactly((held, held))
            for name, read in SESSION_READINGS.items():
                assert exactly(await read(twin, row)) == exactly(meant), name


async def _of_resume(keep: View, id: str) -> Session:
    return (await keep.sessions.resume(id)).session


async def _of_get_many(keep: View, id: str) -> Session:
    return (await keep.sessions.get_many([id]))[id]


async def _of_iterate(keep: View, id: str) -> Session:
    [found] = [session async for session in keep.for_user(id).sessions.iterate()]
    return found


SESSION_READINGS: dict[str, Callable[[View, str], Awaitable[Session | None]]] = {
    "get": lambda keep, id: keep.sessions.get(id),
    "find": lambda keep, id: keep.sessions.find(id),
    "get_or_create": lambda keep, id: keep.sessions.get_or_create(id),
    "find_active": lambda keep, id: keep.sessions.find_active(id),
    "get_many": _of_get_many,
    "resume": _of_resume,
    "iterate": _of_iterate,
}
