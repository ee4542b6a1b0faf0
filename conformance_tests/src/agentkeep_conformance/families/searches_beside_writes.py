"""A search of several pages while other sessions, and its own, are written: what was there is found, each once."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from agentkeep import Keep, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.samples import ids, said
from agentkeep_conformance.small_steps import small_steps

_MESSAGES = 14


class SearchesBesideWrites:
    @proves("SRCH-1")
    async def test_a_search_beside_writers_finds_each_message_once(
        self, database: Database, keep: Keep, twin: Keep
    ) -> None:
        """Its order is by how well a message fits, and that may change with each message that others write."""
        if not keep.capabilities.search:
            return database.refused("search")
        stored = [f"m{number:02}" for number in range(_MESSAGES)]
        await keep.sessions.create("s", user_id="u")
        for number, id in enumerate(stored):
            await keep.messages.append("s", [said("needle " * (1 + number % 5) + "hay " * number, id=id)])
        with small_steps(database.enrolment.small_steps):
            writers = [asyncio.create_task(_write_forever(each, f"other{at}")) for at, each in enumerate((keep, twin))]
            try:
                for _ in range(rounds_of(database, 6)):
                    for filters in ({"session_id": "s"}, {"user_id": "u"}):
                        found = ids(hit.message for hit in await keep.messages.search("needle", limit=40, **filters))
                        assert sorted(found) == stored, filters
            finally:
                for writer in writers:
                    writer.cancel()
                for writer in writers:
                    with suppress(asyncio.CancelledError):
                        await writer


async def _write_forever(keep: View, session_id: str) -> None:
    number = 0
    while True:
        number += 1
        text = "needle " * (number % 7) + "hay " * (number % 50)
        await keep.messages.append(session_id, [said(text)], create={})
        await keep.messages.search("needle", session_id=session_id, limit=1)
