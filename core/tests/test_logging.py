"""`logging.getLogger("agentkeep")` tells of what happens in silence, without content (ERR-3)."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from agentkeep import Keep, NewMessage
from agentkeep.spi.schema import SchemaVersion, missing_steps
from agentkeep_memory import MemoryAdapter


@pytest.mark.anyio
async def test_opening_closing_and_sweeps_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="agentkeep")
    now = datetime.now(UTC)
    async with Keep(MemoryAdapter(clock=lambda: now)) as keep:
        await keep.sessions.create("secret-title", title="secret", ttl=1)
        await keep.messages.append("secret-title", [NewMessage(role="user", content="secret")])
        await keep.sweep()
        now += timedelta(seconds=2)
        assert await keep.for_user("ann").sweep() == 0
        assert await keep.sweep() == 1
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "memory: opened"),
        ("DEBUG", "memory: a sweep removed expired sessions: 0"),
        ("DEBUG", "memory: a sweep removed expired sessions: 0"),
        ("INFO", "memory: a sweep removed expired sessions: 1"),
        ("DEBUG", "memory: closed"),
    ]
    assert "secret" not in caplog.text


def test_a_migration_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="agentkeep")
    missing_steps(SchemaVersion(3, 1), known=3, manage_schema=True, name="the schema 'a_'")
    assert caplog.records == []
    missing_steps(None, known=3, manage_schema=True, name="the schema 'a_'")
    assert caplog.messages == ["the schema 'a_': version 0 was found, version 3 is needed: migrating"]
