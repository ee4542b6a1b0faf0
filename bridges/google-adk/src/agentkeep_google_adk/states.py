"""State that sessions share: an app's, and a user's in an app. Each is the `state` of a session of its own.

Those sessions have an `agent_name` of their own, so that a listing can leave them out. They never expire, and no
retention policy removes them. A user's state is that user's session, so `delete_user` removes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import random
from typing import Any

from agentkeep import AlreadyExists, Conflict, OutcomeUnknown, SessionNotFound, View
from agentkeep.bridging import from_stored, joined_id, to_stored
from agentkeep.retention import SHARED
from agentkeep.sessions import Sessions

AGENT = "google-adk/state"
_TRIES = 50


def app_holder(app_name: str) -> str:
    return joined_id("app", app_name)


def user_holder(app_name: str, user_id: str) -> str:
    return joined_id("user", app_name, user_id)


class SharedStates:
    def __init__(self, view: View) -> None:
        self._sessions: Sessions = view.sessions

    async def read(self, holders: Iterable[str]) -> dict[str, dict[str, Any]]:
        """By holder; one round trip for each 1,000. A holder without state has an empty one."""
        wanted = list(holders)
        found = await self._sessions.get_many(wanted)
        return {holder: from_stored(found[holder].state) if holder in found else {} for holder in wanted}

    async def merge(self, holder: str, delta: dict[str, Any], user_id: str | None = None) -> None:
        """Each key of the delta replaces the stored one. Writers that meet try again, so none loses its keys."""
        for attempt in range(_TRIES):
            try:
                return await self._merge(holder, delta, user_id)
            except (AlreadyExists, Conflict, OutcomeUnknown, SessionNotFound):
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(random() * min(0.001 * 2**attempt, 0.1))  # noqa: S311 - not a secret

    async def _merge(self, holder: str, delta: dict[str, Any], user_id: str | None) -> None:
        stored = await self._sessions.find(holder)
        if stored is None:
            await self._sessions.create(
                holder,
                user_id=None if user_id is None else joined_id(user_id),
                agent_name=AGENT,
                state=to_stored(delta),
                metadata={SHARED: True},
                idle_ttl=None,
            )
            return
        state = to_stored(from_stored(stored.state) | delta)
        await self._sessions.update(holder, state=state, expected_version=stored.version)
