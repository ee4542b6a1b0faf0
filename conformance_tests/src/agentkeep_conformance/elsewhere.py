"""Calls from another thread, and in a forked copy of a process."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from agentkeep import Keep, PersistenceError, sync

from agentkeep_conformance.samples import PATIENCE_SECONDS, said

_HUNG = "it hung, or died"
FACES = ["a keep", "the sync face of an open keep", "a keep with its own loop", "a sync keep"]


async def awaited(call: Awaitable[Any]) -> Any:
    return await call


async def in_thread(run: Callable[[], Any]) -> Any:
    """What `run` returns in a thread of its own. A thread that hangs fails the test."""
    found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def work() -> None:
        try:
            result, error = run(), None
        except BaseException as raised:  # the test's, to be raised there
            result, error = None, raised
        loop.call_soon_threadsafe(lambda: found.set_exception(error) if error else found.set_result(result))

    threading.Thread(target=work, daemon=True).start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await found


def told(run: Callable[[], Any]) -> str:
    """ "" if it worked, else what our error says. Any other error leaves here."""
    try:
        run()
    except PersistenceError as error:
        return str(error)
    return ""


def says_what_to_do(text: str) -> bool:
    return any(word in text for word in ("loop", "asyncio", "process"))


async def fork_and_call_each(keep: Keep) -> list[tuple[str, str, int]]:
    """In a child process: each face, what its copy was told, and what works afterwards in this process."""
    found: list[tuple[str, str, int]] = []
    for face in FACES:
        found.append((face, *await _fork_and_call(keep, face)))
        if found[-1][1] == _HUNG:  # the others would take as long
            break
    return found


async def _fork_and_call(keep: Keep, face: str) -> tuple[str, int]:
    """Use a keep, fork, and call it in the copy. What the copy was told; what works afterwards."""
    await keep.open()
    await keep.sessions.delete("s")
    await keep.sessions.create("s")
    await keep.messages.append("s", [said()])
    if face == "a sync keep":
        await keep.close()
        with sync.over(Keep(keep.adapter)) as blocking:
            return await asyncio.to_thread(_fork_and_block, blocking)
    if face == "the sync face of an open keep":
        return await asyncio.to_thread(_fork_and_block, sync.over(keep).open())
    used = keep
    if face == "a keep with its own loop":
        await keep.close()
        used = await Keep(keep.adapter, own_loop=True).open()
    said_there = await asyncio.to_thread(in_copy, lambda: asyncio.run(awaited(used.sessions.get("s"))))
    await used.messages.append("s", [said()])
    await used.messages.append("s", [said()])
    count = await used.messages.count("s")
    await used.close()
    return said_there, count


def _fork_and_block(keep: sync.SyncKeep) -> tuple[str, int]:
    said_there = in_copy(lambda: keep.sessions.get("s"))
    keep.messages.append("s", [said()])
    keep.messages.append("s", [said()])
    return said_there, keep.messages.count("s")


def in_copy(call: Callable[[], Any]) -> str:
    """Fork, and make a call in the copy: "" if it worked, else what its error says, or that it hung."""
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(3 * PATIENCE_SECONDS)  # which ends the copy if it hangs
        try:
            said_there = told(call)
        except BaseException as error:  # nothing may leave the copy
            said_there = f"raised {type(error).__name__}"
        os.write(sending, said_there.encode())
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as pipe:
        said_there = pipe.read()
    _, status = os.waitpid(pid, 0)
    return said_there if status == 0 else _HUNG
