"""What a random program needs besides its rules: both worlds side by side, and the comparing of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import msgspec
from agentkeep import Keep, NewMessage, PersistenceError
from hypothesis.stateful import RuleBasedStateMachine

from agentkeep_conformance.agreement import agree
from agentkeep_conformance.model import Model, View
from agentkeep_conformance.rows import Position, position_by

IDLE_TTL = timedelta(hours=2)
"""Of the second of the two instances; the first has none."""

_numbers = count()
T = TypeVar("T")


@dataclass
class Pair:
    """One view, real and modelled."""

    real: Keep
    model: View


@dataclass
class Walk:
    """A listing that is read page by page while other calls go on."""

    pair: Pair
    arguments: dict[str, Any]
    cursor: str
    behind: Position


class ComparingMachine(RuleBasedStateMachine):
    """Two instances on one database, the model, and two tenants that nobody used before."""

    loop: asyncio.Runner
    keeps: tuple[Keep, Keep]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.walks: list[Walk] = []
        self.appends: list[tuple[str, list[NewMessage], dict[str, Any]]] = []
        number = next(_numbers)
        self.tenants = [f"t{number}", f"T{number}"]

    def pair(self, where: tuple[int, int, str | None]) -> Pair:
        instance, tenant, user = where
        real = self.keeps[instance].for_tenant(self.tenants[tenant])
        idle_ttl = IDLE_TTL if instance else None
        model = self.model.view(self.tenants[tenant], user, idle_ttl)
        return Pair(real if user is None else real.for_user(user), model)

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(call)

    def both(self, real: Coroutine[Any, Any, Any], model: Callable[[], Any]) -> Any:
        """Do both, compare, give the real result; None where both raised the same error."""
        try:
            found, raised = self.run(real), None
        except PersistenceError as error:
            found, raised = None, error
        try:
            expected, refused = model(), None
        except PersistenceError as error:
            expected, refused = None, error
        assert type(raised) is type(refused), f"raised {raised!r}, expected {refused!r} (result {found!r})"
        if refused is not None and isinstance(getattr(refused, "actual", None), int):
            assert (vars(raised)["expected"], vars(raised)["actual"]) == (
                vars(refused)["expected"],
                vars(refused)["actual"],
            )
        agree(expected, found)
        return found

    def same_session(self, pair: Pair, session_id: str) -> None:
        """After a call the session is what the model says; this settles the times that the call set."""
        self.both(pair.real.sessions.find(session_id), lambda: pair.model.find(session_id))

    def number(self, pair: Pair, session_id: str, field: str, lag: int | None) -> int | None:
        """A version or seq to expect: none, the right one, or one that is `lag` behind."""
        row = pair.model.find(session_id)
        return None if lag is None else max(0, (row[field] if row else 1) - lag)

    def same_log(self, pair: Pair, session_id: str) -> None:
        async def all_of_it() -> list[Any]:
            return [message async for message in pair.real.messages.iterate(session_id)]

        self.both(all_of_it(), lambda: pair.model.list_messages(session_id, limit=1000)["items"])

    def page(self, pair: Pair, arguments: dict[str, Any], cursor: str | None, behind: Position | None) -> None:
        page = self.both(
            pair.real.sessions.list(cursor=cursor, **arguments), lambda: pair.model.list(behind=behind, **arguments)
        )
        if page.has_more:
            last = msgspec.structs.asdict(page.items[-1])
            self.walks.append(Walk(pair, arguments, page.next_cursor, position_by(arguments["order"])(last)))
