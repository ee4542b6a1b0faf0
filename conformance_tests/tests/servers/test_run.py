"""However a run ends, its servers and files end with it. The server here is `sleep`, the run a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from agentkeep_conformance.servers import guard
from agentkeep_conformance.servers.process import Process
from agentkeep_conformance.servers.run import free_ports

pytestmark = pytest.mark.skipif(os.name != "posix", reason="NOT RUN: servers are started by us on POSIX systems only")

BEGIN = """
import os, sys
from agentkeep_conformance.servers.run import current_run
run = current_run()
run.process("sleeper", ["sleep", "600"])
print(run.folder, flush=True)
"""
WAIT = "import time; time.sleep(600)"
WITHIN = 20.0


class StartedProcess:
    """A run in a process of its own, with one server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.folder = Path(process.stdout.readline().strip())
        poll(lambda: "sleep" in self.commands())
        self.server = psutil.Process(int((self.folder / "pids" / "sleeper").read_text()))
        self.guards = [child for child in psutil.Process(process.pid).children() if "guard.py" in str(child.cmdline())]

    def commands(self) -> list[str]:
        return [process.name() for process in guard.processes_of(self.folder)]

    def is_gone(self) -> bool:
        return not self.folder.exists() and not guard.is_alive(self.server)


def poll(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline, "not within the bound"
        time.sleep(0.05)


Begin = Callable[[str], StartedProcess]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    processes: list[subprocess.Popen[str]] = []

    def one(program: str) -> StartedProcess:
        command = [sys.executable, "-c", BEGIN + program]
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        )
        return StartedProcess(processes[-1])

    yield one
    for process in processes:
        process.kill()
        process.communicate()
    for folder in tmp_path.glob("agentkeep-servers-*/run-*"):
        guard.clean(folder)


def test_a_run_that_ends_leaves_nothing(begin: Begin) -> None:
    run = begin("sys.stdin.close(); import time; time.sleep(1)")
    run.process.wait(WITHIN)
    assert run.is_gone()


def test_a_run_that_ends_has_nothing_to_warn_of(tmp_path: Path) -> None:
    """A child that nobody asked after, or one forked with the run in it, is a ResourceWarning at the end."""
    fork = "pid = os.fork()\nif pid: os.waitpid(pid, 0)\n"
    command = [sys.executable, "-X", "dev", "-c", BEGIN + fork]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WITHIN, check=True)
    assert done.stderr == ""
    assert not Path(done.stdout.splitlines()[0]).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_interrupted_or_killed_leaves_nothing(number: signal.Signals, begin: Begin) -> None:
    run = begin(WAIT)
    run.process.send_signal(number)
    run.process.wait(WITHIN)
    poll(run.is_gone)


def test_a_killed_run_whose_forked_child_lives_on_leaves_nothing(begin: Begin) -> None:
    run = begin("pid = os.fork()\nprint(pid or '', end=chr(10) if pid else '', flush=True)\n" + WAIT)
    assert run.process.stdout is not None
    child = psutil.Process(int(run.process.stdout.readline()))
    try:
        run.process.kill()
        run.process.wait()
        poll(run.is_gone)
        assert guard.is_alive(child)
    finally:
        child.kill()


def test_a_forked_child_that_ends_leaves_the_run_alone(begin: Begin) -> None:
    run = begin("pid = os.fork()\nif not pid: sys.exit()\nos.waitpid(pid, 0)\nprint('ended', flush=True)\n" + WAIT)
    assert run.process.stdout is not None
    assert run.process.stdout.readline() == "ended\n"
    assert guard.is_alive(run.server)
    assert run.folder.exists()


def test_what_a_run_left_whose_guard_was_killed_too_goes_at_the_next_start(begin: Begin) -> None:
    run = begin(WAIT)
    for process in [*run.guards, run.process]:
        process.kill()
    run.process.wait()
    assert len(run.guards) == 1
    assert guard.is_alive(run.server)
    other = begin(WAIT)
    assert run.is_gone()
    assert guard.is_alive(other.server)


def test_a_living_run_is_left_alone_by_the_next_one(begin: Begin) -> None:
    first, second = begin(WAIT), begin(WAIT)
    assert first.folder != second.folder
    assert guard.is_alive(first.server)
    assert first.folder.exists()


def test_a_process_that_only_inherited_a_number_is_left_alone(tmp_path: Path) -> None:
    record = tmp_path / "server"
    record.write_text(str(os.getpid()))
    assert [process.pid for process in guard.recorded(record)][-1] == os.getpid()
    before = psutil.Process().create_time() - 60
    os.utime(record, (before, before))
    assert guard.recorded(record) == []


def test_a_killed_process_starts_again_and_its_children_went_with_it(tmp_path: Path) -> None:
    command = ["sh", "-c", "sleep 600 & echo began; wait"]
    process = Process(command, record=tmp_path / "pid", log=tmp_path / "log", folder=tmp_path)
    process.start()
    try:
        poll(lambda: len(guard.recorded(tmp_path / "pid")) == 2)
        first = guard.recorded(tmp_path / "pid")
        process.kill()
        assert not any(map(guard.is_alive, first))
        assert not process.alive()
        process.start()
        poll(lambda: process.last_words() == "began began")
    finally:
        process.kill()


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20
