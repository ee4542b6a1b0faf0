"""A later release moves a prefix to new indices, while processes of this one read and write (LIFE-1, LIFE-4, FLT-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any
from unittest.mock import patch

import pytest
from agentkeep import Keep, NewMessage, SessionNotFound
from agentkeep.errors import PersistenceError
from agentkeep_conformance import failover
from agentkeep_conformance.failover import check_logs, told_while
from agentkeep_conformance.servers.opensearch import request as ask
from agentkeep_conformance.storage.opensearch import indices, stored_bytes
from agentkeep_opensearch import OpenSearchAdapter, migrating, schema, statements
from agentkeep_opensearch.bulk import GONE
from agentkeep_opensearch.client import Client

pytestmark = pytest.mark.anyio

_MOST_REQUESTS = 60
_TASKS, _ROUNDS = 2, 6
_PROCESSES = 3
_SHORT = {"timeout": 3}


@contextmanager
def next_release(*, lease: int = 30) -> Generator[None]:
    """What opens within this knows version 2 of the schema. It migrates in small steps."""

    def load_json(name: str) -> dict[str, Any]:
        found = deepcopy(statements.load_json(name))
        if "_meta" in found:
            found["_meta"] = {"version": 2, "oldest": 1}
        return found

    with (
        patch.object(schema, "VERSION", 2),
        patch.object(schema, "load_json", load_json),
        patch.object(migrating, "_FEW", 50),
        patch.object(migrating, "_DOCUMENTS", 50),
        patch.object(migrating, "_LEASE_SECONDS", lease),
    ):
        yield


async def migrate(dsn: str, prefix: str) -> None:
    async with Keep(OpenSearchAdapter.from_url(dsn, prefix=prefix)) as keep:
        assert (await keep.health()).schema_version == 2


def check_ended(dsn: str, prefix: str) -> None:
    """The two new indices, each with its two aliases, and no document that only a migration writes."""
    found = indices(dsn, prefix)
    assert list(found) == [f"{prefix}-messages-2", f"{prefix}-sessions-2"]
    for name, index in found.items():
        alias = name.removesuffix("-2")
        marks: dict[str, Any] = {f"{prefix}-migrated": {}} if alias.endswith("-sessions") else {}
        assert index["aliases"] == {alias: {}, f"{alias}-removals": {"is_write_index": True}} | marks
        assert "blocks" not in index["settings"]["index"]
    assert _left(dsn, prefix) == 0


async def test_nothing_acknowledged_is_lost_and_nothing_doubled(keep: Keep, dsn: str, prefix: str) -> None:
    """Some processes of this release append. Three of the next one open at once, so one migrates and two wait."""
    await keep.messages.append("long", [NewMessage(role="user", content="x") for _ in range(200)], create={})
    await keep.sessions.delete("long")

    def fail() -> None:
        async def open_three() -> None:
            await asyncio.gather(*(migrate(dsn, prefix) for _ in range(3)))

        with next_release():
            asyncio.run(open_three())

    with patch.object(failover, "PROCESSES", _PROCESSES):
        told = await told_while([dsn], prefix, fail, 2)
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


class _KilledError(Exception):
    pass


@contextmanager
def killed_before(number: int) -> Generator[None]:
    """The adapters that open within this fail before their n-th request, and before all further ones."""
    whole = Client.request
    sent = 0

    async def request(*args: Any, **kwargs: Any) -> Any:
        nonlocal sent
        sent += 1
        if sent >= number:
            raise _KilledError
        return await whole(*args, **kwargs)

    with patch.object(Client, "request", request):
        yield


async def test_a_migration_that_was_killed_is_finished_by_the_next_process(dsn: str, prefix: str) -> None:
    """Before every fifth of its requests. A process of this release goes on in between, or gets an error."""
    ended = False
    for number in range(2, _MOST_REQUESTS, 5):
        part = f"{prefix}x{number}"
        async with Keep(OpenSearchAdapter.from_url(dsn, prefix=part, **_SHORT)) as keep:
            for session in ("s", "gone", "kept"):
                await keep.messages.append(session, [NewMessage(role="user", content="x", id="m")], create={})
            with next_release(lease=1):
                try:
                    with killed_before(number):
                        await migrate(dsn, part)
                    ended = True
                except (_KilledError, PersistenceError):
                    pass
            deleted, appended = await _go_on(keep)
            with next_release():
                await migrate(dsn, part)
            check_ended(dsn, part)
            assert len(await keep.messages.tail("s", 9)) == 1 + appended
            if deleted:
                with pytest.raises(SessionNotFound):
                    await keep.sessions.get("gone")
            await keep.messages.append("kept", [NewMessage(role="user", content="y")])
            assert [message.content for message in await keep.messages.tail("kept", 9)] == ["x", "y"]
        ask(dsn, "DELETE", f"/{part}-messages-2,{part}-sessions-2")
        if ended:
            break
    assert ended, "a migration has more requests than were tried"


async def _go_on(keep: Keep) -> tuple[bool, bool]:
    """Whether a removal and an append were possible."""
    try:
        await keep.sessions.delete("gone")
        await keep.messages.append("s", [NewMessage(role="user", content="y")])
    except PersistenceError:
        return False, False
    return True, True


@contextmanager
def requests_seen(after: Callable[[str, Any], None]) -> Generator[list[str]]:
    """The paths that are asked for within this. `after` is called with path and body after each reply."""
    whole = Client.request
    paths: list[str] = []

    async def request(client: Client, method: str, path: str, body: Any = None, **kwargs: Any) -> Any:
        reply = await whole(client, method, path, body, **kwargs)
        paths.append(path)
        after(path, body)
        return reply

    with patch.object(Client, "request", request):
        yield paths


def _leave_one(dsn: str, prefix: str) -> None:
    """What a writer leaves who learned of the migration, and wrote after its end."""
    path = f"/{prefix}-messages/_doc/late?routing=r&version=5&version_type=external_gte&refresh=true"
    ask(dsn, "PUT", path, {GONE: True})


def _left(dsn: str, prefix: str) -> int:
    """How many such documents there are."""
    ask(dsn, "POST", f"/{prefix}-messages/_refresh")
    return ask(dsn, "POST", f"/{prefix}-messages/_count", {"query": {"term": {GONE: True}}})["count"]


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
        assert _left(dsn, prefix) == 0


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
    assert _left(dsn, prefix) == 1
    for kind in ("messages", "sessions"):
        set_closed(kind, is_closed=False)
    await keep.sweep()
    assert _left(dsn, prefix) == 0


@pytest.mark.parametrize("index", ["messages-1", "messages-2"])
async def test_a_migration_that_was_killed_with_blocked_indices_is_finished(
    keep: Keep, dsn: str, prefix: str, index: str
) -> None:
    await keep.messages.append("s", [NewMessage(role="user", content="x")], create={})

    def die(path: str, body: Any) -> None:
        if path.startswith(f"/{prefix}-{index},") and path.endswith("_block/write"):
            raise _KilledError

    with next_release(lease=1), requests_seen(die), pytest.raises(_KilledError):
        await migrate(dsn, prefix)
    with next_release():
        await migrate(dsn, prefix)
    check_ended(dsn, prefix)
    await keep.messages.append("s", [NewMessage(role="user", content="y")])
    assert [message.content for message in await keep.messages.tail("s", 9)] == ["x", "y"]
