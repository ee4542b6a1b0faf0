"""What a reader once saw as expired stays so, although writes race with the moment of expiry (TTL-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from itertools import cycle
from time import monotonic
from typing import Any, NamedTuple

import pytest
from agentkeep import Keep, SessionNotFound, View

from agentkeep_conformance.children import report
from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.samples import said


class ExpiryRaces:
    @proves("TTL-1")
    @pytest.mark.parametrize("limit", ["ttl", "idle_ttl"])
    async def test_what_one_reader_saw_as_expired_no_reader_sees_again(
        self, database: Database, keep: Keep, twin: Keep, limit: str
    ) -> None:
        for life in _LIVES:
            names = [f"s{number} {life}" for number in range(16)]
            seen: list[Sight] = []
            async with asyncio.TaskGroup() as group:
                for number, name in enumerate(names):
                    use, early = _USES[number % len(_USES)], 0.064 - number * 0.004
                    group.create_task(_use_until_the_end(keep, name, limit, use, early=early, life=life))
                    group.create_task(_watch_the_end((keep, twin)[number % 2], name, seen, patience=20))
            if _all_ended_once(names, seen):
                break
        else:
            raise AssertionError(_MISSED)
        assert await keep.sessions.count() == 0

    @proves("TTL-1")
    async def test_what_one_process_saw_as_expired_no_other_sees_again(self, database: Database, keep: Keep) -> None:
        for life in _LIVES:
            names = [f"s{number} {life}" for number in range(12)]
            patience = 20 if keep.capabilities.shared else 0.2
            child = await database.spawn(_report_sights, names, patience)
            if not keep.capabilities.shared:
                assert {tuple(sight[3:]) for sight in await child.result()} == {(False,)}
                return
            seen: list[Sight] = []
            async with asyncio.timeout(60):
                assert await anext(child.reports()) == "ready"
            async with asyncio.TaskGroup() as group:
                for number, name in enumerate(names):
                    use, early = _USES[number % len(_USES)], 0.048 - number * 0.004
                    group.create_task(_use_until_the_end(keep, name, "idle_ttl", use, early=early, life=life))
                    group.create_task(_watch_the_end(keep, name, seen, patience))
            theirs = [Sight(*sight) for sight in await child.result()]
            if _all_ended_once(names, seen, theirs):
                return
        raise AssertionError(_MISSED)


async def _is_among(view: View, name: str) -> bool:
    return len((await view.sessions.list(user_id=name)).items) == 1


async def _has_log(view: View, name: str) -> bool:
    try:
        await view.messages.tail(name, 1)
    except SessionNotFound:
        return False
    return True


async def _is_found(view: View, name: str) -> bool:
    return await view.sessions.find(name) is not None


async def _is_got(view: View, name: str) -> bool:
    return name in await view.sessions.get_many([name])


async def _is_counted(view: View, name: str) -> bool:
    return await view.sessions.count(user_id=name) == 1


async def _is_resumed(view: View, name: str) -> bool:
    try:
        await view.sessions.resume(name)
    except SessionNotFound:
        return False
    return True


async def _is_active(view: View, name: str) -> bool:
    return await view.sessions.find_active(name) is not None


SessionRead = Callable[[View, str], Coroutine[Any, Any, bool]]
_READS: tuple[SessionRead, ...] = (_is_found, _is_counted, _has_log, _is_among, _is_got)
"""Each of them tells whether a session is there. A reader goes from one to the next."""
SESSION_READS: tuple[SessionRead, ...] = (*_READS, _is_resumed, _is_active)
"""Of a session that its user's name names."""


Use = Callable[[View, str], Awaitable[Any]]
"""A write of a session with a message "m"."""


async def _append(view: View, name: str) -> None:
    await view.messages.append(name, [said("x" * 2_000)] * 20)


async def _touch(view: View, name: str) -> None:
    await view.sessions.touch(name)


async def _update(view: View, name: str) -> None:
    await view.sessions.update(name, title="used", state={"text": "x" * 20_000}, metadata={"k": 1})


async def _redact(view: View, name: str) -> None:
    await view.messages.update(name, "m", content="x" * 20_000)


_USES: tuple[Use, ...] = (_append, _touch, _append, _update, _append, _redact)
"""Done around the end of a session, one in each session."""


class Sight(NamedTuple):
    """One look at a session."""

    name: str
    started: float
    ended: float
    is_there: bool


_LIVES = [timedelta(seconds=seconds) for seconds in (0.25, 1, 4)]
"""Tried one after the other, until every reader sees its session alive: on a loaded machine a short life is missed."""
_MISSED = f"a reader saw a session at no moment of its life, not even of {_LIVES[-1].seconds} s"
_AFTER = 0.3
"""Seconds for which readers go on after a session's end."""


async def _use_until_the_end(keep: View, name: str, limit: str, use: Use, *, early: float, life: timedelta) -> None:
    """Make a session and write to it around the moment at which it expires."""
    limits: Any = {limit: life}
    await keep.messages.append(name, [said(id="m")], create={"user_id": name, **limits})  # pyright: ignore[reportArgumentType]
    created = monotonic()
    await asyncio.sleep(life.total_seconds() / 2)
    try:
        if limit == "idle_ttl":
            await keep.messages.append(name, [said()])
            created = monotonic()
        await asyncio.sleep(created + life.total_seconds() - early - monotonic())
        await use(keep, name)
    except SessionNotFound:
        return


async def _watch_the_end(keep: View, name: str, seen: list[Sight], patience: float) -> None:
    """Look again and again, from before the session is made until well after its end."""
    gone_at: float | None = None
    was_there = False
    give_up_at = monotonic() + patience
    for is_seen in cycle(_READS):
        if gone_at is not None and monotonic() >= gone_at + _AFTER:
            return
        started = monotonic()
        is_there = await is_seen(keep, name)
        seen.append(Sight(name, started, monotonic(), is_there))
        was_there = was_there or is_there
        if was_there and not is_there and gone_at is None:
            gone_at = monotonic()
        if not was_there and monotonic() > give_up_at:
            return
        await asyncio.sleep(0.002)


def _all_ended_once(names: Sequence[str], *seen: Sequence[Sight]) -> bool:
    """Check each session's end. Returns False if a process, each with its own sights, saw one never alive."""
    everybody = [sight for sights in seen for sight in sights]
    for name in {sight.name for sight in everybody if sight.is_there}:
        sights = sorted((sight for sight in everybody if sight.name == name), key=lambda sight: sight.started)
        first = min(sight.ended for sight in sights if sight.is_there)
        gone = min(sight.ended for sight in sights if not sight.is_there and sight.started > first)
        again = [sight for sight in sights if sight.is_there and sight.started > gone]
        assert not again, f"{name} was seen as expired, and {again[0].started - gone:.3f} s later it was there"
    return all({sight.name for sight in sights if sight.is_there} == set(names) for sights in seen)


async def _report_sights(keep: View, names: list[str], patience: float) -> list[Any]:
    """In a child process: look at these sessions until all have ended; what was seen."""
    report("ready")
    seen: list[Sight] = []
    await asyncio.gather(*(_watch_the_end(keep, name, seen, patience) for name in names))
    return [list(sight) for sight in seen]
