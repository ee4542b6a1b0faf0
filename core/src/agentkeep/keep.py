"""What users open: a `Keep` on one database, and the `View` that limits it to one tenant or user."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from agentkeep._adapter_state import AdapterState
from agentkeep._registry import adapter_for
from agentkeep._steps import in_steps
from agentkeep._validation import check_count, check_duration, check_id
from agentkeep.capabilities import Capabilities
from agentkeep.errors import ConfigurationError, InvalidInput
from agentkeep.messages import Messages
from agentkeep.models import Health
from agentkeep.protocol import PersistenceAdapter
from agentkeep.records import Scope
from agentkeep.sessions import Sessions

if TYPE_CHECKING:
    from agentkeep.retention import RetentionPolicy

DEFAULT_TENANT = "default"
KEEP_OPTIONS = ("tenant", "idle_ttl", "own_loop")
"""Options of `connect` that are not the adapter's."""
_log = logging.getLogger("agentkeep")


def connect(
    url_or_config: str | Mapping[str, Any],
    *,
    wrap: Iterable[Callable[[PersistenceAdapter], PersistenceAdapter]] = (),
    **options: Any,
) -> Keep:
    """A `Keep` for a URL, or for a mapping with a `url` and options (as read from a file). Does no I/O.

    `wrap`: callables that take an adapter and return one around it (`agentkeep.wrappers`); the first is the innermost.
    `tenant`: whose data the keep sees. `idle_ttl` (timedelta or seconds): the default for new sessions (TTL-3).
    `own_loop=True`: run on an event loop in a thread of its own, so that any loop or thread may call it (LIFE-3).
    All other options are the adapter's; the URL's query may hold those too.
    Raises `ConfigurationError`, `AdapterNotInstalled`.
    """
    if isinstance(url_or_config, Mapping):
        options = {**url_or_config, **options}
        if "url" not in options:
            raise ConfigurationError("the configuration has no url: give one such as sqlite:///chat.db")
        url = options.pop("url")
    else:
        url = url_or_config
    own = {name: options.pop(name) for name in KEEP_OPTIONS if name in options}
    adapter = adapter_for(url, options)
    for wrapper in wrap:
        adapter = wrapper(adapter)
    return Keep(adapter, **own)


class View:
    """The sessions and messages of one tenant, or of one user of it, in an open database (ISO-1).

    `for_tenant` and `for_user` make views, on the pool of the keep. A view lives as long as its keep is open.
    """

    def __init__(self, shared: AdapterState, scope: Scope) -> None:
        self._shared = shared
        self._scope = scope
        self.sessions: Sessions = Sessions(shared, scope)
        self.messages: Messages = Messages(shared, scope)

    def __repr__(self) -> str:
        user = "" if self._scope.user_id is None else f" user={self._scope.user_id!r}"
        return f"<{type(self).__name__} {self._shared.adapter.name} tenant={self._scope.tenant!r}{user}>"

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter offers; settled once the keep is open."""
        return self._shared.capabilities

    @property
    def user_id(self) -> str | None:
        """The user to whom this view is limited; None if it sees all of its tenant."""
        return self._scope.user_id

    def for_user(self, user_id: str) -> View:
        """A view that sees and touches this user's sessions alone (ISO-1).

        Raises `InvalidInput`; in a user's view also for another user.
        """
        check_id(user_id, "user_id")
        if self._scope.user_id not in (None, user_id):
            raise InvalidInput(
                f"{self!r} is limited to one user and can't return a view of user {user_id!r}: "
                "call for_user on the keep or on the tenant's view"
            )
        return self._view(Scope(self._scope.tenant, user_id))

    async def health(self) -> Health:
        """Ask the server. Raises `Unavailable` if it does not answer."""
        self._shared.require_open()
        return await self._shared.adapter.health()

    async def sweep(self, limit: int = 1000) -> int:
        """Remove up to `limit` expired sessions with all that is theirs, and what crashes left; return how many.

        A tenant's or user's view sweeps its own sessions (ISO-1, TTL-2).
        Raises `OutcomeUnknown` with `done` if it fails after some were removed (ERR-2).
        """
        return await self._sweep(self._scope, limit)

    async def _sweep(self, scope: Scope | None, limit: int) -> int:
        self._shared.require_open()
        check_count(limit, "limit", least=1)
        removed = await in_steps(lambda step: self._shared.adapter.sweep(scope, limit=step), most=limit)
        level = logging.INFO if removed else logging.DEBUG
        _log.log(level, "%s: a sweep removed expired sessions: %d", self._shared.adapter.name, removed)
        return removed

    def _view(self, scope: Scope) -> View:
        return type(self)(self._shared, scope)


class Keep(View):
    """Sessions and messages of one tenant in one database. Use it with `async with`, or call `open()` and `close()`.

    `Keep(adapter)` wraps an adapter that was made by hand, for instance around the caller's own pool or engine.
    A subclass that wants its own kind of view names it in `view_class`.
    """

    view_class: ClassVar[type[View]] = View

    def __init__(
        self,
        adapter: PersistenceAdapter,
        *,
        tenant: str = DEFAULT_TENANT,
        idle_ttl: timedelta | float | None = None,
        own_loop: bool = False,
    ) -> None:
        try:
            scope = Scope(check_id(tenant, "tenant"))
            shared = AdapterState(adapter, check_duration(_number(idle_ttl), "idle_ttl"), own_loop=own_loop)
        except InvalidInput as error:
            raise ConfigurationError(str(error)) from error
        super().__init__(shared, scope)

    @property
    def adapter(self) -> PersistenceAdapter:
        """The adapter, or the outermost wrapper around it."""
        return self._shared.adapter

    async def open(self) -> Self:
        """Connect and bring the schema up to date (LIFE-1). Idempotent. Raises as the adapter's `open` does."""
        await self._shared.open()
        return self

    async def close(self) -> None:
        """Close what we opened, for all views (LIFE-2). Idempotent."""
        await self._shared.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def for_tenant(self, tenant: str) -> View:
        """A view on the same pool that sees and touches this tenant's data alone (ISO-1). Raises `InvalidInput`."""
        return self._view(Scope(check_id(tenant, "tenant")))

    async def sweep(self, limit: int = 1000) -> int:
        """As a view's `sweep`, for the sessions of all tenants."""
        return await self._sweep(None, limit)

    def sweeping(
        self, *, every: timedelta | float, policy: RetentionPolicy | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Sweep in the background while the block runs: `async with keep, keep.sweeping(every=300):`.

        It removes the expired sessions of all tenants. With a `policy` (`agentkeep.retention`), it also prunes the
        keep's own tenant. Safe in any number of processes. Errors of the database are logged and tried again.
        """
        from agentkeep.retention import sweeping

        return sweeping(self, every=every, policy=policy)

    def _view(self, scope: Scope) -> View:
        return self.view_class(self._shared, scope)


def _number(value: timedelta | float | str | None) -> object:
    """A text, as an environment variable or a file may hold it, as a number of seconds."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError as error:
        raise ConfigurationError(f"idle_ttl is {value!r}: give seconds or a timedelta") from error
