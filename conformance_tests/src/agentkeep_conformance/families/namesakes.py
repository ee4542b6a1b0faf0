"""Two tenants have sessions with the same id, user, metadata and message ids. What ends one, or meets one that has
expired, changes nothing of the other in any way of reading (ISO-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from agentkeep import Keep, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.families.erasure_of_long import AFTER_EXPIRY, ENDS
from agentkeep_conformance.families.ttl import expired
from agentkeep_conformance.samples import everything, numbered, said, whole

_FILTERS: list[dict[str, Any]] = [
    {},
    {"metadata": {"k": "v"}},
    {"metadata": {"k": "v", "n": 1}},
    {"user_id": "u"},
    {"agent_name": "a"},
    {"status": "active"},
    {"parent_id": "p"},
    {"user_id": "u", "metadata": {"k": "v"}},
]


async def _list_and_count(view: View) -> None:
    """As often as an adapter may need to clean up what it met."""
    for _ in range(2):
        await _seen(view)


WAYS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    **ENDS,
    "pop": lambda view: view.messages.pop("s"),
    "truncate": lambda view: view.messages.truncate("s", after_seq=1),
    "redaction": lambda view: view.messages.update("s", "m1", content="-"),
    "other metadata": lambda view: view.sessions.update("s", metadata={"k": 2}),
    "no metadata": lambda view: view.messages.append("s", [], update={"metadata": {}}),
    "another user": lambda view: view.sessions.update("s", user_id="other"),
    "a user's view's delete": lambda view: view.for_user("u").sessions.delete("s"),
}
ONCE_EXPIRED: dict[str, Callable[[Any], Awaitable[Any]]] = {
    **AFTER_EXPIRY,
    "listings": _list_and_count,
    "get_or_create": lambda view: view.sessions.get_or_create("s"),
    "delete": lambda view: view.sessions.delete("s"),
    "delete_many": lambda view: view.sessions.delete_many(metadata={"k": "v"}),
    "fork": lambda view: _fork(view),
}


async def _fork(view: View) -> None:
    await view.sessions.create("other")
    await view.sessions.fork("other", new_id="s")


class Namesakes:
    @proves("ISO-1", "SES-6", "READ-5")
    @pytest.mark.parametrize("way", WAYS)
    async def test_what_ends_a_session_leaves_its_namesake_alone(self, keep: Keep, twin: Keep, way: str) -> None:
        mine, theirs = await _namesakes(keep)
        before = await _seen(theirs)
        await WAYS[way](mine)
        await _list_and_count(mine)
        assert await _seen(twin.for_tenant("b")) == before

    @proves("ISO-1", "TTL-2", "READ-5")
    @pytest.mark.parametrize("way", ONCE_EXPIRED)
    async def test_what_meets_an_expired_session_leaves_its_namesake_alone(
        self, keep: Keep, twin: Keep, way: str
    ) -> None:
        mine, theirs = await _namesakes(keep)
        before = await _seen(theirs)
        await mine.sessions.update("s", ttl=timedelta(milliseconds=50))
        await expired(mine, "s")
        await ONCE_EXPIRED[way](mine)
        await mine.sweep()
        assert await _seen(twin.for_tenant("b")) == before


async def _namesakes(keep: Keep) -> tuple[View, View]:
    views = (keep.for_tenant("a"), keep.for_tenant("b"))
    for view in views:
        fields: Any = {"user_id": "u", "agent_name": "a", "parent_id": "p", "metadata": {"k": "v", "n": 1}}
        await view.sessions.create("s", **fields)
        await view.messages.append("s", [*numbered(3), said("canary", id="c")])
    return views


async def _seen(view: View) -> list[Any]:
    """One tenant's session by each way of reading."""
    found: list[Any] = [await view.sessions.get_many(["s"]), await view.sessions.find_active("u")]
    for filters in _FILTERS:
        found.append(await everything(view.sessions.iterate(**cast("Any", filters))))
        found.append((await view.sessions.list(order="created_at", **filters)).items)
        found.append(await view.sessions.count(**filters))
    if await view.sessions.find("s") is not None:
        found += [await whole(view, "s"), await view.messages.get_many("s", ["m1", "c"])]
    if view.capabilities.search:
        for narrowed in ({}, {"user_id": "u"}, {"agent_name": "a"}):
            hits = await view.messages.search("canary", **cast("Any", narrowed))
            found.append([(hit.message.session_id, hit.message.seq) for hit in hits])
    return found
