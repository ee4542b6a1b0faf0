"""A session as a writer reads it."""

from __future__ import annotations

import pytest
from agentkeep import Keep
from agentkeep_conformance.storage.mongo import client_of
from agentkeep_mongo import MongoAdapter, queries
from agentkeep_mongo.documents import session_key
from agentkeep_mongo.state import State

pytestmark = pytest.mark.anyio


async def test_a_session_is_gone_in_the_very_moment_of_its_end(dsn: str, prefix: str) -> None:
    """Its readers see it so (TTL-1). The server's clock can't be set, so the test sets the end."""
    async with Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as keep, client_of(dsn) as client:
        await keep.sessions.create("s", ttl=60)
        pipeline = queries.head(session_key("default", "s"), [], f"{prefix}_messages")
        [read] = await (await client["agentkeep"][f"{prefix}_sessions"].aggregate(pipeline)).to_list()
        now = int(read["now"])
        lives = {end - now: State({**read, "expires_at": end}).is_alive for end in (now - 1, now, now + 1)}
        assert lives == {-1: False, 0: False, 1: True}
