"""A process that has imported what child processes need, and forks one at each request: the imports take a second.

There is one for each process that runs tests, started for the first child. It opens nothing, runs no event loop and has
one thread, so that a fork of it is as clean as a new process.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

LINE_BYTES = 64 * 1024 * 1024


class ForkedProcess:
    """A child of the server; used like a process of asyncio."""

    def __init__(
        self, pid: int, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader, status: asyncio.StreamReader
    ) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._ended = asyncio.ensure_future(self._end(status))

    def kill(self) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def _end(self, status: asyncio.StreamReader) -> int:
        self.returncode = int(await status.readline())
        await status.read()
        return self.returncode


class ChildServer:
    """The server of this process."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", f"from agentkeep_conformance.children import serve; serve({theirs.fileno()})"],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=child_environment(),
            )
        atexit.register(self._stop)

    async def fork(self, request: dict[str, Any]) -> ForkedProcess:
        """A child that reads the request from its standard input."""
        (stdout, *one), (stderr, *two), (status, *three) = [await _pipe() for _ in range(3)]
        with tempfile.TemporaryFile() as stdin:
            stdin.write(json.dumps(request).encode())
            stdin.seek(0)
            socket.send_fds(self._control, [b"."], [stdin.fileno(), *one, *two, *three])
        for fd in (*one, *two, *three):
            os.close(fd)
        return ForkedProcess(int(await status.readline()), stdout, stderr, status)

    def _stop(self) -> None:
        if os.getpid() == self.owner:
            self._control.close()
            self._process.wait()


_server: ChildServer | None = None
_usual: tuple[object, ...] | None = None


def use_child_server() -> None:
    """From now on children are forked by a server, as long as the environment and the folder stay what they are now."""
    global _usual
    _usual = _surroundings()


def child_server() -> ChildServer | None:
    """The server, started at the first call. None if a child must be a new process."""
    global _server
    if _usual != _surroundings():
        return None
    if _server is None or _server.owner != os.getpid():
        _server = ChildServer()
    return _server


def child_environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _surroundings() -> tuple[object, ...]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return os.getpid(), os.getcwd(), environment, tuple(sys.path)


async def _pipe() -> tuple[asyncio.StreamReader, int]:
    """What comes out of a pipe, and the end into which a child writes."""
    receiving, sending = os.pipe()
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(receiving, "rb", 0))
    return reader, sending


def fork_at_each_request(control_fd: int, prepare: Callable[[dict[str, Any]], None], main: Callable[[], None]) -> None:
    """In the server, until the tests' process ends: fork at each request, and say how each child ended.

    `prepare` gets the request in the server, and `main` runs in the child.
    """
    control = socket.socket(fileno=control_fd)
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(waking)
    running: dict[int, int] = {}
    while True:
        ready = select.select([control, woken], [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
            _tell_ends(running)
        if control not in ready:
            continue
        asked, fds, *_ = socket.recv_fds(control, 1, 4)
        if not asked:
            return
        prepare(json.loads(os.pread(fds[0], os.fstat(fds[0]).st_size, 0)))
        pid = os.fork()
        if not pid:
            _become_child(fds, [control.detach(), woken, waking, *running.values()])
            _run(main)
        for fd in fds[:3]:
            os.close(fd)
        running[pid] = fds[3]
        os.write(fds[3], f"{pid}\n".encode())


def _tell_ends(running: dict[int, int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            fd = running.pop(pid)
            with contextlib.suppress(BrokenPipeError):
                os.write(fd, f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os.close(fd)


def _become_child(fds: list[int], of_the_server: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for fd in of_the_server:
        os.close(fd)
    for number, fd in enumerate(fds[:3]):
        os.dup2(fd, number)
    for fd in fds:
        os.close(fd)


def _run(main: Callable[[], None]) -> NoReturn:
    """Run it and end, without the interpreter's farewell, which would copy all of the server's memory."""
    status = 1
    try:
        main()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
