"""A migration is killed, or the server fails a part of it. The next process finishes it (LIFE-4, FLT-1)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from agentkeep import Keep, NewMessage, SessionNotFound
from agentkeep.errors import PersistenceError, Unavailable
from agentkeep_conformance.outcomes import TIER
from agentkeep_conformance.servers.opensearch import request as ask
from agentkeep_opensearch import OpenSearchAdapter, migrating
from agentkeep_opensearch.client import Client

from .migrations import check_ended, migrate, next_release, requests_seen

pytestmark = pytest.mark.anyio

_MOST_REQUESTS = 60
_STEP, _EVERYDAY_STEP = 5, 10
"""A migration that is killed and one that finishes it take some seconds: each fifth request nightly, else each tenth.
The last one that is tried is the same in both tiers."""
_SHORT = {"timeout": 3}


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


async def test_a_migration_that_was_killed_is_finished_by_the_next_process(
    dsn: str, prefix: str, request: pytest.FixtureRequest
) -> None:
    """Before some of its requests. A process of this release goes on in between, or gets an error."""
    ended = False
    step = _STEP if request.config.stash[TIER] == "nightly" else _EVERYDAY_STEP
    for number in range(step - 3, _MOST_REQUESTS, step):
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


@pytest.mark.parametrize("most_polls", [1, 3])
async def test_a_pass_that_the_server_fails_is_tried_again(keep: Keep, dsn: str, prefix: str, most_polls: int) -> None:
    """The new index refuses writes until so many polls of the task, so the server ends its reindex with failures."""
    await keep.messages.append("s", [NewMessage(role="user", content="x")], create={})
    polls = 0

    def refuse_for_a_while(path: str, body: Any) -> None:
        nonlocal polls
        if path == f"/{prefix}-messages-1/_stats/indexing" and polls == 0:
            ask(dsn, "PUT", f"/{prefix}-messages-2/_block/write")
        if path.startswith("/_tasks/"):
            polls += 1
            if polls == most_polls:
                ask(dsn, "PUT", f"/{prefix}-messages-2/_settings", {"index.blocks.write": None})

    with next_release(), requests_seen(refuse_for_a_while):
        await migrate(dsn, prefix)
    assert polls > most_polls
    check_ended(dsn, prefix)
    assert [message.content for message in await keep.messages.tail("s", 9)] == ["x"]


async def test_a_pass_that_fails_each_time_says_why(keep: Keep, dsn: str, prefix: str) -> None:
    await keep.messages.append("s", [NewMessage(role="user", content="x")], create={})

    def refuse(path: str, body: Any) -> None:
        if path == f"/{prefix}-messages-1/_stats/indexing":
            ask(dsn, "PUT", f"/{prefix}-messages-2/_block/write")

    with (
        next_release(lease=1),
        patch.object(migrating, "_POLL_SECONDS", 0.01),
        requests_seen(refuse),
        pytest.raises(Unavailable, match="cluster_block_exception"),
    ):
        await migrate(dsn, prefix)
    await keep.messages.append("s", [NewMessage(role="user", content="y")])
    with next_release():
        await migrate(dsn, prefix)
    check_ended(dsn, prefix)
    assert [message.content for message in await keep.messages.tail("s", 9)] == ["x", "y"]
