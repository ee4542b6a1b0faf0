"""Processes that kill themselves with SIGKILL before their n-th request.

Each line of the input is `[url, prefix, tenant, call, n]` in JSON. It gets a process of its own, and its exit code is
one line of the output. They are forks of this process, because the imports take longer than the calls.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from agentkeep import Keep, NewMessage, View
from agentkeep_opensearch import OpenSearchAdapter
from agentkeep_opensearch.client import Client

DONE = 3
"""The exit code of a process whose call took fewer requests."""


def said(count: int) -> list[NewMessage]:
    return [NewMessage(role="user", id=f"new-{number}", content=f"new {number}") for number in range(count)]


CALLS: dict[str, Callable[[View], Awaitable[Any]]] = {
    "append": lambda view: view.messages.append("s", said(3)),
    "append to a new session": lambda view: view.messages.append("fresh", said(3), create={"title": "t"}),
    "rewind": lambda view: view.messages.append("s", said(2), truncate_after=20),
    "trim": lambda view: view.messages.trim("s", keep_last=5),
    "pop": lambda view: view.messages.pop("s"),
    "redaction": lambda view: view.messages.update("s", "m5", content="gone"),
    "another user": lambda view: view.sessions.update("s", user_id="bob"),
    "short fork": lambda view: view.sessions.fork("s", new_id="copy", at_seq=10),
    "long fork": lambda view: view.sessions.fork("s", new_id="copy"),
    "delete": lambda view: view.sessions.delete("s"),
    "create over an expired one": lambda view: view.sessions.create("old"),
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


async def main(url: str, prefix: str, tenant: str, call: str, number: int) -> None:
    async with Keep(OpenSearchAdapter.from_url(url, prefix=prefix)) as keep:
        die_before(number)
        await CALLS[call](keep.for_tenant(tenant))


def code_of_child(arguments: list[Any]) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        asyncio.run(main(*arguments))
        code = DONE
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    for line in sys.stdin:
        print(code_of_child(json.loads(line)), flush=True)
