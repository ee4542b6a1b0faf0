"""The crash table of ADR 10: a standalone server is killed with SIGKILL before each statement of a call (FLT-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from agentkeep import Keep, OutcomeUnknown, Refused, Unavailable
from agentkeep_conformance.families.faults import error_of
from agentkeep_conformance.outcomes import TIER
from agentkeep_conformance.servers import MONGO_STANDALONE, NotRun
from agentkeep_mongo import MongoAdapter
from agentkeep_mongo import sweep as sweeping

from .dying import CALLS, before_each
from .test_crash_table import check_search, furnish, leftovers, world

pytestmark = pytest.mark.anyio


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each statement costs a start of the server, so the everyday tier has two of them."""
    nightly = metafunc.config.stash[TIER] == "nightly"
    cases = [(call, returns, 1) for call in CALLS for returns in (True, False)]
    metafunc.parametrize(("call", "returns", "step"), cases if nightly else [("append that moves", True, 3)])


def kill() -> None:
    try:
        MONGO_STANDALONE.kill()
    except NotRun as reason:
        pytest.skip(f"NOT RUN: {reason}")


async def statements_of(call: Callable[[Keep], Awaitable[object]], keep: Keep) -> int:
    """How many the call sends when nothing breaks."""
    sent = 0

    async def count(statement: int) -> None:
        nonlocal sent
        sent = statement

    with before_each(count):
        await call(keep)
    return sent


async def test_a_killed_server_has_all_of_a_call_or_nothing(
    dsn: str, prefix: str, call: str, returns: bool, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`returns`: the server is back before the statement is sent; else after the call has failed."""
    monkeypatch.setattr(sweeping, "_STAGED_FOR", timedelta(0))
    async with Keep(MongoAdapter.from_url(dsn, prefix=f"{prefix}0")) as keep:
        await furnish(keep)
        before = await world(keep)
        number = await statements_of(CALLS[call], keep)
        after = await world(keep)
    assert number > 1

    for nth in range(1, number + 1, step):
        name = f"{prefix}{nth}"

        async def die(statement: int, nth: int = nth) -> None:
            if statement == nth:
                await asyncio.to_thread(kill)
                if returns:
                    await asyncio.to_thread(MONGO_STANDALONE.restart)

        async with Keep(MongoAdapter.from_url(dsn, prefix=name, connect_timeout=1 + 9 * returns)) as keep:
            await furnish(keep)
            try:
                with before_each(die):
                    error = await error_of(CALLS[call](keep))
            finally:
                if not returns:
                    await asyncio.to_thread(MONGO_STANDALONE.restart)
            seen = await world(keep)
            said = f"killed before statement {nth} of {number}: {error!r}"
            if error is None:
                assert seen == after, said
            elif isinstance(error, Unavailable | Refused):
                assert seen == before, said
            else:
                assert isinstance(error, OutcomeUnknown), said
                assert seen in (before, after), said
            await keep.sweep()
            assert await world(keep) == seen, f"{said}: a sweep changes nothing that anybody sees"
            assert await leftovers(dsn, name) == [], said
            await check_search(keep, seen)
