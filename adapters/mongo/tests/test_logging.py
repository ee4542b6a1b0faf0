"""PyMongo logs whole commands: ours are left out (ERR-3), the application's own stay, and so do its levels."""

from __future__ import annotations

import logging
from typing import Any

import agentkeep
import pytest
from agentkeep import NewMessage
from pymongo import AsyncMongoClient


@pytest.mark.anyio
async def test_the_drivers_log_has_the_applications_commands_and_none_of_ours(
    dsn: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    level = logging.getLogger("pymongo.command").level
    caplog.set_level(logging.DEBUG)
    async with AsyncMongoClient[dict[str, Any]](dsn) as client, agentkeep.connect(dsn, prefix=prefix) as keep:
        await keep.sessions.create("s")
        await keep.messages.append("s", [NewMessage(role="user", content="a thing of ours")])
        await client["agentkeep"][f"{prefix}_own"].insert_one({"text": "a thing of theirs"})
        assert len(await keep.messages.search("ours")) == 1
    lines = [record.getMessage() for record in caplog.records]
    assert any("a thing of theirs" in line for line in lines)
    assert not any("a thing of ours" in line for line in lines)
    assert logging.getLogger("pymongo.command").level == level
