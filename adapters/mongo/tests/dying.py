"""A process that kills itself with SIGKILL before its n-th statement: `python dying.py URL PREFIX CALL N`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from agentkeep import Keep, NewMessage
from agentkeep_mongo import MongoAdapter, moving
from agentkeep_mongo.client import Client

LARGE = "z" * 200_000


def said(count: int, text: str = "new") -> list[NewMessage]:
    return [NewMessage(role="user", id=f"new-{number}", content=f"{text} {number}") for number in range(count)]


CALLS: dict[str, Callable[[Keep], Awaitable[Any]]] = {
    "append that moves": lambda keep: keep.messages.append("s", said(3)),
    "large append": lambda keep: keep.messages.append("s", said(2, LARGE)),
    "rewind": lambda keep: keep.messages.append("s", said(2), truncate_after=20),
    "trim": lambda keep: keep.messages.trim("s", keep_last=10),
    "truncate": lambda keep: keep.messages.truncate("s", after_seq=10),
    "fork": lambda keep: keep.sessions.fork("s", new_id="copy"),
    "another user": lambda keep: keep.sessions.update("s", user_id="bob"),
    "delete": lambda keep: keep.sessions.delete("s"),
    "create over an expired one": lambda keep: keep.sessions.create("old"),
    "redaction": lambda keep: keep.messages.update("s", "m5", content="gone"),
    "large redaction": lambda keep: keep.messages.update("s", "m5", content=LARGE),
}


def die_before(number: int) -> None:
    """Before the n-th statement from now on."""
    once: Any = Client._once  # pyright: ignore[reportPrivateUsage] - every statement passes it
    sent = 0

    async def counted(self: Client, *arguments: Any) -> Any:
        nonlocal sent
        sent += 1
        if sent == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return await once(self, *arguments)

    replaced: Any = counted
    Client._once = replaced  # pyright: ignore[reportPrivateUsage]


async def main(url: str, prefix: str, call: str, number: int) -> None:
    few: Any = moving
    few._MANY_MESSAGES, few._KEPT_MESSAGES, few._FEWEST_MOVED = 4, 1, 1
    async with Keep(MongoAdapter.from_url(url, prefix=prefix)) as keep:
        die_before(number)
        await CALLS[call](keep)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
