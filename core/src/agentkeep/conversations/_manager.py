"""What makes, finds and removes conversations of one agent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import EllipsisType
from typing import Any

from agentkeep._drafts import SessionFields
from agentkeep._validation import check_id, check_optional_count, check_optional_id, check_schema_version
from agentkeep.conversations._claims import active_or_new
from agentkeep.conversations._conversation import Conversation
from agentkeep.conversations._hooks import Hooks
from agentkeep.conversations._ids import time_id
from agentkeep.conversations._settings import Settings, load, loaded
from agentkeep.conversations._usage import Usage, usage_in
from agentkeep.conversations._versions import Migrate
from agentkeep.errors import InvalidInput
from agentkeep.keep import View
from agentkeep.models import Page, Session, Status
from agentkeep.records import Scope
from agentkeep.sessions import Order, Sessions


class SessionManager:
    """The conversations of one agent: with one user, or with all users of a view.

        async with agentkeep.connect("sqlite:///chat.db") as keep:
            manager = SessionManager(keep, agent_name="support", user_id="ann")
            conversation = await manager.resume_latest()

    It holds no state but its settings: make one for the program, or one for each request.
    """

    def __init__(
        self,
        keep: View,
        *,
        agent_name: str | None = None,
        user_id: str | None = None,
        window: int | None = None,
        idle_ttl: timedelta | float | EllipsisType | None = ...,
        auto_save: bool = True,
        schema_version: int | None = None,
        migrate: Migrate | None = None,
        hooks: Hooks | Sequence[Hooks] = (),
    ) -> None:
        """Does no I/O.

        `keep`: a keep, or a view of it. `agent_name`: of new sessions; listings show that agent's alone. `user_id`:
        the manager sees this user's sessions alone (ISO-1). `window`: how many messages `context` returns at most if
        the call says nothing. `idle_ttl`: of new sessions; by default the keep's (TTL-3). `auto_save`: whether each
        verb of a conversation writes at once. `schema_version`: of the agent's data, an int that grows with each change
        of its form; `migrate(data, from_version)`, sync or async, returns the data in the current form. It is called
        when a session of an older version is loaded, and the result is stored. `hooks`: see `Hooks`.
        Raises `InvalidInput`.
        """
        self.view: View = keep if user_id is None else keep.for_user(user_id)
        self.agent_name: str | None = check_optional_id(agent_name, "agent_name")
        self.settings: Settings = Settings(
            window=check_optional_count(window, "window", least=1),
            auto_save=auto_save,
            schema_version=check_schema_version(schema_version),
            migrate=migrate,
            hooks=(hooks,) if isinstance(hooks, Hooks) else tuple(hooks),
        )
        self._idle_ttl = idle_ttl

    def __repr__(self) -> str:
        return f"<SessionManager agent={self.agent_name!r} of {self.view!r}>"

    async def get_or_create(self, id: str | None = None, *, user_id: str | None = None) -> Conversation:
        """The conversation of this id, or a new one. Without `id`, a new one under an id that sorts by time.

        Raises `AlreadyExists` if the session belongs to another user (ISO-4).
        """
        view = self._view_of(user_id)
        id = time_id() if id is None else check_id(id, "id")
        await self.settings.call(lambda hook: hook.before_load(id))
        return await self._conversation(view, await view.sessions.get_or_create(id, **self._fields()))

    async def get(self, id: str) -> Conversation:
        """The conversation of this id. Raises `SessionNotFound`."""
        return Conversation(self.view, await load(self.view, self.settings, check_id(id, "id")), self.settings)

    async def resume_latest(self, user_id: str | None = None) -> Conversation:
        """The user's active conversation that was written to last, or a new one.

        However many callers race, in any number of tasks and processes, they get the same conversation. `user_id` may
        be left out if the manager or its view is limited to one user.
        """
        view = self._view_of(user_id)
        owner = _scope(view).user_id
        if owner is None:
            raise InvalidInput("user_id is missing: give resume_latest or the manager the id of a user")

        async def find() -> Session | None:
            page = await view.sessions.list(agent_name=self.agent_name, status="active", limit=1)
            return page.items[0] if page.items else None

        async def make(id: str) -> Session:
            return await view.sessions.get_or_create(id, **self._fields())

        session = await active_or_new(_claims(view), (self.agent_name, owner), find, make)
        await self.settings.call(lambda hook: hook.before_load(session.id))
        return await self._conversation(view, session)

    async def list(
        self,
        *,
        user_id: str | None = None,
        status: Status | None = None,
        metadata: dict[str, Any] | None = None,
        order: Order = "-updated_at",
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Session]:
        """A page of this agent's sessions, as `keep.sessions.list` returns it."""
        return await self.view.sessions.list(
            user_id=user_id,
            agent_name=self.agent_name,
            status=status,
            metadata=metadata,
            order=order,
            limit=limit,
            cursor=cursor,
        )

    async def exists(self, id: str) -> bool:
        """Whether there is a session of this id."""
        return await self.view.sessions.find(id) is not None

    async def remove(self, id: str) -> bool:
        """Remove a session and everything of it (SES-6). False if there was none."""
        return await self.view.sessions.delete(id)

    async def usage(self, *, user_id: str | None = None, agent_name: str | None = None) -> Usage:
        """What all sessions of this manager's agent used together, or of `agent_name`; with `user_id` only that user's.

        It reads the sessions page by page, without their messages. Sessions that were removed or have expired do not
        count.
        """
        total = Usage()
        async for session in self.view.sessions.iterate(user_id=user_id, agent_name=agent_name or self.agent_name):
            total += usage_in(session.counters)
        return total

    def _view_of(self, user_id: str | None) -> View:
        return self.view if user_id is None else self.view.for_user(user_id)

    def _fields(self) -> SessionFields:
        fields = SessionFields(agent_name=self.agent_name, schema_version=self.settings.schema_version)
        if not isinstance(self._idle_ttl, EllipsisType):
            fields["idle_ttl"] = self._idle_ttl
        return fields

    async def _conversation(self, view: View, session: Session) -> Conversation:
        return Conversation(view, await loaded(view, self.settings, session), self.settings)


def _scope(view: View) -> Scope:
    return view._scope  # pyright: ignore[reportPrivateUsage] - of core, as this is


def _claims(view: View) -> Sessions:
    """The sessions of the view's tenant: a claim belongs to no user."""
    shared = view._shared  # pyright: ignore[reportPrivateUsage] - of core, as this is
    return Sessions(shared, Scope(_scope(view).tenant))
