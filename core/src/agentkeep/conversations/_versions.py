"""The agent's own schema version: old data is brought up to date when a conversation is loaded."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from agentkeep.errors import ConfigurationError, Conflict, StateTooNew
from agentkeep.keep import View
from agentkeep.models import Session

Migrate = Callable[[dict[str, Any], int | None], dict[str, Any] | Awaitable[dict[str, Any]]]
"""Returns the data of the current version for the data of `from_version`. None: stored without a version."""
_TRIES = 20


async def up_to_date(view: View, session: Session, current: int | None, migrate: Migrate | None) -> Session:
    """The session with its data migrated and stored, by one of all callers that load it at the same time.

    Raises `StateTooNew`, `ConfigurationError` (old data and no `migrate`), and what `migrate` raises.
    """
    if current is None:
        return session
    for _ in range(_TRIES):
        stored = session.schema_version
        if stored == current:
            return session
        if stored is not None and stored > current:
            raise StateTooNew(session.id, found=stored, known=current)
        if migrate is None:
            raise ConfigurationError(
                f"session {session.id!r} has data of schema version {stored} and the manager has version {current}: "
                "give the manager a `migrate`"
            )
        data = migrate(copy.deepcopy(session.state), stored)
        if inspect.isawaitable(data):
            data = await data
        try:
            return await view.sessions.update(
                session.id, expected_version=session.version, state=data, schema_version=current
            )
        except Conflict:
            session = await view.sessions.get(session.id)
    raise Conflict(
        "version",
        f"session {session.id!r} changed in each of {_TRIES} tries to migrate its data",
        expected="the version that was read",
        actual="another version",
    )
