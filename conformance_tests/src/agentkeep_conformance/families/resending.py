"""One `Append` record sent twice to a repository: a repetition, or `OutcomeUnknown` (IDEM-2)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, cast

import pytest
from agentkeep import Capabilities, Keep, OutcomeUnknown, PersistenceAdapter, Unavailable, View, transfer
from agentkeep.records import Append, AppendedRecord, Scope
from msgspec.structs import replace

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.messages import with_log
from agentkeep_conformance.samples import Verb, at_once, said, whole

OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "update": {"update": {"title": "t", "metadata": {"k": 1}}},
    "add": {"add": {"n": 1}},
    "create of what is there": {"create": {"title": "new"}},
    "skip": {"stored": "skip"},
    "truncate_after": {"truncate_after": 3},
    "keep_last": {"keep_last": 3},
    "expected_version": {"expected_version": None},
    "expected_last_seq": {"expected_last_seq": 5},
    "all": {
        "update": {"title": "t"},
        "add": {"n": 1},
        "create": {"title": "new"},
        "truncate_after": 3,
        "keep_last": 3,
        "expected_version": None,
        "expected_last_seq": 5,
    },
}
"""Beside two messages, to a session of last seq 5. `expected_version`: the session's own."""


AFTERWARDS: dict[str, Verb] = {
    "nothing": lambda keep: keep.sessions.get("s"),
    "many others": lambda keep: at_once(keep.messages.append("s", [said(f"later {number}")]) for number in range(120)),
    "a large one": lambda keep: keep.messages.append("s", [said("large " * 200_000)]),
    "a search": lambda keep: _search(keep),
    "a redaction": lambda keep: keep.messages.update("s", "first", content="redacted"),
}
"""What comes between an append and its repetition: an adapter may put messages elsewhere then."""
_RECORDS = 6


async def _search(keep: View) -> Any:
    return await keep.messages.search("x") if keep.capabilities.search else []


class _Catching:
    """An adapter that keeps the records that core makes and does nothing."""

    name = "catching"

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self.sessions = self.messages = self
        self.caught: Append | None = None

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        self.caught = append
        raise Unavailable("nothing is stored here")


async def record_of(adapter: PersistenceAdapter, messages: list[Any], options: dict[str, Any], id: str) -> Append:
    """What core makes of an append."""
    catching = _Catching(adapter.capabilities)
    async with Keep(cast("Any", catching)) as keep:
        with pytest.raises(Unavailable):
            await keep.messages.append(id, messages, **options)
    assert catching.caught is not None
    return catching.caught


