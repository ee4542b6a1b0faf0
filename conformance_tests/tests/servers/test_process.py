"""A server that is killed is gone with all its children, also those that it would start meanwhile."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
from agentkeep_conformance.samples import PATIENCE_SECONDS
from agentkeep_conformance.servers.process import Process

RESTARTS_ITS_CHILDREN = """
import os, signal, sys, time
def child():
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        while True:
            time.sleep(60)
signal.signal(signal.SIGCHLD, lambda *_: child())
for _ in range(100):
    child()
open(sys.argv[1], "w").close()
while True:
    time.sleep(60)
"""
"""As PostgreSQL's first process does when a child of it dies."""


def of_session(session: int) -> list[int]:
    """The living processes that a server's first one is the leader of."""
    found: list[int] = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def test_no_child_outlives_a_kill(tmp_path: Path) -> None:
    record, ready = tmp_path / "pid", tmp_path / "ready"
    command = [sys.executable, "-c", RESTARTS_ITS_CHILDREN, str(ready)]
    server = Process(command, record=record, log=tmp_path / "log", folder=tmp_path)
    server.start()
    try:
        waited = 0.0
        while not ready.exists():
            time.sleep(0.05)
            waited += 0.05
            assert waited < PATIENCE_SECONDS, server.last_words()
        session = int(record.read_text())
        assert len(of_session(session)) == 101
    finally:
        server.kill()
    assert of_session(session) == []
