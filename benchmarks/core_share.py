"""Core's own share of a call: what validation, codec and scope cost beside the adapter's work.

    .venv/bin/python benchmarks/core_share.py

An adapter that does nothing answers at once, so what is left is core. The same calls on memory and SQLite stand beside
it. Microseconds a call, the best of five rounds; only the ratios carry over to another machine.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from agentkeep import Keep, NewMessage, connect
from agentkeep.records import Append, AppendedRecord, MessageRange, MessageRecord, Scope
from agentkeep_memory import MemoryAdapter

CONTENT = "x" * 400
NOW = datetime.now(UTC)
PAYLOAD = f'{{"content":"{CONTENT}"}}'


class Idle:
    """Message verbs that take no time."""

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        draft = append.messages[0]
        record = MessageRecord(id=draft.id, seq=1, role=draft.role, payload=draft.payload, created_at=NOW)
        return AppendedRecord([record], version=1, last_seq=1, new=1)

    async def list(self, scope: Scope, session_id: str, window: MessageRange) -> list[MessageRecord]:
        record = MessageRecord(id="m", seq=1, role="user", payload=PAYLOAD, created_at=NOW)
        return [record] * window.limit


async def microseconds(calls: int, call: Callable[[], Awaitable[Any]]) -> float:
    best = float("inf")
    for _ in range(5):
        started = perf_counter()
        for _ in range(calls):
            await call()
        best = min(best, (perf_counter() - started) / calls)
    return best * 1e6


async def measure(name: str, keep: Keep, calls: int) -> None:
    async with keep:
        session = name if name == "core alone" else (await keep.sessions.create()).id
        append = await microseconds(
            calls, lambda: keep.messages.append(session, [NewMessage(role="user", content=CONTENT)])
        )
        tail = await microseconds(calls, lambda: keep.messages.tail(session, 50))
        print(f"| {name} | {append:.1f} | {tail:.1f} |")


async def main() -> None:
    idle = MemoryAdapter()
    messages: Any = Idle()
    idle.messages = messages
    print("| | append of one 400-byte message, µs | tail of 50, µs |\n|---|---|---|")
    await measure("core alone", Keep(idle), 5_000)
    await measure("memory", connect("memory://"), 5_000)
    with tempfile.TemporaryDirectory() as folder:
        await measure("SQLite, synchronous=FULL", connect(f"sqlite:///{folder}/chat.db"), 500)


if __name__ == "__main__":
    asyncio.run(main())
