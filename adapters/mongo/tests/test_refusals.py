"""What the server refuses has not happened, and the error says so (ERR-2)."""

from __future__ import annotations

import pytest
from agentkeep import Keep, NewMessage, Refused
from agentkeep.spi.resend import Cause
from agentkeep_conformance.storage.mongo import client_of
from agentkeep_mongo import MongoAdapter
from agentkeep_mongo.errors import cause_of
from pymongo.errors import NotPrimaryError

pytestmark = pytest.mark.anyio


async def test_a_refused_commit_is_no_unknown_outcome(dsn: str, prefix: str) -> None:
    async with Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as keep, client_of(dsn) as client:
        await keep.sessions.create("s")
        rule = {"title": {"$ne": "refused"}}
        await client["agentkeep"].command("collMod", f"{prefix}_sessions", validator=rule)
        with pytest.raises(Refused):
            await keep.sessions.update("s", title="refused")
        with pytest.raises(Refused):
            await keep.messages.append("s", [NewMessage(role="user", content="a")], update={"title": "refused"})
        with pytest.raises(Refused):
            await keep.sessions.create("new", title="refused")
        assert await keep.messages.count("s") == 0
        assert await keep.sessions.find("new") is None


@pytest.mark.parametrize(("code", "cause"), [(10107, Cause.CONTENTION), (11602, Cause.LOST)])
async def test_a_former_primary_that_refused_a_write_did_not_do_it(code: int, cause: Cause) -> None:
    """NotWritablePrimary may be sent again, InterruptedDueToReplStateChange not. The code stands in the reply."""
    assert cause_of(NotPrimaryError("no primary", {"code": code})) is cause
