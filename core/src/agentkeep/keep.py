"""The facade: one opened adapter, seen as one tenant's data, or as one user's of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from agentkeep._registry import adapter_for
from agentkeep._shared import Shared
from agentkeep._steps import in_steps
from agentkeep._validation import check_count, check_duration, check_id
from agentkeep.capabilities import MIN_MESSAGE_BYTES, Capabilities
from agentkeep.errors import ConfigurationError, InvalidInput
from agentkeep.messages import Messages
from agentkeep.models import Health
from agentkeep.protocol import PersistenceAdapter
from agentkeep.records import Scope
from agentkeep.sessions import Sessions

DEFAULT_TENANT = "default"


def connect(url_or_config: str | Mapping[str, Any], **options: Any) -> Keep:
    """A `Keep` for a URL, or for a mapping with a `url` and options (as read from a file). Does no I/O.

    `idle_ttl` (timedelta, or seconds): sessions expire that long after their last append or touch. `tenant`: whose data
    the keep sees. All other options are the adapter's; the URL's query may hold those too.
    Raises `ConfigurationError`, `AdapterNotInstalled`.
    """
    if isinstance(url_or_config, Mapping):
        options = {**url_or_config, **options}
        if "url" not in options:
            raise ConfigurationError("the configuration has no url: give one such as sqlite:///chat.db")
        url = options.pop("url")
    else:
        url = url_or_config
    idle_ttl = _duration(options.pop("idle_ttl", None))
    tenant = options.pop("tenant", DEFAULT_TENANT)
    return Keep(adapter_for(url, options), tenant=tenant, idle_ttl=idle_ttl)


class Keep:
    """Sessions and messages of one tenant in one database. Use it with `async with`, or call `open()` and `close()`.

    `Keep(adapter)` wraps an adapter that was made by hand, around the caller's own pool or engine for instance.
    """

    def __init__(
        self, adapter: PersistenceAdapter, *, tenant: str = DEFAULT_TENANT, idle_ttl: timedelta | None = None
    ) -> None:
        try:
            scope = Scope(check_id(tenant, "tenant"))
            shared = Shared(adapter, check_duration(idle_ttl, "idle_ttl"))
        except InvalidInput as error:
            raise ConfigurationError(str(error)) from error
        self._see(shared, scope, sweeps=None)

    def _see(self, shared: Shared, scope: Scope, *, sweeps: Scope | None) -> None:
        self._shared = shared
        self._scope = scope
        self._sweeps = sweeps
        self.sessions = Sessions(shared, scope)
        self.messages = Messages(shared, scope)

    def __repr__(self) -> str:
        user = "" if self._scope.user_id is None else f" user={self._scope.user_id!r}"
        return f"<Keep {self._shared.adapter.name} tenant={self._scope.tenant!r}{user}>"

    async def open(self) -> Self:
        """Connect and bring the schema up to date (LIFE-1). Idempotent. Raises as the adapter's `open` does."""
        async with self._shared.changing():
            if not self._shared.is_open:
                await self._shared.adapter.open()
                self._shared.capabilities = _honest(self._shared.adapter)
                self._shared.is_open = True
        return self

    async def close(self) -> None:
        """Close what we opened, for all views (LIFE-2). Idempotent."""
        async with self._shared.changing():
            if self._shared.is_open:
                self._shared.is_open = False
                await self._shared.adapter.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def capabilities(self) -> Capabilities:
        """What the adapter offers; settled once the keep is open."""
        return self._shared.capabilities

    def for_tenant(self, tenant: str) -> Keep:
        """A view on the same pool that sees and touches this tenant's data alone (ISO-1). Raises `InvalidInput`.

        Only from the keep itself: a tenant's or user's view gives no way out of it.
        """
        if self._sweeps is not None:
            raise InvalidInput(f"{self!r} is a view: ask the keep that it was made from for another tenant's")
        return self._view(Scope(check_id(tenant, "tenant")))

    def for_user(self, user_id: str) -> Keep:
        """A view that sees and touches this user's sessions alone (ISO-1). Raises `InvalidInput`."""
        check_id(user_id, "user_id")
        if self._scope.user_id not in (None, user_id):
            raise InvalidInput(f"{self!r} is one user's view: ask the keep that it was made from for another's")
        return self._view(Scope(self._scope.tenant, user_id))

    def _view(self, scope: Scope) -> Keep:
        view = Keep.__new__(Keep)
        view._see(self._shared, scope, sweeps=scope)
        return view

    async def health(self) -> Health:
        """Ask the server. Raises `Unavailable` where it does not answer."""
        self._shared.require_open()
        return await self._shared.adapter.health()

    async def sweep(self, limit: int = 1000) -> int:
        """Remove up to `limit` expired sessions with all of theirs, and what crashes left; how many sessions went.

        The keep itself sweeps every tenant's; a tenant's or user's view sweeps its own (ISO-1, TTL-2).
        """
        self._shared.require_open()
        check_count(limit, "limit", least=1)
        return await in_steps(lambda step: self._shared.adapter.sweep(self._sweeps, limit=step), most=limit)


def _duration(value: object) -> timedelta | None:
    """`idle_ttl` as a timedelta or, as in a file or a URL, in seconds."""
    if value is None or isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=float(value))  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigurationError(f"idle_ttl is {value!r}: give seconds or a timedelta") from error


def _honest(adapter: PersistenceAdapter) -> Capabilities:
    declared = adapter.capabilities
    if declared.max_message_bytes < MIN_MESSAGE_BYTES:
        raise ConfigurationError(
            f"the {adapter.name} adapter declares max_message_bytes={declared.max_message_bytes}: "
            f"FID-4 asks for {MIN_MESSAGE_BYTES} at least"
        )
    return declared
