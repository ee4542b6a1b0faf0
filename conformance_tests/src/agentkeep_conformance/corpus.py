"""What a release stored, kept for the releases after it, which have to read it (LIFE-1).

    agentkeep-conformance corpus adapters/NAME/tests/test_conformance.py::TestName 0.1.0 FOLDER

opens today's code on an empty database, stores the sessions below, and writes `0.1.0.stored` (by the enrolment's
`save_corpus`) and beside it `0.1.0.json`: what reading gave. Made once, at a release, and never changed after it.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from agentkeep import Keep, Message, NewMessage, Session, View

from agentkeep_conformance.database import Database
from agentkeep_conformance.enrolment import Enrolment


class Stored(msgspec.Struct, frozen=True):
    """A session as a release gave it back."""

    session: Session
    messages: list[Message]


async def fill(keep: Keep) -> None:
    """A little of everything that is stored."""
    noon = datetime(2026, 1, 1, 12, 0, 0, 1, UTC)
    metadata = {"k": "v", "n": 1, "x": 1.0, "none": None, "a.b": True, "deep": [{"$": 2**70}]}
    await keep.sessions.create(
        "full", user_id="u1", agent_name="a", title="é🙂", state={"b": 1, "a": -0.0}, metadata=metadata
    )
    await keep.messages.append("full", [_message(number, noon) for number in range(1, 6)])
    if keep.capabilities.search:  # some databases move messages, or index them, before the first search
        await keep.messages.search("1")
    await keep.messages.append(
        "full", [NewMessage(role="user", id="last")], update={"status": "completed"}, add={"n": 2**53 - 1}, keep_last=4
    )
    await keep.sessions.fork("full", at_seq=4, new_id="fork")
    await keep.sessions.create("empty", ttl=timedelta(days=36_000), idle_ttl=timedelta(days=36_000))
    await keep.sessions.create("gone")
    await keep.sessions.delete("gone")
    await keep.for_tenant("other").sessions.create("full", user_id="u1")


def _message(number: int, noon: datetime) -> NewMessage:
    return NewMessage(
        role="assistant",
        id=f"m{number}",
        content=[{"type": "text", "text": f"\x00 {number}"}],
        tool_calls=[{"id": f"c{number}", "function": {"name": "f", "arguments": "{}"}}],
        event={"z": 1, "a": [1.0, 10**30]},
        metadata={"m": number},
        created_at=noon + timedelta(microseconds=number),
    )


async def read(keep: View) -> list[Stored]:
    """All sessions of the keep's tenant with their messages, by id."""
    found = [
        Stored(session, [message async for message in keep.messages.iterate(session.id)])
        async for session in keep.sessions.iterate()
    ]
    return sorted(found, key=lambda stored: stored.session.id)


def expected(file: Path) -> list[Stored]:
    """What reading the corpus `file` has to give."""
    return msgspec.json.decode(file.with_suffix(".json").read_bytes(), type=list[Stored])


async def make(enrolment: Enrolment, dsn: str, file: Path) -> None:
    """Write a corpus of what today's code stores."""
    database = Database(enrolment, dsn)
    try:
        async with Keep(database.unopened()) as keep:
            await fill(keep)
            file.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(await read(keep)), indent=1))
        await enrolment.save_corpus(dsn, database.namespace, file)
    finally:
        await database.close()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("enrolment", metavar="FILE::CLASS", help="a test module and the enrolled class in it")
    parser.add_argument("release", help="whose storage format this is: 0.1.0")
    parser.add_argument("folder", type=Path, help="where the enrolment's `corpora` looks")


def run(arguments: argparse.Namespace) -> int:
    """0 if the corpus was written, 2 if there is no such enrolment."""
    module, _, name = arguments.enrolment.partition("::")
    spec = importlib.util.spec_from_file_location("enrolment", module) if Path(module).is_file() else None
    if spec is None or spec.loader is None:
        print(f"can't import {module!r}", file=sys.stderr)
        return 2
    found: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    if not hasattr(found, name):
        print(f"{module} has no class {name!r}: give FILE::CLASS", file=sys.stderr)
        return 2
    enrolment: Enrolment = getattr(found, name)()
    with tempfile.TemporaryDirectory() as directory:
        dsn = directory if enrolment.server.embedded else enrolment.server.dsn
        asyncio.run(make(enrolment, dsn, arguments.folder / f"{arguments.release}.stored"))
    return 0
