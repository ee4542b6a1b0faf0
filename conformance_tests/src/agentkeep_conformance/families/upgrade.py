"""What earlier releases stored is opened, migrated, read and written on by today's code; a later one's is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from agentkeep import Keep, NewMessage, SchemaMissing

from agentkeep_conformance import corpus
from agentkeep_conformance.clauses import needs, proves
from agentkeep_conformance.database import Database

NO_CORPUS = "no stored format was released before this one"
NO_SCHEMA = "it keeps no schema"


class Upgrade:
    @proves("LIFE-1", "FID-1", "ORD-1")
    @needs("corpora", NO_CORPUS)
    async def test_what_each_release_stored_is_read_and_written_on(self, database: Database) -> None:
        for file in database.enrolment.corpora:
            older = await _loaded(database, file)
            keep = await older.keep()
            assert await corpus.read(keep) == corpus.expected(file), f"{file.name} is read differently today"
            await self._goes_on(keep, await older.keep())

    async def _goes_on(self, keep: Keep, twin: Keep) -> None:
        """A migrated session takes messages, ids and compare-and-swap as a new one does."""
        before = await keep.sessions.get("full")
        [added] = await keep.messages.append("full", [NewMessage(role="user", id="today", content="x")])
        assert added.seq == before.last_seq + 1
        [again] = await twin.messages.append("full", [NewMessage(role="user", id="last")])
        assert again.seq == before.last_seq
        several = [keep.messages.append(id, [NewMessage(role="user")]) for id in ("full", "fork") * 3]
        assert [appended.new for appended in await asyncio.gather(*several)] == [1] * 6
        await twin.sessions.update("full", expected_version=before.version, title="today")
        assert [session.id for session in (await keep.sessions.list(metadata={"k": "v"})).items] == ["full", "fork"]
        await keep.sessions.create("gone")
        assert await twin.sessions.count() == 4
        assert await twin.for_tenant("other").sessions.count() == 1

    @proves("LIFE-1")
    @needs("corpora", NO_CORPUS)
    async def test_two_instances_migrate_at_once(self, database: Database) -> None:
        for file in database.enrolment.corpora:
            older = await _loaded(database, file)
            keeps = await asyncio.gather(*(older.keep() for _ in range(4)))
            for keep in keeps:
                assert await corpus.read(keep) == corpus.expected(file)

    @proves("LIFE-1")
    @needs("has_schema", NO_SCHEMA)
    async def test_a_schema_that_is_anothers_is_used_and_never_made(self, database: Database) -> None:
        for _ in range(2):
            with pytest.raises(SchemaMissing) as caught:
                await database.keep(manage_schema=False)
            assert str(caught.value)
        await (await database.keep()).close()
        keep = await database.keep(manage_schema=False)
        await keep.sessions.create("s")
        assert await keep.messages.append("s", [NewMessage(role="user", id="m")])
        assert await keep.sessions.delete("s")


async def _loaded(database: Database, file: Path) -> Database:
    """A namespace that holds the corpus; if the database is a file, in a directory of its own."""
    older = database.other_namespace()
    if database.enrolment.server.embedded:
        older.dsn = await asyncio.to_thread(_directory, database.dsn, older.namespace)
    await database.enrolment.load_corpus(older.dsn, older.namespace, file)
    return older


def _directory(parent: str, name: str) -> str:
    directory = Path(parent, name)
    directory.mkdir()
    return str(directory)
