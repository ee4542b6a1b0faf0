"""Wrappers around the adapter: one that delegates everything, and one that stores other bytes (WRAP-1).

Whole suites run through both in enrolments of their own; here each adapter meets what is hard about a wrapper.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from agentkeep import Conflict, Keep, PersistenceAdapter
from agentkeep.records import MessageRange, Scope
from agentkeep.wrappers import Wrapper

from agentkeep_conformance.clauses import proves, takes_long
from agentkeep_conformance.database import Database
from agentkeep_conformance.operations import READS, WRITES, furnish, world_of
from agentkeep_conformance.samples import FULL_SESSION, numbered, said, seqs, whole
from agentkeep_conformance.wrapping import Sealing

WRAPPERS: dict[str, Callable[[PersistenceAdapter], PersistenceAdapter]] = {
    "delegating": Wrapper,
    "delegating twice": lambda adapter: Wrapper(Wrapper(adapter)),
    "sealing": Sealing,
    "sealing around delegating": lambda adapter: Sealing(Wrapper(adapter)),
}


class Wrapped:
    @takes_long
    @proves("WRAP-1")
    @pytest.mark.parametrize("wrapper", WRAPPERS)
    async def test_each_verb_does_the_same_through_a_wrapper(
        self, database: Database, keep: Keep, wrapper: str
    ) -> None:
        async with Keep(WRAPPERS[wrapper](database.unopened())) as wrapped:
            assert (wrapped.capabilities, wrapped.adapter.name) == (keep.capabilities, keep.adapter.name)
            for name, operation in WRITES.items():
                bare, through = keep.for_tenant(f"bare {name}"), wrapped.for_tenant(f"wrapped {name}")
                for view in (bare, through):
                    await furnish(view)
                    await operation.run(view)
                assert await world_of(through) == await world_of(bare), name
            await furnish(wrapped.for_tenant("reads"))
            async with Keep(WRAPPERS[wrapper](database.unopened())) as twin:
                reader = keep if wrapper.startswith("delegating") else twin
                for name, read in READS.items():
                    found = await read(wrapped.for_tenant("reads"))
                    assert found == await read(reader.for_tenant("reads")), name
            assert (await wrapped.health()).adapter == keep.adapter.name
            assert await wrapped.sweep() == 0

    @proves("WRAP-1", "IDEM-1", "IDEM-3")
    @pytest.mark.parametrize("wrapper", WRAPPERS)
    async def test_a_repetition_is_one_whatever_bytes_are_stored(
        self, database: Database, keep: Keep, wrapper: str
    ) -> None:
        async with Keep(WRAPPERS[wrapper](database.unopened())) as wrapped:
            await wrapped.sessions.create("s", **FULL_SESSION)
            first = await wrapped.messages.append("s", numbered(3), update={"title": "t"}, add={"n": 2})
            before = await whole(wrapped, "s")
            again = await wrapped.messages.append("s", numbered(3), update={"title": "u"}, add={"n": 2})
            assert (list(again), again.version, again.last_seq, again.new) == (list(first), first.version, 3, 0)
            with pytest.raises(Conflict) as caught:
                await wrapped.messages.append("s", [said("other", id="m1")])
            assert caught.value.kind == "message_id"
            with pytest.raises(Conflict) as caught:
                await wrapped.messages.append("s", numbered(4))
            assert caught.value.kind == "batch"
            assert await whole(wrapped, "s") == before
            skipped = await wrapped.messages.append("s", numbered(5), stored="skip")
            assert (seqs(skipped), skipped.new) == ([1, 2, 3, 4, 5], 2)
            changed = await wrapped.messages.update("s", "m2", content="[removed]")
            assert await wrapped.messages.get("s", "m2") == changed
            with pytest.raises(Conflict):
                await wrapped.messages.append("s", [said("text 2", id="m2")])
            assert seqs(await wrapped.messages.append("s", [said("[removed]", id="m2")])) == [2]

    @proves("WRAP-1", "FID-1", "SES-5")
    async def test_what_is_stored_is_the_wrappers_and_what_is_read_the_callers(self, database: Database) -> None:
        inner = database.unopened()
        async with Keep(Sealing(inner)) as keep:
            await keep.sessions.create("s", **FULL_SESSION)
            await keep.messages.append("s", [said("the same", id="a"), said("the same", id="b")])
            below = await inner.messages.list(Scope("default"), "s", MessageRange(limit=9))
            assert all(record.payload.startswith("sealed:") for record in below)
            assert below[0].payload != below[1].payload, "equal content is stored as equal bytes"
            assert "sealed:" in (await inner.sessions.get(Scope("default"), "s")).state
            assert (await keep.sessions.get("s")).state == FULL_SESSION["state"]
            copy = await keep.sessions.fork("s", new_id="copy", update={"state": {"n": 2}})
            assert (copy.state, copy.metadata) == ({"n": 2}, FULL_SESSION["metadata"])
            for name in ("s", "copy"):
                session, messages = await keep.sessions.resume(name)
                assert [message.content for message in messages] == ["the same"] * 2
                assert session == (await keep.sessions.get_many([name]))[name]
            assert await keep.sessions.count(metadata={"team": "blue"}) == 2
            if keep.capabilities.search:
                assert len(await keep.messages.search("same", session_id="copy")) == 2
            if keep.capabilities.watch:
                assert (await anext(keep.messages.watch("s", after_seq=1))).content == "the same"
            popped = await keep.messages.pop("s")
            assert popped is not None
            assert popped.content == "the same"
