"""A write that is cancelled while its request is under way is done or not done when the caller goes on (FLT-3)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from agentkeep import Keep, NewMessage

pytestmark = pytest.mark.anyio

_ROUNDS = 40
_STEP_SECONDS = 0.000_5


async def _cancelled_after(seconds: float, call: asyncio.Future[Any]) -> None:
    await asyncio.wait({call}, timeout=seconds)
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call


async def test_a_cancelled_update_does_not_land_later(keep: Keep) -> None:
    await keep.sessions.create("s")
    for number in range(_ROUNDS):
        update = asyncio.ensure_future(keep.sessions.update("s", title=f"{number}"))
        await _cancelled_after(number * _STEP_SECONDS, update)
        seen = (await keep.sessions.get("s")).title
        await asyncio.sleep(0.05)
        assert (await keep.sessions.get("s")).title == seen, f"after {number * _STEP_SECONDS} seconds"


async def test_a_cancelled_append_does_not_land_later(keep: Keep) -> None:
    await keep.sessions.create("s")
    for number in range(_ROUNDS):
        append = asyncio.ensure_future(keep.messages.append("s", [NewMessage(role="user", content=f"{number}")]))
        await _cancelled_after(number * _STEP_SECONDS, append)
        seen = await keep.messages.count("s")
        await asyncio.sleep(0.05)
        assert await keep.messages.count("s") == seen, f"after {number * _STEP_SECONDS} seconds"
