"""The adapter: opens, closes, and says what it offers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self

from agentkeep.capabilities import Capabilities
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.clock import Clock, utc_now
from agentkeep.spi.options import as_bool, as_is, as_prefix, as_seconds, read_options

from agentkeep_NAME.client import Client
from agentkeep_NAME.messages import CLASSMessages
from agentkeep_NAME.schema import prepare
from agentkeep_NAME.sessions import CLASSSessions
from agentkeep_NAME.statements import statements
from agentkeep_NAME.sweep import sweep

_OPTIONS = {"prefix": as_prefix, "manage_schema": as_bool, "timeout": as_seconds, "clock": as_is}


class CLASSAdapter:
    """Say here where the data is and what `prefix` names.

    If callers may hand in a client of their own, say that `close` leaves it open (LIFE-2).
    """

    name = "NAME"

    # Declare only what the suite has proved: core refuses an undeclared capability for you. If the server has a clock,
    # use that: `server_clock=True`, and no `clock` option.
    capabilities = Capabilities(durability="process")

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "agentkeep_",
        manage_schema: bool = True,
        timeout: timedelta = timedelta(seconds=30),
        clock: Clock = utc_now,
    ) -> None:
        """No I/O here."""
        self._prefix = prefix
        self._manage_schema = manage_schema
        self._clock = clock
        self._client = Client(url, timeout)
        self.sessions = CLASSSessions(self._client, statements(prefix), clock)
        self.messages = CLASSMessages(self._client, statements(prefix), clock)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Raises `ConfigurationError`; its message never shows a password (`agentkeep.spi.urls.redact`)."""
        return cls(url, **read_options(cls.name, url, options, _OPTIONS))

    async def open(self) -> None:
        """Connect; create or migrate the schema, also if other processes do it at the same time (LIFE-1)."""
        await self._client.open()
        try:
            await prepare(self._client, self._prefix, manage_schema=self._manage_schema)
        except BaseException:
            await self._client.close()
            raise

    async def close(self) -> None:
        """Close what this adapter opened, and nothing else (LIFE-2)."""
        await self._client.close()

    async def health(self) -> Health:
        """Ask the server one question. Raises `Unavailable`."""
        raise NotImplementedError

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await sweep(self._client, statements(self._prefix), self._clock, scope, limit=limit)
