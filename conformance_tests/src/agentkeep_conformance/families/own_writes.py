"""Who wrote sees it at once in listings, counts and searches, whatever others write and read meanwhile (ORD-5)."""

from __future__ import annotations

import asyncio

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.families.searching import found
from agentkeep_conformance.racing import all_of
from agentkeep_conformance.samples import ids, said

_CALLERS = 24


class OwnWrites:
    @proves("ORD-5", "CNT-1")
    @pytest.mark.parametrize("where", ["the same keep", "another keep"])
    async def test_each_of_many_callers_sees_its_own_writes_at_once(
        self, database: Database, keep: Keep, twin: Keep, where: str
    ) -> None:
        reader = keep if where == "the same keep" else twin

        async def write_and_look(number: int) -> None:
            user, word = f"u{number}", f"needle{number}x"
            for _ in range(number % 7):  # else all are at the same step
                await asyncio.sleep(0)
            session = await keep.sessions.create(user_id=user, metadata={"own": number})
            assert ids((await reader.sessions.list(user_id=user)).items) == [session.id]
            await keep.messages.append(session.id, [said(word, id=word)], update={"title": word})
            [shown] = (await reader.sessions.list(metadata={"own": number})).items
            assert (shown.title, shown.message_count) == (word, 1)
            if keep.capabilities.search:
                assert await found(reader, word) == [word]
            await keep.sessions.update(session.id, metadata={"own": "changed"})
            assert await reader.sessions.count(metadata={"own": number}) == 0
            await keep.sessions.delete(session.id)
            assert await reader.sessions.count(user_id=user) == 0

        for _ in range(rounds_of(database, 2)):
            await all_of(write_and_look(number) for number in range(_CALLERS))
