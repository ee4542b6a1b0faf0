"""A keep is a view plus the life cycle; a view is one tenant's or user's data and nothing else (ISO-1)."""

from __future__ import annotations

from typing import Any

import pytest
from agentkeep import InvalidInput, Keep, PersistenceAdapter, View, connect
from agentkeep_memory import MemoryAdapter

pytestmark = pytest.mark.anyio


async def test_iso_1_a_view_has_no_life_cycle() -> None:
    async with connect("memory://") as keep:
        assert isinstance(keep, View)
        for view in (keep.for_tenant("acme"), keep.for_user("ann")):
            assert not isinstance(view, Keep)
            for name in ("open", "close", "__aenter__", "__aexit__", "for_tenant", "adapter"):
                assert not hasattr(view, name)


async def test_iso_1_a_view_gives_no_way_out() -> None:
    async with connect("memory://") as keep:
        acme = keep.for_tenant("acme")
        ann = acme.for_user("ann")
        with pytest.raises(InvalidInput, match="limited to one user"):
            ann.for_user("bob")
        with pytest.raises(InvalidInput):
            await ann.sessions.create(user_id="bob")
        session = await ann.sessions.create()
        assert (session.tenant, session.user_id) == ("acme", "ann")
        assert await ann.for_user("ann").sessions.get(session.id) == session
        with pytest.raises(InvalidInput):
            await ann.sessions.update(session.id, user_id="bob")


async def test_a_view_has_the_rest() -> None:
    async with connect("memory://") as keep:
        ann = keep.for_user("ann")
        assert ann.capabilities == keep.capabilities
        assert (await ann.health()).adapter == "memory"
        assert await ann.sweep() == 0
        assert repr(ann) == "<View memory tenant='default' user='ann'>"
        assert repr(keep) == "<Keep memory tenant='default'>"


async def test_the_adapter_is_public() -> None:
    adapter = MemoryAdapter()
    assert Keep(adapter).adapter is adapter


async def test_a_subclass_of_keep_works_with_views() -> None:
    class MyView(View):
        async def titles(self) -> list[str | None]:
            return [session.title async for session in self.sessions.iterate()]

    class MyKeep(Keep):
        view_class = MyView

        def __init__(self, name: str) -> None:
            super().__init__(MemoryAdapter())
            self.called = name

    async with MyKeep("mine") as keep:
        acme: Any = keep.for_tenant("acme")
        await acme.sessions.create(user_id="ann", title="Hi")
        assert await acme.titles() == ["Hi"]
        assert await acme.for_user("ann").titles() == ["Hi"]
        assert type(keep.for_user("ann")) is MyView

    class Plain(Keep):
        pass

    async with Plain(MemoryAdapter()) as plain:
        assert type(plain.for_user("ann").for_user("ann")) is View


async def test_an_adapter_may_make_its_repositories_when_it_is_opened(made_in_open: PersistenceAdapter) -> None:
    keep = Keep(made_in_open)
    view = keep.for_user("ann")
    async with keep:
        await view.sessions.create("s")
        assert await keep.sessions.count() == 1


async def test_an_idle_ttl_may_be_seconds() -> None:
    for idle_ttl in (90, 90.0, "90"):
        async with connect({"url": "memory://", "idle_ttl": idle_ttl}) as keep:
            session = await keep.sessions.create()
            assert session.idle_ttl is not None
            assert session.idle_ttl.total_seconds() == 90
