"""A server that is away: a call waits for it once, as long as `connect_timeout` says (FLT-5)."""

from __future__ import annotations

import logging

import pytest
from agentkeep import Keep, Unavailable
from agentkeep_mongo import MongoAdapter


@pytest.mark.anyio
async def test_the_wait_for_a_server_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="pymongo.serverSelection")
    with pytest.raises(Unavailable, match="no server could be reached"):
        await Keep(MongoAdapter.from_url("mongodb://127.0.0.1:1/d", connect_timeout=0.1)).open()
    waits = [record for record in caplog.records if "Server selection started" in record.getMessage()]
    assert len(waits) == 1, f"the driver waited {len(waits)} times"
