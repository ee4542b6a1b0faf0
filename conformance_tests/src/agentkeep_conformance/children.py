"""Other processes with an instance of their own, on the same data.

The child imports the enrolled class, so that it opens its own adapter, and runs an importable async function on it:

    async def append_some(keep: Keep, session_id: str, count: int) -> int: ...
    assert await database.in_process(append_some, "s1", 10) == 10

Arguments and results travel as JSON. A function may also `report()` values while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any, TextIO, cast

from agentkeep import Keep

from agentkeep_conformance.child_server import (
    LINE_BYTES,
    ForkedProcess,
    child_environment,
    child_server,
    fork_at_each_request,
)
from agentkeep_conformance.enrolment import Enrolment

ChildFunction = Callable[..., Coroutine[Any, Any, Any]]
"""An importable `async def function(keep: View, *args)`, giving JSON."""

_reports_to: TextIO | None = None


class ChildFailed(AssertionError):
    """The child ended without a result; its traceback is the message."""


class Child:
    """A running child process."""

    def __init__(self, process: asyncio.subprocess.Process | ForkedProcess) -> None:
        self.process = process
        self._stderr = asyncio.ensure_future(_all_of(process.stderr))

    async def reports(self) -> AsyncIterator[Any]:
        """What the child reports, until it ends or is killed."""
        while (line := await self._line()) and "report" in line:
            yield line["report"]

    async def result(self) -> Any:
        """What its function returned. Raises `ChildFailed`."""
        line = await self._line()
        while line is not None and "result" not in line:
            line = await self._line()
        stderr = await self._stderr
        if await self.process.wait() != 0 or line is None:
            raise ChildFailed(f"the child ended with {self.process.returncode}:\n{stderr}")
        return line["result"]

    async def kill(self) -> None:
        """SIGKILL, then wait for its end. Does nothing to one that has ended."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._stderr

    async def _line(self) -> dict[str, Any] | None:
        line = await cast("asyncio.StreamReader", self.process.stdout).readline()
        return json.loads(line) if line.endswith(b"\n") else None


async def _all_of(stream: asyncio.StreamReader | None) -> str:
    return (await stream.read()).decode(errors="replace") if stream else ""


async def spawn(
    enrolment: type[Enrolment],
    dsn: str,
    namespace: str,
    function: ChildFunction,
    args: tuple[Any, ...],
    *,
    tenant: str,
    idle_ttl: timedelta | None,
    copies: int | None = None,
) -> Child:
    """Start a child that opens a keep of `enrolment` and runs `function` on it.

    With `copies` it forks into that many processes before it opens anything: each runs `function(keep, number, *args)`
    on a keep of its own, and the result is the list of theirs. Cheaper than as many children, which import all anew.
    """
    request = {
        "enrolment": _where(enrolment),
        "function": _where(function),
        "dsn": dsn,
        "namespace": namespace,
        "args": args,
        "tenant": tenant,
        "idle_ttl": idle_ttl and idle_ttl.total_seconds(),
        "copies": copies,
    }
    server = child_server()
    return Child(await (server.fork(request) if server else _execute(request)))


async def _execute(request: dict[str, Any]) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"from {__name__} import main; main()",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_BYTES,
        env=child_environment(),
    )
    stdin = cast("asyncio.StreamWriter", process.stdin)
    stdin.write(json.dumps(request).encode())
    stdin.close()
    return process


def report(value: Any) -> None:
    """In a child: tell the parent something now, such as what was acknowledged so far."""
    _say({"report": value})


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), file=_reports_to, flush=True)


def _where(thing: Any) -> dict[str, str]:
    """How another process finds a class or function: test modules are not always importable by their name."""
    file = sys.modules[thing.__module__].__file__
    return {"module": thing.__module__, "file": os.path.abspath(file or ""), "name": thing.__qualname__}


def _find(where: dict[str, str]) -> Any:
    """Raises `ImportError`."""
    module: Any = None
    try:
        module = importlib.import_module(where["module"])
    except ImportError:
        module = None
    if module is None or os.path.abspath(module.__file__ or "") != where["file"]:
        spec = importlib.util.spec_from_file_location(where["module"].replace(".", "_"), where["file"])
        if spec is None or spec.loader is None:
            raise ImportError(f"can't import {where['file']}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    for name in where["name"].split("."):
        module = getattr(module, name)
    return module


def import_all(request: dict[str, Any]) -> None:
    """Import what the request names, if that can be done; whoever runs the request says what is missing."""
    for name in ("enrolment", "function"):
        with contextlib.suppress(Exception):
            _find(request[name])


def _run_all(request: dict[str, Any]) -> Any:
    """What the function returned, in this process or in copies of it."""
    import_all(request)  # once, before any copy is made
    if request["copies"] is None:
        return asyncio.run(_run(request))
    copies = [_fork(request | {"args": [number, *request["args"]]}) for number in range(request["copies"])]
    results = [(pid, pipe.read()) for pid, pipe in copies]
    failed = [pid for pid, _ in results if os.waitpid(pid, 0)[1]]
    if failed:
        raise ChildFailed(f"{len(failed)} of {len(copies)} copies failed")
    return [json.loads(result) for _, result in results]


def _fork(request: dict[str, Any]) -> tuple[int, TextIO]:
    """A copy of this process that runs the request: its id, and where its result comes out."""
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid:
        os.close(sending)
        return pid, os.fdopen(receiving)
    status = 1
    try:
        result = json.dumps(asyncio.run(_run(request)))
        with os.fdopen(sending, "w") as pipe:
            pipe.write(result)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


async def _run(request: dict[str, Any]) -> Any:
    enrolment: Enrolment = _find(request["enrolment"])()
    function: ChildFunction = _find(request["function"])
    idle_ttl = None if request["idle_ttl"] is None else timedelta(seconds=request["idle_ttl"])
    adapter = enrolment.open(request["dsn"], request["namespace"])
    async with Keep(adapter, tenant=request["tenant"], idle_ttl=idle_ttl) as keep:
        return await function(keep, *request["args"])


def main() -> None:
    """In a child: read the request, run it, say the result. Standard output is kept for that: prints go elsewhere."""
    global _reports_to
    _reports_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _say({"result": _run_all(json.loads(sys.stdin.read()))})


def serve(control_fd: int) -> None:
    """In the process that forks children."""
    fork_at_each_request(control_fd, import_all, main)
