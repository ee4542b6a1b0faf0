"""Sessions stored as they once were, for imports and copies between databases (`SessionRepository.restore`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from agentkeep import AlreadyExists, Keep, View
from agentkeep.transfer import restore
from msgspec.structs import replace

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.families.fidelity import exactly
from agentkeep_conformance.families.messages import FULL_MESSAGE, LONG_AGO
from agentkeep_conformance.families.order_paging import with_messages
from agentkeep_conformance.families.ttl import expired, filled_in_time
from agentkeep_conformance.samples import FULL_SESSION, log, numbered, said, seqs, whole
from agentkeep_conformance.tables import IDS, VALUES


async def lived(keep: View, session_id: str = "s") -> tuple[Any, Any]:
    """A session that was forked, updated, completed, and cut at both ends."""
    await keep.sessions.create("parent", **FULL_SESSION, ttl=timedelta(hours=9))
    await keep.messages.append("parent", [*numbered(6), FULL_MESSAGE])
    await keep.sessions.fork("parent", new_id=session_id)
    await keep.messages.trim(session_id, keep_last=4)
    await keep.messages.append(session_id, [said("again")] * 3, truncate_after=7)
    await keep.messages.pop(session_id)
    await keep.sessions.update(session_id, status="completed", current_route="r", title="t")
    return await whole(keep, session_id)


class Archive:
    @proves("FID-1", "FID-3", "CNT-1")
    async def test_a_session_comes_back_equal_in_every_field(self, keep: Keep, twin: Keep) -> None:
        session, messages = await lived(keep)
        elsewhere = keep.for_tenant("elsewhere")
        await restore(elsewhere, session, messages)
        there, log_there = await whole(twin.for_tenant("elsewhere"), "s")
        assert exactly(there) == exactly(replace(session, tenant="elsewhere", version=there.version))
        assert there.version != session.version, "a version is a token of one life (SES-2)"
        assert exactly(log_there) == exactly(messages)
        assert await elsewhere.sessions.count(metadata={"team": "blue"}, user_id="u1", status="completed") == 1
        assert (await elsewhere.messages.get("s", messages[0].id)).seq == messages[0].seq

    @proves("SES-5", "FID-1", "CNT-1")
    @pytest.mark.parametrize("way", ["fork", "restore"])
    async def test_a_copy_of_a_long_log_is_whole(self, keep: Keep, twin: Keep, way: str) -> None:
        """It is longer than any step of a copy that we know, such as the 7,999 values that Redis' Lua may unpack."""
        await with_messages(keep, 9_345)
        original, messages = await whole(keep, "s")
        if way == "fork":
            await keep.sessions.fork("s", new_id="copy")
        else:
            await restore(keep, replace(original, id="copy"), messages)
        copy, copied = await whole(twin, "copy")
        assert [(each.seq, each.id, each.content) for each in copied] == [(m.seq, m.id, m.content) for m in messages]
        assert (copy.message_count, copy.last_seq) == (len(copied), 9_345)
        assert seqs(await twin.messages.tail("copy", 1_500)) == list(range(7_846, 9_346))
        assert await keep.messages.truncate("copy", after_seq=1_003) == 8_342
        assert seqs(await twin.messages.tail("copy", 5_000)) == list(range(1, 1_004))
        assert await keep.messages.trim("s", keep_last=3) == 9_342
        assert seqs(await log(twin, "s")) == [9_343, 9_344, 9_345]

    @proves("ORD-1", "IDEM-1")
    async def test_a_restored_session_goes_on_where_it_was(self, keep: Keep) -> None:
        session, messages = await lived(keep)
        elsewhere = keep.for_tenant("elsewhere")
        await restore(elsewhere, session, messages)
        assert seqs(await elsewhere.messages.append("s", [FULL_MESSAGE])) == [7]
        assert seqs(await elsewhere.messages.append("s", [said()])) == [session.last_seq + 1]
        restored = await elsewhere.sessions.get("s")
        assert (await elsewhere.sessions.update("s", title="u")).version == restored.version + 1
        if keep.capabilities.search:
            [hit] = await elsewhere.messages.search("text 6")
            assert hit.message.id == "m6"

    @proves("CNT-1")
    async def test_the_newest_message_gives_its_time_whatever_the_times_say(self, keep: Keep, twin: Keep) -> None:
        times = [LONG_AGO + timedelta(days=day) for day in (3, 9, 5)]
        await keep.messages.append("s", [said(created_at=time) for time in times], create={})
        await restore(keep.for_tenant("elsewhere"), *await whole(keep, "s"))
        there = await twin.for_tenant("elsewhere").sessions.get("s")
        assert (there.last_message_at, there.message_count) == (times[-1], 3)

    @proves("SES-1")
    async def test_a_living_session_is_never_replaced(self, keep: Keep) -> None:
        session, messages = await lived(keep)
        await keep.messages.append("s", [said("newer")])
        before = await whole(keep, "s")
        with pytest.raises(AlreadyExists):
            await restore(keep, session, messages)
        assert await whole(keep, "s") == before

    @proves("TTL-1", "SES-4")
    async def test_an_expired_session_gives_way(self, keep: Keep) -> None:
        session, messages = await lived(keep)
        elsewhere = keep.for_tenant("elsewhere")

        async def fill(life: timedelta) -> None:
            await elsewhere.sessions.create("s", metadata={"old": 1}, ttl=life)
            await elsewhere.messages.append("s", numbered(50))

        await filled_in_time(fill)
        await expired(elsewhere, "s")
        await restore(elsewhere, session, messages)
        assert await log(elsewhere, "s") == messages
        assert await elsewhere.sessions.count(metadata={"old": 1}) == 0
        await keep.sweep()
        assert await log(elsewhere, "s") == messages

    @proves("READ-1", "ORD-2")
    async def test_a_log_longer_than_any_page_is_restored_whole(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        for start in (1, 801, 1_601):
            await keep.messages.append("s", numbered(800, start))
        session, messages = await whole(keep, "s")
        await restore(keep.for_tenant("elsewhere"), session, messages)
        assert await log(keep.for_tenant("elsewhere"), "s") == messages

    @proves("FID-1", "FID-2", "ISO-2")
    async def test_every_value_and_id_survives_the_move(self, keep: Keep) -> None:
        hostile = list(IDS.values())
        await keep.sessions.create(hostile[0], metadata={"k": list(VALUES)})
        rows = [said([value], id=hostile[n] if n < len(hostile) else None) for n, value in enumerate(VALUES.values())]
        await keep.messages.append(hostile[0], rows)
        session, messages = await whole(keep, hostile[0])
        for tenant in hostile[:20]:
            await restore(keep.for_tenant(tenant), session, messages)
        for tenant in hostile[:20]:
            assert exactly(await log(keep.for_tenant(tenant), hostile[0])) == exactly(messages)
