"""Writers and readers that race on one session, in tasks or in child processes, and record all that they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, islice
from typing import Any, TypeVar

from agentkeep import Conflict, NewMessage, View

from agentkeep_conformance.database import Database
from agentkeep_conformance.history import Event, Recorder, from_json, to_json
from agentkeep_conformance.logs import READ_LIMIT

PROCESSES = 3
START = "start"
"""A session that child processes meet in, so that none begins before all are there."""

T = TypeVar("T")


def batches_of(writer: str) -> Iterator[list[str]]:
    """The ids of a writer's appends, without end: batches of 1, 2, 3, 1, 2, 3, … messages."""
    for number in count():
        yield [f"{writer}.{number}.{part}" for part in range(1 + number % 3)]


def messages_of(ids: Sequence[str]) -> list[NewMessage]:
    return [NewMessage(role="user", id=message_id, content=f"says {message_id}") for message_id in ids]


async def append(
    keep: View, recorder: Recorder, session_id: str, ids: Sequence[str], expected: int | None = None
) -> None:
    """One append, recorded. `expected`: the last seq that it insists on."""
    async with recorder.record("append", {"ids": list(ids), "expected_last_seq": expected}) as recorded:
        stored = await keep.messages.append(session_id, messages_of(ids), expected_last_seq=expected)
        recorded.result = [message.seq for message in stored]


async def read(keep: View, recorder: Recorder, session_id: str, after: int = 0) -> int:
    """All behind `after` in one page, recorded; the last seq seen."""
    seen: list[list[Any]] = []
    async with recorder.record("read", {"after": after}) as recorded:
        page = await keep.messages.list(session_id, after=after, limit=READ_LIMIT)
        seen = recorded.result = [[message.seq, message.id] for message in page.items]
    return seen[-1][0] if seen else after


async def write_all(keep: View, recorder: Recorder, session_id: str, appends: int) -> None:
    for ids in islice(batches_of(recorder.process), appends):
        await append(keep, recorder, session_id, ids)


@asynccontextmanager
async def following(keep: View, recorder: Recorder, session_id: str) -> AsyncGenerator[None, None]:
    """Read what is new, again and again while the body runs, and once when it is done; now and then read all."""
    done = asyncio.Event()
    reader = asyncio.create_task(_follow(keep, recorder, session_id, done))
    try:
        yield
    finally:
        done.set()
        await reader


async def _follow(keep: View, recorder: Recorder, session_id: str, done: asyncio.Event) -> None:
    after = 0
    finished = False
    while not finished:
        finished = done.is_set()
        after = await read(keep, recorder, session_id, after)
        await asyncio.sleep(0.002)
    await read(keep, recorder, session_id)


async def meet(keep: View, who: int, processes: int) -> None:
    """Wait until all child processes have come this far."""
    await keep.messages.append(START, [NewMessage(role="user", id=f"p{who}")])
    async with asyncio.timeout(60):
        while await keep.messages.count(START) < processes:  # noqa: ASYNC110 - it waits for other processes
            await asyncio.sleep(0.01)


async def write_in_child(keep: View, who: int, session_id: str, appends: int, processes: int) -> list[Any]:
    """In a child process: append and follow; the events."""
    writer, reader = Recorder(f"p{who}"), Recorder(f"p{who}-reader")
    await meet(keep, who, processes)
    async with following(keep, reader, session_id):
        await write_all(keep, writer, session_id, appends)
    return to_json([*writer.events, *reader.events])


async def create_in_child(keep: View, who: int, ids: list[str], processes: int) -> dict[str, list[Any]]:
    """In a child process: for each id, what `create` and `get_or_create` say."""
    await meet(keep, who, processes)
    recorder = Recorder(f"p{who}")
    got: list[list[Any]] = []
    for session_id in ids:
        async with recorder.record("create", session_id):
            await keep.sessions.create(session_id)
        session = await keep.sessions.get_or_create(f"got-{session_id}", title=f"p{who}")
        got.append([session.title, session.version])
    return {"created": [event.result or "created" for event in recorder.events], "got": got}


async def count_up_in_child(keep: View, who: int, session_id: str, rounds: int, processes: int) -> list[int]:
    """In a child process: compare-and-swap a counter in the state up; the values that this process won."""
    await meet(keep, who, processes)
    return [await _win(keep, session_id) for _ in range(rounds)]


async def _win(keep: View, session_id: str) -> int:
    while True:
        session = await keep.sessions.get(session_id)
        value = session.state["n"] + 1
        try:
            await keep.sessions.update(session_id, expected_version=session.version, state={"n": value})
        except Conflict:
            continue
        return value


async def first_open_in_child(keep: View, who: int) -> list[int]:
    """In a child process, whose keep has just been opened: use it; the seq that its message got."""
    await keep.sessions.get_or_create("first")
    stored = await keep.messages.append("first", [NewMessage(role="user", id=f"p{who}")])
    return [message.seq for message in stored]


async def in_children(
    database: Database, function: Callable[..., Coroutine[Any, Any, Any]], *args: Any, processes: int = PROCESSES
) -> list[Any]:
    """Run `function(keep, number, *args)` in several processes at once, each with its own instance; the results."""
    child = await database.spawn(function, *args, copies=processes)
    return await child.result()


async def final_log(keep: View, session_id: str) -> list[tuple[int, str]]:
    return [(message.seq, message.id) async for message in keep.messages.iterate(session_id)]


def merged(results: Sequence[Any]) -> list[Event]:
    """The events of several processes in order of their start."""
    return sorted((event for result in results for event in from_json(result)), key=lambda event: event.started)


async def outcomes(calls: Sequence[Awaitable[T]]) -> list[T | BaseException]:
    """All calls at once; each one's result or error."""
    return list(await asyncio.gather(*calls, return_exceptions=True))


async def all_of(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all at once, or the first error when all have ended."""
    results: list[T] = []
    for outcome in await outcomes(list(calls)):
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results
