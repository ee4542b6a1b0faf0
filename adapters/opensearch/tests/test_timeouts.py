"""A call takes `timeout` at most, however many requests it needs (FLT-5)."""

from __future__ import annotations

import pytest
from agentkeep import Keep
from agentkeep.errors import OutcomeUnknown
from agentkeep_conformance.proxy import Fault, Proxy
from agentkeep_opensearch import OpenSearchAdapter

pytestmark = pytest.mark.anyio


async def test_an_error_names_the_time_of_the_call_and_not_what_was_left_of_it(
    keep: Keep, proxy: Proxy, dsn: str, prefix: str
) -> None:
    """The second request of an update gets no answer."""
    await keep.sessions.create("s")
    async with Keep(OpenSearchAdapter.from_url(proxy.through(dsn), prefix=prefix, timeout=1)) as slow:
        await slow.sessions.get("s")
        proxy.arm(Fault.STALL_REPLY, nth=2)
        with pytest.raises(OutcomeUnknown, match=r"within 1 seconds \(option timeout\)"):
            await slow.sessions.update("s", title="x")
        proxy.restore()