class Resending:
    @proves("IDEM-2", "ERR-2")
    @pytest.mark.parametrize("ids", [("a", "b"), (None, None), ("a", None)], ids=["given", "chosen", "mixed"])
    @pytest.mark.parametrize("options", OPTIONS)
    async def test_a_record_sent_twice_is_a_repetition_or_unknown(
        self, database: Database, keep: Keep, options: str, ids: tuple[str | None, ...]
    ) -> None:
        before = await with_log(keep)
        given = dict(OPTIONS[options])
        if "expected_version" in given:
            given["expected_version"] = before.version
        await self._twice(database, keep, [said("x", id=id) for id in ids], given, "s")

    @proves("IDEM-2", "SES-7")
    @pytest.mark.parametrize("expected", [{}, {"expected_version": 0}, {"expected_last_seq": 0}, {"stored": "skip"}])
    async def test_so_is_one_that_makes_its_session(
        self, database: Database, keep: Keep, expected: dict[str, Any]
    ) -> None:
        create = {"create": {"title": "new", "metadata": {"k": 1}}, "add": {"n": 1}}
        for name, ids in (("one", ("a", "b")), ("two", (None, None))):
            await self._twice(database, keep, [said("x", id=id) for id in ids], create | expected, name)

    @proves("IDEM-2")
    async def test_so_is_one_that_is_sent_again_after_many_others(self, database: Database, keep: Keep) -> None:
        adapter, scope = await database.adapter(), Scope("default")
        await keep.sessions.create("s")
        record = await record_of(adapter, [said("x"), said("y")], {}, "s")
        first = await adapter.messages.append(scope, record)
        for number in range(150):  # an adapter may have put the first ones elsewhere by now
            await keep.messages.append("s", [said(f"later {number}")])
        await self._again(await database.adapter(), keep, record, first)

    @proves("IDEM-2")
    @pytest.mark.parametrize("way", ["sent", "sent as the caller's", "restored"])
    async def test_so_is_one_that_was_drawn_late_and_sent_early(self, database: Database, keep: Keep, way: str) -> None:
        """By another keep, before our own append of a record that was drawn earlier."""
        adapter, other, scope = await database.adapter(), await database.adapter(), Scope("default")
        await keep.sessions.create("s")
        earlier = await record_of(adapter, [said("earlier")], {}, "s")
        await asyncio.sleep(0.002)  # ids begin with the millisecond
        record = await record_of(adapter, [said("x"), said("y")], {}, "s")
        await other.messages.append(scope, replace(record, may_be_stored=True) if "as" in way else record)
        if way == "restored":
            session, messages = await keep.sessions.resume("s")
            await keep.sessions.delete("s")
            await transfer.restore(keep, session, messages)
        await adapter.messages.append(scope, earlier)
        before = await whole(keep, "s")
        with suppress(OutcomeUnknown):
            assert (await adapter.messages.append(scope, record)).new == 0
        assert await whole(keep, "s") == before

    @proves("IDEM-2", "ORD-6")
    @pytest.mark.parametrize("through", ["one", "two"])
    @pytest.mark.parametrize("ids", [(None, None), ("a", None), ("a", "b")], ids=["drawn", "mixed", "the caller's"])
    async def test_so_are_those_that_are_sent_at_the_same_time(
        self, database: Database, keep: Keep, ids: tuple[str | None, str | None], through: str
    ) -> None:
        """Beside each other and appends of other records, which wait together."""
        one, scope = await database.adapter(), Scope("default")
        other = await database.adapter() if through == "two" else one
        await keep.sessions.create("s")
        meant: list[str] = []
        for number in range(_RECORDS):
            drawn = [[said(f"x {number} {id}", id=id and f"{id}{number}") for id in ids], [said(f"before {number}")]]
            meant += [str(each.content) for batch in drawn for each in batch]
            twice, before = [await record_of(one, batch, {}, "s") for batch in drawn]
            sent = [one.messages.append(scope, before), *(each.messages.append(scope, twice) for each in (one, other))]
            for appended in await asyncio.gather(*sent, return_exceptions=True):
                assert isinstance(appended, AppendedRecord | OutcomeUnknown), appended
        assert sorted(str(each.content) for each in await keep.messages.tail("s", 100)) == sorted(meant)

    @proves("IDEM-2")
    @pytest.mark.parametrize("afterwards", AFTERWARDS)
    async def test_so_are_those_that_were_sent_in_another_order_than_drawn(
        self, database: Database, keep: Keep, afterwards: str
    ) -> None:
        senders, scope = [await database.adapter() for _ in range(2)], Scope("default")
        await keep.messages.append("s", [said("x", id="first")], create={})
        drawn = [await record_of(senders[0], [said(f"x {number}")], {}, "s") for number in range(_RECORDS)]
        for half in (drawn[: _RECORDS // 2], drawn[_RECORDS // 2 :]):
            sent = [*half[1:], half[0]]
            first = [await senders[n % 2].messages.append(scope, record) for n, record in enumerate(sent)]
            await AFTERWARDS[afterwards](keep)
            for record, appended in zip(sent, first, strict=True):
                for adapter in senders:
                    await self._again(adapter, keep, record, appended)

    async def _twice(
        self, database: Database, keep: Keep, messages: list[Any], options: dict[str, Any], id: str
    ) -> None:
        adapter, other, scope = await database.adapter(), await database.adapter(), Scope("default")
        record = await record_of(adapter, messages, options, id)
        first = await adapter.messages.append(scope, record)
        assert first.new == 2
        for each in (adapter, other):
            await self._again(each, keep, record, first)

    async def _again(self, adapter: PersistenceAdapter, keep: Keep, record: Append, first: AppendedRecord) -> None:
        before = await whole(keep, record.session_id)
        try:
            again = await adapter.messages.append(Scope("default"), record)
        except OutcomeUnknown:
            return
        finally:
            assert await whole(keep, record.session_id) == before
        assert list(again.messages) == list(first.messages)
        assert (again.version, again.last_seq, again.new) == (first.version, first.last_seq, 0)
