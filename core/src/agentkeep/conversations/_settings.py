"""How a manager's conversations behave, and how they are loaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agentkeep.conversations._hooks import Hooks
from agentkeep.conversations._versions import Migrate, up_to_date
from agentkeep.keep import View
from agentkeep.models import Session


@dataclass(frozen=True)
class Settings:
    """What a manager was given."""

    window: int | None = None
    auto_save: bool = True
    schema_version: int | None = None
    migrate: Migrate | None = None
    hooks: Sequence[Hooks] = ()

    async def call(self, event: Callable[[Hooks], Awaitable[Any]]) -> None:
        """Call one method of all hooks, in their order."""
        for hook in self.hooks:
            await event(hook)


async def load(view: View, settings: Settings, session_id: str) -> Session:
    """Read a session and bring its data up to date. Raises `SessionNotFound`, and what hooks and `migrate` raise."""
    await settings.call(lambda hook: hook.before_load(session_id))
    return await loaded(view, settings, await view.sessions.get(session_id))


async def loaded(view: View, settings: Settings, session: Session) -> Session:
    """A session that was read, with its data up to date."""
    session = await up_to_date(view, session, settings.schema_version, settings.migrate)
    await settings.call(lambda hook: hook.after_load(session))
    return session
