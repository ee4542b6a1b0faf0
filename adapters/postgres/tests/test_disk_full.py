"""FLT-1 on a server whose disk is full: a disk in memory that only the server sees, gone with its processes."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from agentkeep import Keep, NewMessage
from agentkeep.errors import OutcomeUnknown, PersistenceError, Unavailable
from agentkeep_conformance.outcomes import REQUIRED
from agentkeep_conformance.servers import NotRun
from agentkeep_conformance.servers.programs import as_user, program, unprivileged
from agentkeep_conformance.servers.run import Run, current_run, free_ports
from agentkeep_conformance.servers.started import Started
from agentkeep_postgres import PostgresAdapter

pytestmark = pytest.mark.anyio

_DISK = "96m"
_LEFT_BYTES = 6 * 1024 * 1024
_HOLD = 'mount -t tmpfs -o size="$1",mode=0777 tmpfs "$0" && touch "$0/mounted" && exec sleep infinity'
_INSTALL = "docker/native/install postgres"


class SmallDisk:
    """A PostgreSQL with its files on a small disk; `fill` leaves a few megabytes, `free` gives all back."""

    def __init__(self, run: Run, name: str, *, wal: bool) -> None:
        """`wal`: whether the log is on it too. Raises `NotRun` if nothing may be mounted."""
        if os.geteuid() != 0:
            raise NotRun("only root may mount a disk")
        folder = run.data(name)
        folder.chmod(0o711)
        holder = f"{name}_holder"
        self._holder = run.process(holder, ["unshare", "--mount", "sh", "-c", _HOLD, str(folder), _DISK])
        record = run.folder / "pids" / holder
        _until(lambda: record.exists() and record.read_text().endswith("\n"))
        pid = record.read_text().strip()
        self.seen = Path(f"/proc/{pid}/root{folder}")
        _until(lambda: (self.seen / "mounted").exists() or not self._holder.alive())
        if not self._holder.alive():
            raise NotRun(f"no disk can be mounted here: {self._holder.last_words()}")
        user = unprivileged("postgres")
        enter = ["nsenter", f"--mount=/proc/{pid}/ns/mnt", "--", *as_user(user)]
        data = str(folder / "data")
        makes = [program("initdb", _INSTALL), "-D", data, "-U", "agentkeep", "-A", "trust", "-E", "UTF8"]
        makes += ["--locale=C.UTF-8", "--wal-segsize=1"]
        if not wal:
            makes.append(f"--waldir={run.data(f'{name}_wal', user=user)}")
        subprocess.run([*enter, *makes], check=True, capture_output=True)
        (port,) = free_ports(1)
        settings = [
            *("--listen_addresses=127.0.0.1", "--unix_socket_directories=", "--dynamic_shared_memory_type=mmap"),
            *("--shared_buffers=8MB", "--min_wal_size=2MB", "--max_wal_size=8MB", "--max_connections=20"),
        ]
        serves = [program("postgres", _INSTALL), "-D", data, "-p", str(port), *settings]
        self._process = run.process(name, [*enter, *serves])
        self.server = Started(f"postgresql://agentkeep@127.0.0.1:{port}/postgres", [self._process], _check)
        self.server.wait()
        self.keeps_wal_elsewhere = not wal

    def fill(self) -> None:
        free = os.statvfs(self.seen)
        (self.seen / "ballast").write_bytes(b"\0" * (free.f_bavail * free.f_frsize - _LEFT_BYTES))

    def free(self) -> None:
        """Where the server ends because its disk was full, it is started again, as an operator would."""
        (self.seen / "ballast").unlink()
        _until(self._answers)

    def _answers(self) -> bool:
        self._process.start()
        try:
            return bool(_check(self.server.dsn))
        except psycopg.Error:
            return False

    def end(self) -> None:
        self._process.kill()
        self._holder.kill()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _check(dsn: str) -> str:
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        return str(connection.info.server_version)


@pytest.fixture(params=["data", "data and wal"])
def disk(request: pytest.FixtureRequest) -> Iterator[SmallDisk]:
    try:
        wal = request.param != "data"
        disk = SmallDisk(current_run(), f"small_disk_{secrets.token_hex(4)}", wal=wal)
    except NotRun as reason:
        if request.config.stash[REQUIRED]:
            pytest.fail(f"required, but NOT RUN: {reason}")
        pytest.skip(f"NOT RUN: {reason}")
    yield disk
    disk.end()


async def test_a_full_disk_loses_nothing_acknowledged(disk: SmallDisk) -> None:
    """FLT-1, ERR-1, ERR-2: a call that finds no room is refused, and with room again the keep goes on.

    Where the data has none, the server says so and nothing was written; where the WAL has none, the server ends.
    """
    adapter = PostgresAdapter.from_url(disk.server.dsn, connect_timeout=5, timeout=30)
    async with Keep(adapter) as keep:
        sessions = [(await keep.sessions.create()).id for _ in range(3)]
        disk.fill()
        ended = await asyncio.gather(*(_append_until_refused(keep, session_id) for session_id in sessions))
        written = [acknowledged for acknowledged, _ in ended]
        assert all(written), "the disk was full before the first append"
        refusals = {type(refusal) for _, refusal in ended}
        assert refusals == {Unavailable} if disk.keeps_wal_elsewhere else refusals <= {Unavailable, OutcomeUnknown}
        await asyncio.to_thread(disk.free)
        for session_id, acknowledged in zip(sessions, written, strict=True):
            await _append(keep, session_id, "with room again")
            log = [message async for message in keep.messages.iterate(session_id)]
            assert [message.seq for message in log] == list(range(1, len(log) + 1))
            stored = {message.id: message.seq for message in log}
            assert acknowledged.items() <= stored.items()
            assert (await keep.sessions.get(session_id)).message_count == len(log)


async def _append_until_refused(keep: Keep, session_id: str) -> tuple[dict[str, int], PersistenceError]:
    """The ids and seqs that were acknowledged before the first refusal, and that."""
    acknowledged: dict[str, int] = {}
    for number in range(10_000):
        id = f"m{number}"
        try:
            acknowledged[id] = await _append(keep, session_id, id)
        except PersistenceError as refusal:
            return acknowledged, refusal
    raise AssertionError("the disk was never full")


async def _append(keep: Keep, session_id: str, id: str) -> int:
    """A message that does not compress."""
    (message,) = await keep.messages.append(
        session_id, [NewMessage(role="user", id=id, content=secrets.token_hex(5_000))]
    )
    return message.seq
