"""Eight processes append while a test lets a node of a cluster fail; then the logs are compared (FLT-1, FLT-2).

For adapters' own tests. `python -m agentkeep_conformance.failover URL PREFIX NUMBER` is one such process: it appends
until its input ends, and prints one line of JSON. Each try has a text of its own, so the log shows what became of each:
what was acknowledged, what is unknown, and what was said not to be written.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic

import agentkeep
import msgspec
from agentkeep import Keep, NewMessage, OutcomeUnknown, Unavailable

PROCESSES = 8
_CALLS = 2
"""Calls at a time in each process, each with a session of its own; every fourth message goes to one session of all."""
_SHARED = "shared"
_WARM = 3
"""Appends of each before the failure."""
_LONGEST_RUN = 150


class Told(msgspec.Struct):
    """What one process was told."""

    acknowledged: list[str] = []
    unknown: list[str] = []
    not_written: list[str] = []
    resent: int = 0
    """Requests that the adapter sent again, after a connection was lost."""
    longest_pause: float = 0.0
    """Seconds of one writer without an acknowledged append."""
    longest_read_pause: float = 0.0
    """Seconds of the reader without an answer."""


async def told_while(
    urls: Sequence[str], prefix: str, fail: Callable[[], None], seconds: float, *, processes: int = PROCESSES
) -> dict[str, list[Told]]:
    """What the processes were told, by URL; each URL has as many of them.

    `fail` is called when all of them append, which they go on to do for `seconds`.
    """
    async with _writers(urls, prefix, processes) as writers, asyncio.timeout(_LONGEST_RUN):
        for _, writer in writers:
            assert await _line(writer) == b"ready"
        await asyncio.to_thread(fail)
        await asyncio.sleep(seconds)
        told: dict[str, list[Told]] = {url: [] for url in urls}
        for url, writer in writers:
            told[url].append(await _end(writer))
        return told


async def check_logs(keep: Keep, told: Sequence[Told]) -> int:
    """Messages that are there: what was acknowledged is, once and in order; what was said not to be written is not."""
    found: list[str] = []
    async for session in keep.sessions.iterate():
        log = [message async for message in keep.messages.iterate(session.id)]
        assert [message.seq for message in log] == list(range(1, len(log) + 1))
        assert session.message_count == len(log)
        texts = [str(message.content) for message in log]
        found += texts
        for writer in {text.split()[0] for text in texts}:
            tries = [int(text.split()[1]) for text in texts if text.split()[0] == writer]
            assert tries == sorted(tries), f"{session.id}: not in the order of the calls"
    assert len(found) == len(set(found)), "a message is there more than once"
    lost = {text for each in told for text in each.acknowledged} - set(found)
    assert not lost, f"acknowledged and not there: {sorted(lost)}"
    wrong = {text for each in told for text in each.not_written} & set(found)
    assert not wrong, f"said not to be written, and there: {sorted(wrong)}"
    return len(found)


@asynccontextmanager
async def _writers(
    urls: Sequence[str], prefix: str, processes: int
) -> AsyncGenerator[list[tuple[str, asyncio.subprocess.Process]]]:
    writers: list[tuple[str, asyncio.subprocess.Process]] = []
    try:
        for number in range(processes):
            url = urls[number % len(urls)]
            writers.append((url, await _start(url, prefix, number)))
        yield writers
    finally:
        for _, writer in writers:
            if writer.returncode is None:
                writer.kill()
            await writer.wait()


async def _start(url: str, prefix: str, number: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, url, prefix, str(number)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )


async def _line(writer: asyncio.subprocess.Process) -> bytes:
    assert writer.stdout is not None
    return (await writer.stdout.readline()).strip()


async def _end(writer: asyncio.subprocess.Process) -> Told:
    assert writer.stdin is not None
    writer.stdin.close()
    return msgspec.json.decode(await _line(writer), type=Told)


class _Resent(logging.Handler):
    """Counts what core's policy sends again: it logs each time at level INFO."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "sent again" in record.msg


class _Pauses:
    """Of one task: how long it waited at most for the next success."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = monotonic()

    def ends(self) -> None:
        now = monotonic()
        self.longest, self._last = max(self.longest, now - self._last), now


class _Writer:
    def __init__(self, keep: Keep) -> None:
        self.told = Told()
        self.ended = False
        self._keep = keep
        self._ready = 0

    async def write(self, name: str) -> None:
        tries, pauses = 0, _Pauses()
        while not self.ended:
            tries += 1
            if await self._append(f"own {name}" if tries % 4 else _SHARED, f"{name} {tries}"):
                pauses.ends()
            if tries == _WARM:
                self._ready += 1
                if self._ready == _CALLS:
                    print("ready", flush=True)
        pauses.ends()
        self.told.longest_pause = max(self.told.longest_pause, pauses.longest)

    async def _append(self, session_id: str, text: str) -> bool:
        """Whether it was acknowledged."""
        try:
            await self._keep.messages.append(session_id, [NewMessage(role="user", content=text)], create={})
        except OutcomeUnknown:
            self.told.unknown.append(text)
            return False
        except Unavailable:
            self.told.not_written.append(text)
            await asyncio.sleep(0.1)
            return False
        self.told.acknowledged.append(text)
        return True

    async def read(self) -> None:
        """What a user's page does, ten times a second."""
        pauses = _Pauses()
        while not self.ended:
            with suppress(Unavailable):
                await self._keep.sessions.list(limit=20)
                pauses.ends()
            await asyncio.sleep(0.1)
        pauses.ends()
        self.told.longest_read_pause = pauses.longest


async def _main(url: str, prefix: str, number: str) -> None:
    resent = _Resent()
    logger = logging.getLogger("agentkeep")
    logger.addHandler(resent)
    logger.setLevel(logging.INFO)
    end = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    async with agentkeep.connect(url, prefix=prefix) as keep:
        writer = _Writer(keep)
        async with asyncio.TaskGroup() as tasks:
            for call in range(_CALLS):
                tasks.create_task(writer.write(f"{number}.{call}"))
            tasks.create_task(writer.read())
            await end
            writer.ended = True
    writer.told.resent = resent.count
    print(msgspec.json.encode(writer.told).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
