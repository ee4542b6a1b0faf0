"""How a log came about makes no difference to who reads it (READ-1 to READ-3, CNT-1).

An adapter may keep new messages apart from old ones, large ones from small ones, and copies from originals.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import product
from typing import Any

import pytest
from agentkeep import Keep, Message, View
from msgspec.structs import replace

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.families.order_paging import all_pages
from agentkeep_conformance.samples import said

_LARGE = 300_000
"""Characters: several of them fill a document or a page of a database."""


class Log:
    """A session, and the messages that it must hold, from the answers of its writes alone."""

    def __init__(self, keep: View, id: str) -> None:
        self.keep, self.id = keep, id
        self.messages: list[Message] = []

    async def say(self, count: int = 1, *, size: int = 0, **options: Any) -> None:
        """Append a batch, with `truncate_after` or `keep_last`. The first one makes the session."""
        batch = [said(f"{len(self.messages)}.{number} {'x' * size}") for number in range(count)]
        made: dict[str, Any] = {} if self.messages else {"create": {}}
        appended = await self.keep.messages.append(self.id, batch, **made, **options)
        if "truncate_after" in options:
            self.messages = [message for message in self.messages if message.seq <= options["truncate_after"]]
        self.messages += appended
        if "keep_last" in options:
            self.messages = self.messages[-options["keep_last"] :]

    async def say_each(self, counts: Iterable[int]) -> None:
        for count in counts:
            await self.say(count)

    async def redact(self, index: int) -> None:
        changed = await self.keep.messages.update(self.id, self.messages[index].id, content=f"redacted {index}")
        self.messages[index] = changed


async def _rewound(log: Log) -> None:
    for _ in range(5):
        await log.say_each([1] * 30)
        await log.say(2, truncate_after=log.messages[-7].seq)


async def _rolled(log: Log) -> None:
    for _ in range(140):
        await log.say(keep_last=60)


async def _searched(log: Log) -> None:
    for _ in range(5):
        await log.say_each([1] * 25)
        if log.keep.capabilities.search:
            assert len(await log.keep.messages.search("x", session_id=log.id)) == 0


async def _redacted(log: Log) -> None:
    await log.say_each([1] * 120)
    for index in (0, 39, 40, 63, 64, 95, 96, 119):
        await log.redact(index)
    await log.say_each([1] * 5)


async def _cut(log: Log) -> None:
    await log.say_each([1] * 120)
    await log.keep.messages.truncate(log.id, after_seq=100)
    await log.keep.messages.trim(log.id, keep_last=70)
    await log.keep.messages.pop(log.id)
    log.messages = log.messages[30:99]
    await log.say_each([1, 1, 1])


async def _forked(log: Log) -> None:
    parent = Log(log.keep, "parent")
    await parent.say_each([1] * 90 + [30])
    await log.keep.sessions.fork("parent", new_id=log.id, at_seq=100)
    log.messages = [replace(message, session_id=log.id) for message in parent.messages[:100]]
    await log.say_each([1] * 20)


async def _large(log: Log) -> None:
    for _ in range(6):
        await log.say_each([1] * 8)
        await log.say(size=_LARGE)


SHAPES: dict[str, Callable[[Log], Awaitable[None]]] = {
    "one by one": lambda log: log.say_each([1] * 150),
    "in batches": lambda log: log.say_each([40, 1, 39, 2, 64, 1, 1, 100, 1]),
    "a large batch last": lambda log: log.say_each([1] * 50 + [200]),
    "large messages among small ones": _large,
    "rewound": _rewound,
    "rolled": _rolled,
    "searched meanwhile": _searched,
    "redacted": _redacted,
    "cut": _cut,
    "forked": _forked,
}


class LogShapes:
    @proves("READ-1", "READ-2", "READ-3", "ORD-3", "CNT-1")
    @pytest.mark.parametrize("shape", SHAPES)
    async def test_a_log_is_read_alike_however_it_came_about(self, keep: Keep, twin: Keep, shape: str) -> None:
        log = Log(keep, "s")
        await SHAPES[shape](log)
        for reader in (keep, twin):
            await _reads_as(reader, log.messages)

    @proves("CNT-1", "ORD-1")
    @pytest.mark.parametrize("shape", SHAPES)
    async def test_a_log_is_cut_alike_however_it_came_about(self, keep: Keep, twin: Keep, shape: str) -> None:
        log = Log(keep, "s")
        await SHAPES[shape](log)
        last_seq = log.messages[-1].seq
        for size in (len(log.messages) * 2 // 3, 17, 2):
            kept = log.messages[:size]
            assert await keep.messages.truncate("s", after_seq=kept[-1].seq) == len(log.messages) - size
            log.messages = kept
            session = await twin.sessions.get("s")
            assert (session.message_count, session.last_seq) == (size, last_seq)
            assert session.last_message_at == kept[-1].created_at
            assert await twin.messages.tail("s", 1_000) == kept
        assert await keep.messages.clear("s") == 2
        session = await twin.sessions.get("s")
        assert (session.message_count, session.last_message_at) == (0, None)

    @proves("CNT-1", "ORD-1", "ORD-6")
    @pytest.mark.parametrize("shape", SHAPES)
    async def test_a_log_rolls_alike_however_it_came_about(self, keep: Keep, twin: Keep, shape: str) -> None:
        """With gaps among the numbers, which a cut leaves before what is said next."""
        log = Log(keep, "s")
        await SHAPES[shape](log)
        for size in (len(log.messages) * 2 // 3, 17, 5):
            await log.say(3, truncate_after=log.messages[-4].seq)
            assert await keep.messages.trim("s", keep_last=size) == len(log.messages) - size
            log.messages = log.messages[-size:]
            assert await keep.messages.pop("s") == log.messages.pop()
            await log.say(2, keep_last=size - 1)
            session = await twin.sessions.get("s")
            assert (session.message_count, session.last_seq) == (size - 1, log.messages[-1].seq)
            assert await twin.messages.tail("s", 1_000) == log.messages


async def _reads_as(keep: Keep, expected: Sequence[Message]) -> None:
    session = await keep.sessions.get("s")
    assert (session.message_count, session.last_seq) == (len(expected), expected[-1].seq)
    assert session.last_message_at == expected[-1].created_at
    for n in (1, 10, 50, 1_000):
        assert await keep.messages.tail("s", n) == expected[-n:]
    read = partial(keep.messages.list, "s")
    quarters = [expected[len(expected) * number // 4].seq for number in range(4)]
    windows = [(0, None), (0, quarters[2]), (quarters[1], None), (quarters[1], quarters[3])]
    for (after, before), limit, newest_first in product(windows, (10, 33), (False, True)):
        window = [each for each in expected if each.seq > after and (before is None or each.seq < before)]
        found = await all_pages(read, limit, after=after, before=before, newest_first=newest_first)
        assert found == (window[::-1] if newest_first else window), (after, before, limit, newest_first)
    by_id = {message.id: message for message in expected}
    assert await keep.messages.get_many("s", list(by_id)) == by_id
