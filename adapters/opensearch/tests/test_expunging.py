"""What the page says of deleted data: its commands remove it from the segments."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from agentkeep import Keep, NewMessage
from agentkeep_conformance.servers.opensearch import exchange, request

pytestmark = pytest.mark.anyio

_PAGE = Path(__file__).parents[1] / "README.md"
_COMMANDS = re.findall(r"`POST (agentkeep-\S+?)`", _PAGE.read_text())
_SESSIONS = 30
_MOST_TRIES = 30
_PAUSE = 3.0
"""The server looks each 30 seconds how long it must keep what was deleted."""


def _deleted(dsn: str, prefix: str) -> int:
    indices = request(dsn, "GET", f"/{prefix}-*/_segments")["indices"].values()
    copies = [copy for index in indices for shard in index["shards"].values() for copy in shard]
    return sum(segment["deleted_docs"] for copy in copies for segment in copy["segments"].values())


async def test_the_commands_of_the_page_leave_nothing_that_was_deleted(keep: Keep, dsn: str, prefix: str) -> None:
    """One session of 30 goes, so less than a tenth of each segment is deleted."""
    for number in range(_SESSIONS):
        batch = [NewMessage(role="user", content=f"text {at}") for at in range(10)]
        await keep.messages.append(f"s{number}", batch, create={})
    for path in ("_forcemerge?max_num_segments=1", "_refresh"):
        await asyncio.to_thread(request, dsn, "POST", f"/{prefix}-*/{path}")
    await keep.sessions.delete("s7")
    assert _COMMANDS, "the page names no commands"
    for _ in range(_MOST_TRIES):
        for command in _COMMANDS:
            status, _ = await asyncio.to_thread(exchange, dsn, "POST", f"/{command.replace('agentkeep', prefix)}")
            assert status == 200, command
        if not _deleted(dsn, prefix):
            break
        await asyncio.sleep(_PAUSE)
    assert _deleted(dsn, prefix) == 0
