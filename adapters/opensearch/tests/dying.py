"""A process that kills itself with SIGKILL before its n-th request: `python dying.py URL PREFIX CALL N`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from agentkeep import Keep, NewMessage
from agentkeep_opensearch import OpenSearchAdapter
from agentkeep_opensearch.client import Client

DONE = 3
"""The exit code of a process whose call took fewer requests."""


def said(count: int) -> list[NewMessage]:
    return [NewMessage(role="user", id=f"new-{number}", content=f"new {number}") for number in range(count)]


CALLS: dict[str, Callable[[Keep], Awaitable[Any]]] = {
    "append": lambda keep: keep.messages.append("s", said(3)),
    "append to a new session": lambda keep: keep.messages.append("fresh", said(3), create={"title": "t"}),
    "rewind": lambda keep: keep.messages.append("s", said(2), truncate_after=20),
    "trim": lambda keep: keep.messages.trim("s", keep_last=5),
    "pop": lambda keep: keep.messages.pop("s"),
    "redaction": lambda keep: keep.messages.update("s", "m5", content="gone"),
    "another user": lambda keep: keep.sessions.update("s", user_id="bob"),
    "short fork": lambda keep: keep.sessions.fork("s", new_id="copy", at_seq=10),
    "long fork": lambda keep: keep.sessions.fork("s", new_id="copy"),
    "delete": lambda keep: keep.sessions.delete("s"),
    "create over an expired one": lambda keep: keep.sessions.create("old"),
}


def die_before(number: int) -> None:
    """Before the n-th request from now on."""
    request: Any = Client.request
    sent = 0

    async def counted(self: Client, *arguments: Any, **options: Any) -> Any:
        nonlocal sent
        sent += 1
        if sent == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return await request(self, *arguments, **options)

    replaced: Any = counted
    Client.request = replaced


async def main(url: str, prefix: str, call: str, number: int) -> None:
    async with Keep(OpenSearchAdapter.from_url(url, prefix=prefix)) as keep:
        die_before(number)
        await CALLS[call](keep)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
    sys.exit(DONE)
