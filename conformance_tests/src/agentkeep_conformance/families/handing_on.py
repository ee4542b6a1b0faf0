"""What stands between a keep and its adapter hands on each argument of each verb: a wrapper, a loop of its own.

Behind it is an adapter that only notes its calls. Each argument is another object, so none can be left out,
replaced by its default, or swapped with another one.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import pytest
from agentkeep import Keep, PersistenceAdapter, sync
from agentkeep.records import MessageRecord, Scope
from agentkeep.wrappers import MessagesWrapper, SessionsWrapper, Wrapper

from agentkeep_conformance.clauses import needs_two_loops, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.samples import PATIENCE_SECONDS, said

_REPOSITORIES: dict[str, type[Any]] = {"sessions": SessionsWrapper, "messages": MessagesWrapper}
_VERBS = [
    f"{repository}.{name}"
    for repository, kind in _REPOSITORIES.items()
    for name, verb in inspect.getmembers(kind, inspect.isfunction)
    if not name.startswith("_") and verb.__module__.startswith("agentkeep.")
]


class Noting:
    """A repository that notes the arguments of each call."""

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind
        self.noted: list[dict[str, Any]] = []

    def __getattr__(self, verb: str) -> Any:
        signature = inspect.signature(getattr(self._kind, verb))

        def note(*args: Any, **kwargs: Any) -> None:
            bound = signature.bind(self, *args, **kwargs).arguments
            self.noted.append({name: value for name, value in bound.items() if name != "self"})

        async def call(*args: Any, **kwargs: Any) -> Any:
            note(*args, **kwargs)

        async def walk(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            note(*args, **kwargs)
            yield None

        return walk if verb == "watch" else call


class NotingAdapter(Wrapper):
    """The database's adapter, whose repositories only note their calls."""

    def __init__(self, inner: PersistenceAdapter) -> None:
        super().__init__(inner)
        self.repositories = {name: Noting(kind) for name, kind in _REPOSITORIES.items()}
        self.swept: list[tuple[Any, Any]] = []

    @property
    def sessions(self) -> Any:
        return self.repositories["sessions"]

    @property
    def messages(self) -> Any:
        return self.repositories["messages"]

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        self.swept.append((scope, limit))
        return 0


_LAYERS: dict[str, Callable[[PersistenceAdapter], Keep]] = {
    "a wrapper": lambda adapter: Keep(Wrapper(adapter)),
    "a loop of its own": lambda adapter: Keep(adapter, own_loop=True),
    "a wrapper on a loop of its own": lambda adapter: Keep(Wrapper(Wrapper(adapter)), own_loop=True),
}


class Leaving(MessagesWrapper):
    """Says when a watch of the adapter began and ended."""

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncGenerator[MessageRecord, None]:
        return self._watched(cast("Any", super().watch(scope, session_id, after_seq=after_seq)))

    async def _watched(self, records: AsyncGenerator[MessageRecord, None]) -> AsyncGenerator[MessageRecord, None]:
        said = cast("LeavingAdapter", self.wrapper).said
        said.append("began")
        try:
            async for record in records:
                yield record
        finally:
            await records.aclose()
            said.append("ended")


class LeavingAdapter(Wrapper):
    messages_wrapper = Leaving

    def __init__(self, inner: PersistenceAdapter) -> None:
        super().__init__(inner)
        self.said: list[str] = []


class HandingOn:
    @proves("WRAP-1", "LIFE-3")
    @needs_two_loops
    @pytest.mark.parametrize("layer", _LAYERS)
    async def test_each_argument_of_each_verb_is_handed_on(self, database: Database, layer: str) -> None:
        noting = NotingAdapter(database.unopened())
        async with _LAYERS[layer](noting) as keep:
            for verb in _VERBS:
                repository, _, name = verb.partition(".")
                parameters = inspect.signature(getattr(_REPOSITORIES[repository], name)).parameters
                given = {each: object() for each in parameters if each != "self"}
                called = getattr(getattr(keep.adapter, repository), name)(**given)
                await (anext(called) if name == "watch" else called)
                assert noting.repositories[repository].noted.pop() == given, verb
            for scope in (None, Scope("t"), Scope("t", "u")):
                await keep.adapter.sweep(scope, limit=7)
                assert noting.swept.pop() == (scope, 7)

    @proves("LIFE-5", "FLT-4")
    @needs_two_loops
    @pytest.mark.parametrize("face", ["asynchronous", "own loop", "sync"])
    async def test_a_watch_that_is_left_has_ended(self, database: Database, keep: Keep, face: str) -> None:
        if not keep.capabilities.watch:
            return
        await keep.messages.append("s", [said()], create={})
        adapter = LeavingAdapter(database.unopened())
        async with asyncio.timeout(PATIENCE_SECONDS):
            if face == "sync":
                with sync.over(Keep(adapter)) as one:
                    await asyncio.to_thread(_leave, one, adapter.said)
            else:
                async with Keep(adapter, own_loop=face == "own loop") as one:
                    rows = one.messages.watch("s", after_seq=0)
                    await anext(rows)
                    await rows.aclose()
                    assert adapter.said == ["began", "ended"]


def _leave(keep: sync.SyncKeep, said: list[str]) -> None:
    rows = cast("Any", keep.messages.watch("s", after_seq=0))
    next(rows)
    rows.close()
    assert said == ["began", "ended"]
