"""A later release moves a prefix to new indices, while processes of this one read and write (LIFE-1, LIFE-4, FLT-1)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agentkeep import Keep, NewMessage
from agentkeep_conformance.failover import check_logs, told_while
from agentkeep_conformance.servers.opensearch import request as ask
from agentkeep_conformance.storage.opensearch import stored_bytes
from agentkeep_opensearch.bulk import GONE

from .migrations import check_ended, left, migrate, next_release, requests_seen

pytestmark = pytest.mark.anyio

_TASKS, _ROUNDS = 2, 6
_PROCESSES = 3


async def test_nothing_acknowledged_is_lost_and_nothing_doubled(keep: Keep, dsn: str, prefix: str) -> None:
    """Some processes of this release append. Three of the next one open at once, so one migrates and two wait."""
    await keep.messages.append("long", [NewMessage(role="user", content="x") for _ in range(200)], create={})
    await keep.sessions.delete("long")

    def fail() -> None:
        async def open_three() -> None:
            await asyncio.gather(*(migrate(dsn, prefix) for _ in range(3)))

        with next_release():
            asyncio.run(open_three())

    told = await told_while([dsn], prefix, fail, 2, processes=_PROCESSES)
    check_ended(dsn, prefix)
    found = await check_logs(keep, told[dsn])
    assert not any(each.not_written or each.unknown for each in told[dsn])
    print(f"{found} messages, longest pause {max(each.longest_pause for each in told[dsn]):.1f} s")


async def test_what_was_removed_during_a_migration_stays_removed(keep: Keep, dsn: str, prefix: str) -> None:
    """Each verb that removes runs all the time, on sessions of its own."""
    ended = asyncio.Event()
    rounds = 0

    async def go_on(number: int) -> None:
        nonlocal rounds
        kept, gone, redacted = (f"{prefix}{name}{number}" for name in ("kept", "gone", "redacted"))
        said = [NewMessage(role="user", content=f"{prefix} {n}", id=f"m{n}") for n in range(4)]
        while not ended.is_set() or rounds < _ROUNDS:
            for session in (kept, gone, redacted):
                await keep.messages.append(session, said, create={}, truncate_after=0)
            assert await keep.messages.truncate(kept, after_seq=(await keep.sessions.get(kept)).last_seq - 2) == 2
            assert await keep.messages.trim(kept, keep_last=1) == 1
            await keep.messages.update(redacted, "m1", content="after")
            assert [message.id for message in await keep.messages.tail(kept, 9)] == ["m1"]
            assert await keep.sessions.delete(gone)
            assert await keep.sessions.find(gone) is None
            rounds += 1
            for session in (kept, redacted):
                await keep.messages.clear(session)
        for session in (kept, redacted):
            await keep.messages.append(session, said)
        await keep.messages.update(redacted, "m1", content="after")
        await keep.messages.truncate(kept, after_seq=(await keep.sessions.get(kept)).last_seq - 2)

    tasks = [asyncio.create_task(go_on(number)) for number in range(_TASKS)]
    await asyncio.sleep(1)
    with next_release():
        await migrate(dsn, prefix)
    ended.set()
    await asyncio.gather(*tasks)
    await keep.sweep()
    check_ended(dsn, prefix)
    for number in range(_TASKS):
        texts = [message.content for message in await keep.messages.tail(f"{prefix}kept{number}", 9)]
        assert texts == [f"{prefix} 0", f"{prefix} 1"]
        texts = [message.content for message in await keep.messages.tail(f"{prefix}redacted{number}", 9)]
        assert texts == [f"{prefix} 0", "after", f"{prefix} 2", f"{prefix} 3"]
        assert await keep.sessions.find(f"{prefix}gone{number}") is None
    stored = b"\n".join([part async for part in stored_bytes(dsn)])
    assert stored.count(f"{prefix} 1\n\n".encode()) == _TASKS, "of each kept session, and of no other"
    assert f"{prefix}gone".encode() not in stored


def _leave_one(dsn: str, prefix: str) -> None:
    """What a writer leaves who learned of the migration, and wrote after its end."""
    path = f"/{prefix}-messages/_doc/late?routing=r&version=5&version_type=external_gte&refresh=true"
    ask(dsn, "PUT", path, {GONE: True})


async def test_a_sweep_asks_nothing_of_messages_that_never_migrated(keep: Keep, prefix: str) -> None:
    await keep.messages.append("s", [NewMessage(role="user", content="x")], create={})
    with requests_seen(lambda path, body: None) as paths:
        assert await keep.sweep() == 0
    assert len(paths) == 5, paths
    assert not [path for path in paths if f"{prefix}-messages" in path]


async def test_a_sweep_removes_what_late_writers_left(keep: Keep, dsn: str, prefix: str) -> None:
    with next_release():
        await migrate(dsn, prefix)
    for _ in range(2):
        _leave_one(dsn, prefix)
        await keep.sweep()
        assert left(dsn, prefix) == 0


async def test_a_sweep_leaves_to_a_migration_what_it_needs(keep: Keep, dsn: str, prefix: str) -> None:
    """It found an empty document, and then a migration closed the alias of removals."""
    with next_release():
        await migrate(dsn, prefix)
    _leave_one(dsn, prefix)

    def set_closed(kind: str, *, is_closed: bool) -> None:
        alias = f"{prefix}-{kind}-removals"
        add = {"index": f"{prefix}-{kind}-2", "alias": alias, "is_write_index": not is_closed}
        ask(dsn, "POST", "/_aliases", {"actions": [{"add": add}]})

    def close_once_found(path: str, body: Any) -> None:
        if path == f"/{prefix}-messages/_search":
            for kind in ("messages", "sessions"):
                set_closed(kind, is_closed=True)

    with requests_seen(close_once_found):
        await keep.sweep()
    assert left(dsn, prefix) == 1
    for kind in ("messages", "sessions"):
        set_closed(kind, is_closed=False)
    await keep.sweep()
    assert left(dsn, prefix) == 0
