"""The adapter: opens, closes, and says what it offers."""

from __future__ import annotations

from typing import Any, Self

from agentkeep.capabilities import Capabilities
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.clock import Clock, utc_now
from agentkeep.spi.options import as_is, as_prefix, read_options

from agentkeep_NAME.messages import CLASSMessages
from agentkeep_NAME.sessions import CLASSSessions


class CLASSAdapter:
    """Say where the data is, what `prefix` names, and whose a client is that the caller hands in (LIFE-2)."""

    name = "NAME"

    # Declare only what the suite has seen: an undeclared capability is refused for you, everywhere alike.
    # A server with a clock of its own: `server_clock=True`, and no `clock` option.
    capabilities = Capabilities(durability="fsync")

    def __init__(self, url: str, *, prefix: str = "agentkeep", clock: Clock = utc_now) -> None:
        """No I/O here."""
        self.sessions = CLASSSessions()
        self.messages = CLASSMessages()

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Raises `ConfigurationError`; its message never shows a password (`agentkeep.spi.urls.redact`)."""
        return cls(url, **read_options(cls.name, url, options, {"prefix": as_prefix, "clock": as_is}))

    async def open(self) -> None:
        """Connect; create or migrate the schema, safely beside others that do the same (LIFE-1)."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close what this adapter opened, nothing else (LIFE-2)."""
        raise NotImplementedError

    async def health(self) -> Health:
        """One real query. Raises `Unavailable`."""
        raise NotImplementedError

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        """Remove expired sessions with all of theirs (TTL-2)."""
        raise NotImplementedError
