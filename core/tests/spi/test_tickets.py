"""A call that waits for its turn: a worker takes it, or its caller withdraws it."""

from __future__ import annotations

import asyncio

import pytest
from agentkeep.spi.together import Ticket

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("leave", [True, False])
async def test_a_ticket_is_taken_by_the_worker_or_withdrawn_by_the_caller(leave: bool) -> None:
    ticket: Ticket[str] = Ticket()
    seen: list[str] = []
    caller = asyncio.ensure_future(ticket.answer(lambda: seen.append("left")))
    await asyncio.sleep(0)
    if leave:
        caller.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert caller.cancelled()
        assert not ticket.take()
        assert seen == []
    else:
        assert ticket.take()
        caller.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert seen == ["left"]
        ticket.end("late")
        await asyncio.wait([caller])
        assert caller.cancelled()
