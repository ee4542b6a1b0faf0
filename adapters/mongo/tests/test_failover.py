"""The primary of a replica set of three is killed or steps down, while eight processes append (FLT-1, FLT-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from agentkeep import Keep, NewMessage
from agentkeep_conformance.failover import check_logs, told_while
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import MONGO_SET, NotRun
from agentkeep_mongo import MongoAdapter
from pymongo import AsyncMongoClient, MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.uri_parser import parse_uri

pytestmark = pytest.mark.anyio

_LONGEST_PAUSE = 30
"""Seconds without an acknowledged append. The set elects a new primary 10 seconds after it lost one (its default)."""


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> str:
    """In place of the standalone server's, for `prefix` too."""
    return dsn_of(MONGO_SET, request.config)


def kill_primary(dsn: str) -> None:
    with MongoClient[dict[str, Any]](dsn) as client:
        client.admin.command("ping")
        primary = client.primary
    try:
        MONGO_SET.kill(parse_uri(dsn)["nodelist"].index(primary))
    except NotRun as reason:
        pytest.skip(f"NOT RUN: {reason}")


def step_down(dsn: str) -> None:
    with MongoClient[dict[str, Any]](dsn) as client:
        client.admin.command("replSetStepDown", 20, secondaryCatchUpPeriodSecs=10)


@pytest.mark.parametrize(("fail", "seconds"), [(kill_primary, 18), (step_down, 6)])
async def test_nothing_acknowledged_is_lost_and_nothing_doubled(
    dsn: str, prefix: str, fail: Callable[[str], None], seconds: int
) -> None:
    try:
        told = (await told_while([dsn], prefix, lambda: fail(dsn), seconds))[dsn]
    finally:
        await asyncio.to_thread(MONGO_SET.restart)

    async with Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as keep:
        found = await check_logs(keep, told)
    longest = max(each.longest_pause for each in told)
    of_reads = max(each.longest_read_pause for each in told)
    unknown = sum(len(each.unknown) for each in told)
    print(f"{found} messages, {unknown} of unknown outcome, longest pause {longest:.1f} s, of reads {of_reads:.1f} s")
    assert longest < _LONGEST_PAUSE


class Commands(CommandListener):
    """The names of the commands that the server carried out."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def started(self, event: CommandStartedEvent) -> None: ...

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self.done.append(event.command_name)

    def failed(self, event: CommandFailedEvent) -> None: ...


async def test_a_new_primary_is_read_after_a_write_that_a_majority_has(dsn: str, prefix: str) -> None:
    """Without that write it may not show what the former primary acknowledged, for a moment (ORD-5, see the ADR)."""
    commands = Commands()
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(dsn, event_listeners=[commands])
    async with client, Keep(MongoAdapter(client, prefix=prefix)) as keep:
        await keep.messages.append("s", [NewMessage(role="user", content="Hi")], create={})
        commands.done.clear()
        await keep.messages.tail("s", 1)
        assert commands.done == ["aggregate"]
        await asyncio.to_thread(step_down, dsn)
        assert len(await keep.messages.tail("s", 1)) == 1
        assert commands.done[-2:] == ["update", "aggregate"]
