"""The 200 real trajectories: imported, given back equal, and never lost by an import that was killed (FLT-1)."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from agentkeep_conformance.outcomes import TIER

from .conftest import SCRIPT, Run, without_versions

KILLS, EVERYDAY_KILLS = 50, 12
"""After each kill the whole database is exported (2 to 3 seconds in all). The nightly tier has all fifty, the everyday
tier as many as take half a minute; both go on until one import has gone on where a killed one had stopped."""
SEED = 20_260_207
LONGEST_AFTER = 0.02
"""Seconds from an acknowledgement to the kill. Some sessions are imported meanwhile: one takes about 4 ms."""


def by_place(trajectories: list[dict[str, Any]]) -> dict[tuple[int, int], dict[str, Any]]:
    return {(trajectory["task_id"], trajectory["trial"]): trajectory for trajectory in trajectories}


def exported(run: Run, url: str) -> dict[tuple[int, int], dict[str, Any]]:
    return by_place(run("--url", url, "export", "--format", "chat").lines())


def test_import_and_export(run: Run, transcripts: Path, own_folder: Path) -> None:
    trajectories = json.loads(transcripts.read_bytes())
    assert run("import", str(transcripts)).out == "200 sessions (200 created), 5,308 new messages\n"
    assert exported(run, "sqlite:///chat.db") == by_place(trajectories)
    assert run("import", str(transcripts)).out == "200 sessions (200 unchanged), 0 new messages\n"
    whole = run("export").out
    (own_folder / "whole.jsonl").write_text(whole, encoding="utf-8")
    run("--url", "sqlite:///other.db", "import", "whole.jsonl")
    assert without_versions(run("--url", "sqlite:///other.db", "export").out) == without_versions(whole)


def import_until_killed(url: str, path: Path, *, after_sessions: int, and_seconds: float) -> tuple[bool, set[str]]:
    """Whether the kill met a living import, and the sessions that it had acknowledged by then."""
    command = [SCRIPT, "--url", url, "import", "--json", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        out = b"".join(process.stdout.readline() for _ in range(after_sessions))
        sleep(and_seconds)
        process.kill()
        out += process.stdout.read()
    whole_lines = out.split(b"\n")[:-1]
    return process.returncode == -signal.SIGKILL, {json.loads(line)["session"] for line in whole_lines}


def whole_sessions(run: Run, url: str, expected: dict[tuple[int, int], dict[str, Any]], stem: str) -> set[str]:
    """The sessions that hold all their messages. Each other one must be empty: created, and no append yet."""
    found = exported(run, url)
    for place, trajectory in found.items():
        assert trajectory in (expected[place], {**expected[place], "traj": []})
    return {f"{stem}-{task}-{trial}" for (task, trial), trajectory in found.items() if trajectory["traj"]}


@pytest.fixture
def wanted_kills(request: pytest.FixtureRequest) -> int:
    return KILLS if request.config.stash[TIER] == "nightly" else EVERYDAY_KILLS


def test_killed_imports_lose_nothing_and_leave_no_half(run: Run, transcripts: Path, wanted_kills: int) -> None:
    """Each import goes on with the database that the killed one left; a whole one makes way for a new one."""
    expected = by_place(json.loads(transcripts.read_bytes()))
    moments = random.Random(SEED)
    kills = resumed = 0
    database, acknowledged = 1, set[str]()
    url = ""
    for _ in range(wanted_kills * 10):
        url = f"sqlite:///{database}.db"
        resumed += bool(acknowledged)
        after, seconds = moments.randrange(1, len(expected)), moments.uniform(0, LONGEST_AFTER)
        killed, told = import_until_killed(url, transcripts, after_sessions=after, and_seconds=seconds)
        kills += killed
        acknowledged |= told
        whole = whole_sessions(run, url, expected, transcripts.stem)
        assert acknowledged <= whole
        if kills >= wanted_kills and resumed:
            break
        if len(whole) == len(expected):
            database, acknowledged = database + 1, set[str]()
    assert kills >= wanted_kills
    assert resumed > 0, "no import went on where a killed one had stopped: this proves little"
    assert run("--url", url, "import", str(transcripts)).code == 0
    assert exported(run, url) == expected
