"""A process that kills itself with SIGKILL before its n-th statement: `python dying.py URL PREFIX CALL N`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
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


@contextmanager
def before_each(act: Callable[[int], Awaitable[None]]) -> Generator[None]:
    """Before the n-th statement from now on, `act(n)`. Movers leave few batches, so that small calls move some."""
    once: Any = Client._once  # pyright: ignore[reportPrivateUsage] - every statement passes it
    few: Any = moving
    limits = few._MANY_BATCHES, few._KEPT_BATCHES
    sent = 0

    async def counted(self: Client, *arguments: Any) -> Any:
        nonlocal sent
        sent += 1
        await act(sent)
        return await once(self, *arguments)

    replaced: Any = counted
    Client._once = replaced  # pyright: ignore[reportPrivateUsage]
    few._MANY_BATCHES, few._KEPT_BATCHES = 4, 1
    try:
        yield
    finally:
        Client._once = once  # pyright: ignore[reportPrivateUsage]
        few._MANY_BATCHES, few._KEPT_BATCHES = limits


async def main(url: str, prefix: str, call: str, number: int) -> None:
    async def die(statement: int) -> None:
        if statement == number:
            os.kill(os.getpid(), signal.SIGKILL)

    async with Keep(MongoAdapter.from_url(url, prefix=prefix)) as keep:
        with before_each(die):
            await CALLS[call](keep)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
