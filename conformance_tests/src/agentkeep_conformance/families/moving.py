"""Each write moves its session in listings and counts by `updated_at`, under each filter (READ-5, CNT-1)."""

from __future__ import annotations

from typing import Any, cast

import pytest
from agentkeep import Keep
from agentkeep.sessions import Order

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.samples import Verb, everything, ids, numbered, said

_LABELS: dict[str, Any] = {"metadata": {"k": 1, "own": "moved"}}
WRITES: dict[str, Verb] = {
    "append": lambda keep: keep.messages.append("moved", [said()]),
    "append with metadata": lambda keep: keep.messages.append("moved", [said()], update={"metadata": {"k": 1}}),
    "first metadata": lambda keep: keep.messages.append("moved", [said()], update=cast("Any", _LABELS)),
    "append of metadata alone": lambda keep: keep.messages.append("moved", [], update=cast("Any", _LABELS)),
    "append with add": lambda keep: keep.messages.append("moved", [], add={"n": 1}),
    "update": lambda keep: keep.sessions.update("moved", title="t"),
    "update of metadata": lambda keep: keep.sessions.update("moved", **_LABELS),
    "add": lambda keep: keep.sessions.update("moved", add={"n": 1}),
    "touch": lambda keep: keep.sessions.touch("moved"),
    "redaction": lambda keep: keep.messages.update("moved", "m2", content="x"),
    "truncate": lambda keep: keep.messages.truncate("moved", after_seq=2),
    "trim": lambda keep: keep.messages.trim("moved", keep_last=2),
    "pop": lambda keep: keep.messages.pop("moved"),
    "clear": lambda keep: keep.messages.clear("moved"),
}
"""Each kind of write to session "moved"."""


class Moving:
    @proves("READ-5")
    @pytest.mark.parametrize("order", ["created_at", "-created_at", "updated_at", "-updated_at"])
    async def test_each_write_moves_a_session_in_the_order_of_update(self, keep: Keep, order: Order) -> None:
        for n in range(6):
            await keep.sessions.create(f"s{n}")
            await keep.messages.append(f"s{n}", numbered(2))
        await keep.sessions.touch("s0")
        await keep.messages.append("s1", [said()])
        await keep.sessions.update("s2", title="t")
        await keep.messages.pop("s3")
        await keep.messages.update("s4", "m1", content="x")
        await keep.messages.truncate("s5", after_seq=1)
        await keep.messages.trim("s0", keep_last=1)
        moved = ["s1", "s2", "s3", "s4", "s5", "s0"] if "updated" in order else ["s0", "s1", "s2", "s3", "s4", "s5"]
        listed = ids((await keep.sessions.list(order=order)).items)
        assert listed == (moved[::-1] if order.startswith("-") else moved)

    @proves("READ-5", "ORD-5", "CNT-1")
    @pytest.mark.parametrize("write", WRITES)
    async def test_each_write_moves_a_session_in_its_filtered_listings(
        self, keep: Keep, twin: Keep, write: str
    ) -> None:
        """Issue 12: listed and counted at its former time, after its first filterable metadata came with an append."""
        for name in ("first", "moved", "last"):
            await keep.sessions.create(name, metadata={"k": 1, "own": name} if write != "first metadata" else {})
            await keep.messages.append(name, numbered(3))
        for name in ("first", "last"):
            await keep.sessions.update(name, metadata={"k": 1})
        await keep.sessions.create("between", metadata={"k": 2})
        between = (await keep.sessions.touch("between")).updated_at
        await WRITES[write](keep)
        session = await twin.sessions.get("moved")
        assert session.updated_at > between
        for filters in ({"metadata": {"k": 1}}, {"metadata": {"k": 1}, "status": "active"}, {"status": "active"}):
            listed = await everything(twin.sessions.iterate(**cast("Any", filters)))
            assert ids(listed)[0] == "moved"
            assert listed[0].updated_at == session.updated_at
            assert await twin.sessions.count(updated_after=between, **cast("Any", filters)) == 1
            assert ids((await keep.sessions.list(updated_after=between, **cast("Any", filters))).items) == ["moved"]
