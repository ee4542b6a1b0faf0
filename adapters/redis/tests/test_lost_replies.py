"""A write whose reply is lost on the wire, by what a second run of it would do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import agentkeep
import pytest
from agentkeep import Keep, NewMessage
from agentkeep.errors import OutcomeUnknown
from agentkeep_conformance.proxy import Fault, Proxy
from agentkeep_conformance.servers.chosen import address_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    async with Proxy(*address_of(dsn)) as proxy:
        yield proxy


@pytest.fixture
async def keep(proxy: Proxy, dsn: str, prefix: str) -> AsyncIterator[Keep]:
    async with agentkeep.connect(proxy.through(dsn), prefix=prefix) as keep:
        yield keep


def three() -> list[NewMessage]:
    return [NewMessage(role="user", content=f"{number}") for number in range(3)]


@pytest.mark.parametrize("kept", [1, 2])
async def test_an_append_that_keeps_less_than_it_adds_is_not_sent_twice(keep: Keep, proxy: Proxy, kept: int) -> None:
    """ERR-2, IDEM-1: its ids are gone after the first run, so a second would add them again, or say `Conflict`."""
    await keep.sessions.create("s")
    cut = proxy.arm(Fault.CUT_BEFORE_REPLY)
    with pytest.raises(OutcomeUnknown):
        await keep.messages.append("s", three(), keep_last=kept)
    assert cut.struck.is_set()
    session = await keep.sessions.get("s")
    assert session is not None
    assert (session.message_count, session.last_seq) == (kept, 3)


async def test_an_append_that_keeps_what_it_adds_is_sent_again(keep: Keep, proxy: Proxy) -> None:
    """IDEM-1: the second run finds the ids stored, and the caller never learns that a reply was lost."""
    await keep.sessions.create("s")
    cut = proxy.arm(Fault.CUT_BEFORE_REPLY)
    stored = await keep.messages.append("s", three(), keep_last=3)
    assert cut.struck.is_set()
    assert (await keep.messages.list("s")).items == list(stored)
    assert [message.seq for message in stored] == [1, 2, 3]
