"""Crashes of an embedded database at each step that it takes on its files: nothing acknowledged is lost (FLT-1)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import pytest
from agentkeep import Keep, View

from agentkeep_conformance.clauses import needs_files, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.disk.records import Step, recording, steps_of
from agentkeep_conformance.disk.states import Crash, Disk
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.racing import batches_of, messages_of
from agentkeep_conformance.samples import ids, log
from agentkeep_conformance.servers import NotRun

_APPENDS = 3
_NOTES = "notes of the test"
_SURVIVED: dict[str, tuple[Crash, ...]] = {
    "os": ("a killed process",),
    "fsync": get_args(Crash),
    "replicated": get_args(Crash),
}
"""What is acknowledged survives these crashes, for each grade of durability."""


async def append_and_note(keep: View, folder: str, appends: int) -> None:
    """In a child process: note each append, in a file beside the data, before it starts and when it is acknowledged."""
    with _notes_in(folder) as notes:
        await keep.sessions.create("s")
        notes.write(b"[]\n")
        for batch in islice(batches_of("b"), appends):
            notes.write(json.dumps({"started": batch}).encode() + b"\n")
            await keep.messages.append(
                "s", messages_of(batch), update={"state": {"last": batch[-1]}}, add={"appends": 1}
            )
            notes.write(json.dumps({"acknowledged": batch}).encode() + b"\n")


def _notes_in(folder: str) -> FileIO:
    return FileIO(Path(folder, _NOTES), "ab")


@dataclass
class _Known:
    """What the child's notes say at some moment."""

    created: bool = False
    started: list[list[str]] = field(default_factory=list[list[str]])
    acknowledged: int = 0

    def note(self, line: bytes) -> None:
        said = json.loads(line)
        self.created = True
        if "started" in said:
            self.started.append(said["started"])
        self.acknowledged += "acknowledged" in said


class PowerCuts:
    @proves("FLT-1", "ORD-2", "ORD-6", "CNT-1", "CNT-2")
    @needs_files
    @pytest.mark.parametrize("crash", get_args(Crash))
    async def test_no_crash_at_any_step_on_a_file_loses_what_was_acknowledged(
        self, database: Database, tmp_path: Path, crash: Crash
    ) -> None:
        steps = await _recorded(database, tmp_path)
        capabilities = (await database.keep()).capabilities
        if not capabilities.shared:
            assert all(map(_is_note, steps)), "it writes files, and declares that no other process sees the data"
            assert capabilities.durability not in _SURVIVED, (
                f"it writes no file, and declares {capabilities.durability}"
            )
            return
        assert sum(not _is_note(step) for step in steps) > _APPENDS, "the appends did not reach the files"
        survives = crash in _SURVIVED.get(capabilities.durability, ())
        for number, disk, known in _moments(steps, Path(database.dsn), crash):
            with TemporaryDirectory(dir=tmp_path) as folder:
                disk.leave(crash, Path(folder))
                try:
                    await _check(database, folder, known, known.acknowledged if survives else 0)
                except Exception as error:
                    step = f"{crash} after step {number} ({steps[number].kind} {Path(steps[number].path).name})"
                    raise AssertionError(f"{step}: {type(error).__name__}: {error}") from error


async def _recorded(database: Database, tmp_path: Path) -> list[Step]:
    """What a child did to its files, with its notes among the steps."""
    records = tmp_path.with_suffix(".records")
    try:
        with recording(Path(database.dsn), records):
            child = await database.spawn(append_and_note, database.dsn, rounds_of(database, _APPENDS, nightly=20))
    except NotRun as reason:
        pytest.skip(f"NOT RUN: {reason}")
    await child.result()
    return await asyncio.to_thread(steps_of, records)


def _is_note(step: Step) -> bool:
    return Path(step.path).name == _NOTES


def _moments(steps: list[Step], folder: Path, crash: Crash) -> Iterator[tuple[int, Disk, _Known]]:
    """Each step after which this crash leaves other files than before, or after which more is promised."""
    disk, known, before = Disk(folder), _Known(), ""
    for number, step in enumerate(steps):
        if not _is_note(step):
            disk.do(step)
        elif step.kind == "write":
            known.note(step.data)
        now = f"{known} {disk.digest(crash)}"
        if now != before:
            yield number, disk, known
        before = now


async def _check(database: Database, folder: str, known: _Known, promised: int) -> None:
    """What is there after a crash: batches that had started, in order and whole, and all those that are promised."""
    async with Keep(database.enrolment.open(folder, database.namespace)) as keep:
        session = await keep.sessions.find("s")
        if session is None:
            assert not (known.created and promised), "the session is gone"
            return
        found = ids(await log(keep, "s"))
    starts = [sum(known.started[:count], list[str]()) for count in range(len(known.started) + 1)]
    assert found in starts, f"{found} are no whole batches in the order of the calls {known.started}"
    landed = starts.index(found)
    assert landed >= promised, f"{promised} appends were acknowledged, {landed} are there"
    assert (session.message_count, session.last_seq) == (len(found), len(found))
    assert session.counters == ({"appends": landed} if landed else {})
    assert session.state == ({"last": found[-1]} if landed else {})
