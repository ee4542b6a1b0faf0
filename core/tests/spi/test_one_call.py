"""The statements of one call share the time that it has (FLT-5)."""

from __future__ import annotations

import asyncio

import pytest
from agentkeep.errors import Unavailable
from agentkeep.spi.one_call import one_call
from agentkeep.spi.resend import Attempt, Cause, Effect, Resend, end_of_call

pytestmark = pytest.mark.anyio


def resend(seconds: float) -> Resend:
    return Resend(server="duckdb", cause=lambda _: Cause.LOST, translate=lambda _: Unavailable("away"), seconds=seconds)


async def test_the_first_statement_begins_the_time_of_all() -> None:
    """A block within a block shares it, and after the outer block it is forgotten."""
    seconds_left: list[float] = []

    async def send(attempt: Attempt) -> None:
        attempt.sending()
        seconds_left.append(attempt.seconds_left)
        await asyncio.sleep(0.1)

    for _ in range(2):
        with one_call():
            await resend(60).run(Effect.ONCE, send)
            with one_call():
                await resend(60).run(Effect.READ, send)
    for first, second in (seconds_left[:2], seconds_left[2:]):
        assert 59 < first <= 60
        assert second <= first - 0.09
    assert seconds_left[2] > seconds_left[1]


async def test_a_call_whose_time_is_over_sends_nothing_more() -> None:
    sent: list[Attempt] = []

    async def send(attempt: Attempt) -> None:
        attempt.sending()
        sent.append(attempt)

    async def connect_and_send(attempt: Attempt) -> None:
        await asyncio.sleep(0)
        await send(attempt)

    with one_call():
        await resend(0.05).run(Effect.READ, send)
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable):
            await resend(0.05).run(Effect.ONCE, connect_and_send)
    assert len(sent) == 1


async def test_a_task_that_outlives_the_call_has_time_of_its_own() -> None:
    async def later() -> float:
        await ended.wait()
        with one_call():
            return end_of_call(60)

    ended = asyncio.Event()
    with one_call():
        end = end_of_call(5)
        task = asyncio.create_task(later())
    ended.set()
    assert await task > end + 50


async def test_the_end_of_a_call_is_of_the_event_loops_clock() -> None:
    now = asyncio.get_running_loop().time()
    assert now + 5 <= end_of_call(5) < now + 6
    with one_call():
        assert end_of_call(5) == end_of_call(50)
