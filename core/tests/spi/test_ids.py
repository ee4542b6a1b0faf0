"""Ids of the form that core draws."""

from __future__ import annotations

import asyncio

import agentkeep
from agentkeep import NewMessage
from agentkeep.spi.ids import greatest_drawn, is_drawn


def test_what_core_draws_has_the_form() -> None:
    async def drawn() -> list[str]:
        async with agentkeep.connect("memory://") as keep:
            said = await keep.messages.append("s", [NewMessage(role="user")] * 2, create={})
            return [message.id for message in said.messages]

    assert [is_drawn(id) for id in asyncio.run(drawn())] == [True, True]


def test_other_forms_are_never_the_greatest() -> None:
    assert greatest_drawn(["0" * 32, "1" * 31, "z", "F" * 32, "1" * 33]) == "0" * 32
    assert greatest_drawn(["m1"]) is None
