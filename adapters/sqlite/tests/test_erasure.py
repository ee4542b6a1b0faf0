"""What was deleted or redacted is gone from the file and from its write-ahead log, as soon as the call has returned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from agentkeep import Keep, NewMessage

pytestmark = pytest.mark.anyio

CANARY = "zq-canary-7"
ERASURES: dict[str, Callable[[Keep], Awaitable[object]]] = {
    "delete": lambda keep: keep.sessions.delete("s"),
    "delete_user": lambda keep: keep.sessions.delete_user("ann"),
    "redaction": lambda keep: keep.messages.update("s", "m", content="[redacted]"),
}


@pytest.mark.parametrize("erasure", ERASURES)
async def test_ses_6_no_file_of_the_database_holds_it(keep: Keep, file: Path, erasure: str) -> None:
    await keep.sessions.create("s", user_id="ann")
    await keep.messages.append("s", [NewMessage(role="user", id="m", content=CANARY)])
    assert any(CANARY.encode() in part.read_bytes() for part in file.parent.glob(f"{file.name}*"))
    await ERASURES[erasure](keep)
    assert [part.name for part in file.parent.glob(f"{file.name}*") if CANARY.encode() in part.read_bytes()] == []
