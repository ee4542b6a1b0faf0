"""Two prefixes in one database never meet (ISO-3)."""

from __future__ import annotations

import pytest
from agentkeep import Keep

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.isolation import furnish, seen, try_verb
from agentkeep_conformance.families.lifecycle import VERBS
from agentkeep_conformance.samples import log, numbered, seqs


class Prefixes:
    @proves("ISO-3")
    @pytest.mark.parametrize("verb", VERBS)
    async def test_two_prefixes_in_one_database_never_meet(self, database: Database, keep: Keep, verb: str) -> None:
        neighbour = await database.other_namespace(f"{database.namespace}_").keep()
        await furnish(keep, "canary")
        before = await seen(keep)
        assert "canary" not in await try_verb(neighbour, verb)
        await neighbour.sessions.delete_many(agent_name="a")
        await neighbour.sweep()
        assert await seen(keep) == before

    @proves("ISO-3")
    async def test_prefixes_that_look_like_patterns_of_each_other(self, database: Database, keep: Keep) -> None:
        name = database.namespace
        neighbours = [
            await database.other_namespace(other).keep() for other in (f"{name}s", name[:-1] + "_", name[:-1], name[:6])
        ]
        for number, neighbour in enumerate([keep, *neighbours]):
            await neighbour.sessions.create("s", title=str(number))
            await neighbour.messages.append("s", numbered(number + 1))
        for number, neighbour in enumerate([keep, *neighbours]):
            [session] = (await neighbour.sessions.list()).items
            assert (session.title, session.message_count) == (str(number), number + 1)
            assert seqs(await log(neighbour, "s")) == list(range(1, number + 2))
            assert await neighbour.sessions.delete("s")
