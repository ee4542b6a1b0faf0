"""What a random program needs besides its rules: the adapter and the model side by side, and the comparing of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple, TypeVar

from agentkeep import Conflict, Keep, NewMessage, PersistenceError, View

from agentkeep_conformance.agreement import agree, value_of
from agentkeep_conformance.model import Model
from agentkeep_conformance.model_messages import ModelView
from agentkeep_conformance.plain_values import check_value
from agentkeep_conformance.rows import OneOf, Position, Row, position_by
from agentkeep_conformance.samples import HandClock

IDLE_TTL = timedelta(hours=2)
"""The default of the second of the two instances; the first has none."""

_CHECKED_ONE_IN = 10
"""Of so many results of a verb one is pickled and told as JSON, which takes longer than the call in memory."""

_numbers = count()
T = TypeVar("T")


@dataclass
class Pair:
    """One view, real and modelled."""

    real: View
    model: ModelView


@dataclass
class Walk:
    """A listing that is read page by page while other calls go on."""

    pair: Pair
    arguments: dict[str, Any]
    cursor: str
    behind: Position


class Bench(NamedTuple):
    """What all programs of a run use."""

    loop: asyncio.Runner
    keeps: tuple[Keep, Keep]
    """Two instances on one database."""
    clock: HandClock | None
    """The adapters' own, if they take one; a program moves it. Else the server's clock counts."""
    met: Counter[tuple[str, str, str]]
    """How often the programs met each verb with each option and outcome."""
    tenants: list[str]
    """Those of all programs so far."""


class ComparingMachine:
    """The bench, an empty model, and two tenants that nobody used before."""

    def __init__(self, bench: Bench) -> None:
        self.loop, self.keeps, self.clock, self.met, tenants = bench
        self.model = Model(self.clock)
        self.walks: list[Walk] = []
        self.appends: list[tuple[str, list[NewMessage], dict[str, Any]]] = []
        self.tick = timedelta(milliseconds=1)
        number = next(_numbers)
        self.tenants = [f"t{number}", f"T{number}"]
        tenants += self.tenants

    def pair(self, view: tuple[int, int, str | None]) -> Pair:
        instance, tenant, user = view
        real = self.keeps[instance].for_tenant(self.tenants[tenant])
        model = ModelView(self.model, self.tenants[tenant], user, IDLE_TTL if instance else None)
        return Pair(real if user is None else real.for_user(user), model)

    def whole_tenant(self, view: tuple[int, int, str | None]) -> Pair:
        return self.pair((view[0], view[1], None))

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(call)

    def do(self, pair: Pair, verb: str, *arguments: Any, **options: Any) -> Any:
        """Call the verb on both and compare: the real result, None if both raised the same error."""
        if self.clock is not None:
            self.clock.now += self.tick
        repository, _, name = verb.partition(".")
        real = getattr(getattr(pair.real, repository), name)
        model = getattr(getattr(pair.model, repository), name)
        found, outcome = self.both(real(*arguments, **options), lambda: model(*arguments, **options))
        if self.met[verb, "", outcome] % _CHECKED_ONE_IN == 0:
            check_value(found)
        for option in ("", *(option for option, value in options.items() if value is not None)):
            self.met[verb, option, outcome] += 1
        return found

    def both(self, real: Coroutine[Any, Any, Any], model: Callable[[], Any]) -> tuple[Any, str]:
        """The real result, and "ok" or the name of the error that both raised."""
        try:
            found, raised = self.run(real), None
        except PersistenceError as error:
            found, raised = None, error
        try:
            expected, refused = model(), None
        except PersistenceError as error:
            expected, refused = None, error
        if refused is None and raised is None:
            agree(expected, found)
            return found, "ok"
        wanted = refused.errors if isinstance(refused, OneOf) else (refused,)
        what = f"raised {raised!r}, expected {refused!r} (result {found!r})"
        assert type(raised) in {type(each) for each in wanted}, what
        if isinstance(raised, Conflict) and isinstance(refused, Conflict):
            _same_conflict(raised, refused)
        return None, type(raised).__name__

    def same_session(self, pair: Pair, session_id: str) -> None:
        """After a call the session is what the model says; this settles the times that the call set."""
        self.both(pair.real.sessions.find(session_id), lambda: pair.model.sessions.find(session_id))

    def same_log(self, pair: Pair, session_id: str) -> None:
        async def all_of_it() -> list[Any]:
            return [message async for message in pair.real.messages.iterate(session_id)]

        self.both(all_of_it(), lambda: pair.model.messages.list(session_id, limit=1000)["items"])

    def same_place(self, pair: Pair, session_id: str) -> None:
        """The session is listed under the values and at the time that it has now."""
        row = self.row(pair, session_id)
        if row is None:
            return
        scalars = {key: value for key, value in row["metadata"].items() if not isinstance(value, list | dict)}
        before = value_of(row["updated_at"]) - timedelta(microseconds=1)
        filters = {"metadata": scalars, "user_id": row["user_id"], "updated_after": before}
        self.page(pair, {"order": "-updated_at", "limit": 1_000, **filters}, None, None)

    def row(self, pair: Pair, session_id: str) -> Row | None:
        """The session in the model, whichever user's it is."""
        held = self.model.find(pair.model.tenant, session_id)
        return None if held is None else held.row

    def number(self, pair: Pair, session_id: str, field: str, lag: int | str | None) -> int | None:
        """A version or seq to expect: none, the right one, one that is `lag` behind, or the one of no session."""
        if lag is None or lag == "none yet":
            return None if lag is None else 0
        row = self.row(pair, session_id)
        return max(0, (value_of(row[field]) if row else 1) - int(lag))

    def page(self, pair: Pair, arguments: dict[str, Any], cursor: str | None, behind: Position | None) -> None:
        page, _ = self.both(
            pair.real.sessions.list(cursor=cursor, **arguments),
            lambda: pair.model.sessions.list(behind=behind, **arguments),
        )
        if page.has_more:
            last = page.items[-1]
            position = position_by(arguments["order"])({"id": last.id, **_times(last)})
            self.walks.append(Walk(pair, arguments, page.next_cursor, position))


def _times(session: Any) -> Row:
    return {"updated_at": session.updated_at, "created_at": session.created_at}


def _same_conflict(raised: Conflict, refused: Conflict) -> None:
    assert raised.kind == refused.kind, f"raised {raised!r} of kind {raised.kind}, expected {refused.kind}"
    if refused.kind in ("version", "last_seq"):
        assert (raised.expected, raised.actual) == (refused.expected, refused.actual)
