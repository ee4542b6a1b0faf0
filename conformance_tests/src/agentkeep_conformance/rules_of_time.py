"""The steps of random programs that let time pass, and sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from agentkeep_conformance.agreement import value_of
from agentkeep_conformance.machine import ComparingMachine
from agentkeep_conformance.programs import Draw, Drawn
from agentkeep_conformance.samples import PATIENCE_SECONDS

SHORT = timedelta(milliseconds=30)
"""A life that ends while the program waits, if the server's clock decides."""


class Time(ComparingMachine):
    def let_expire(self, view: Any, id: str) -> None:
        """TTL-1: from then on the session is absent, swept or not."""
        pair = self.pair(view)
        if self.clock is not None:
            self.do(pair, "sessions.update", id, ttl=1)
            self.clock.move(seconds=1)
        elif self.do(pair, "sessions.update", id, ttl=SHORT) is not None:
            self.run(_gone(pair.real, id))
            self.model.held[pair.model.tenant, id].expired = True
        self.same_session(pair, id)

    def come_near_the_end(self, view: Any, id: str, micros: int) -> None:
        """Move the clock to the last moments of a session, or to its end. Until then it is there, for the sweep too."""
        row = self.row(self.pair(view), id)
        ends = None if row is None else value_of(row["expires_at"])
        if self.clock is None or ends is None:
            return
        self.clock.now = max(self.clock.now, ends + timedelta(microseconds=micros))
        self.sweep((*view[:2], None), 1_000)
        self.same_session(self.whole_tenant(view), id)

    def wait(self, seconds: float) -> None:
        if self.clock is not None:
            self.clock.move(seconds=seconds)

    def change_pace(self, seconds: float) -> None:
        """At a pace of 0, all that follows happens at one moment of a clock that the program moves."""
        self.tick = timedelta(seconds=seconds)

    def sweep(self, view: Any, limit: int) -> None:
        pair = self.pair(view)
        removed = self.run(pair.real.sweep(limit))
        expected = pair.model.sessions.sweep(limit)
        assert removed == expected or (pair.real.capabilities.native_ttl and removed <= expected)


async def _gone(view: Any, id: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await view.sessions.find(id) is not None:  # noqa: ASYNC110 - it waits for the server's clock
            await asyncio.sleep(0.01)


STEPS: dict[str, tuple[int, Callable[[Draw], Drawn]]] = {
    "let_expire": (1, lambda d: {}),
    "come_near_the_end": (3, lambda d: {"micros": d.one([-1_000, -1, -1, 0])}),
    "wait": (1, lambda d: {"seconds": d.one([1, 3_600, 7_200, 7_201])}),
    "change_pace": (1, lambda d: {"seconds": d.one([0, 0.000_001, 0.001, 1])}),
    "sweep": (1, lambda d: {"limit": d.one([1, 1_000])}),
}
"""As in `rules`."""
