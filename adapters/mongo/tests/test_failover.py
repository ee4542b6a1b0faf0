"""The primary of a replica set of three is killed or steps down, while eight processes append (FLT-1, FLT-2)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Keep
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import MONGO_SET, NotRun
from agentkeep_mongo import MongoAdapter
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

pytestmark = pytest.mark.anyio

_WRITING = Path(__file__).parent / "writing.py"
_PROCESSES = 8
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
    writers = [await _start(dsn, prefix, number) for number in range(_PROCESSES)]
    try:
        async with asyncio.timeout(120):
            for writer in writers:
                assert (await _line(writer)) == "ready"
            await asyncio.to_thread(fail, dsn)
            await asyncio.sleep(seconds)
            told = [json.loads(await _told(writer)) for writer in writers]
    finally:
        for writer in writers:
            if writer.returncode is None:
                writer.kill()
            await writer.wait()
        await asyncio.to_thread(MONGO_SET.restart)

    async with Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as keep:
        logs = {
            session.id: [message async for message in keep.messages.iterate(session.id)]
            async for session in keep.sessions.iterate()
        }
        for session_id, log in logs.items():
            assert [message.seq for message in log] == list(range(1, len(log) + 1))
            assert (await keep.sessions.get(session_id)).message_count == len(log)
    found = [str(message.content) for log in logs.values() for message in log]
    assert len(found) == len(set(found)), "each message once"
    acknowledged = {text for each in told for text in each["acknowledged"]}
    assert acknowledged <= set(found)
    assert not {text for each in told for text in each["not written"]} & set(found)
    for number in range(_PROCESSES):
        for session_id in ("shared", f"own{number}"):
            of_writer = [str(message.content) for message in logs[session_id]]
            own = [text for text in of_writer if text.split()[0] == str(number)]
            assert own == sorted(own, key=lambda text: int(text.split()[1])), "in the order of their calls"
    longest = max(each["longest"] for each in told)
    unknown = sum(len(each["unknown"]) for each in told)
    print(f"{len(found)} messages, {unknown} with an unknown outcome, longest pause {longest:.1f} s")
    assert longest < _LONGEST_PAUSE


async def _start(dsn: str, prefix: str, number: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(_WRITING), dsn, prefix, str(number)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )


async def _line(writer: asyncio.subprocess.Process) -> str:
    assert writer.stdout is not None
    return (await writer.stdout.readline()).decode().strip()


async def _told(writer: asyncio.subprocess.Process) -> str:
    assert writer.stdin is not None
    writer.stdin.close()
    return await _line(writer)
