"""The adapter of the toy server."""

from __future__ import annotations

from datetime import timedelta
from time import perf_counter
from typing import Any, Self
from urllib.parse import urlsplit

from agentkeep import Capabilities, ConfigurationError, Health
from agentkeep.records import Scope
from agentkeep.spi.options import as_count, as_prefix, as_seconds, read_options
from msgspec.structs import replace

from .link import Link
from .repositories import WireMessages, WireSessions

_OPTIONS = {"prefix": as_prefix, "pool_size": as_count, "timeout": as_seconds}


class WireAdapter:
    """`wire://host:port`. Options: `prefix`, `pool_size` (connections), `timeout` (seconds a call may take in all)."""

    name = "wire"
    capabilities = Capabilities(
        search=True, watch=False, server_clock=True, max_message_bytes=16 * 1024 * 1024, durability="os"
    )

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "agentkeep",
        pool_size: int = 4,
        timeout: float = 30.0,
        link: type[Link] = Link,
    ) -> None:
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ConfigurationError(f"{url!r} names no server: give wire://host:port")
        self.link = link(parts.hostname, parts.port, prefix, pool_size=pool_size, timeout=timeout)
        self.sessions = WireSessions(self.link)
        self.messages = WireMessages(self.link)

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        values = read_options(cls.name, url, options, _OPTIONS)
        if "timeout" in values:
            values["timeout"] = values["timeout"].total_seconds()
        return cls(url.partition("?")[0], **values)

    async def open(self) -> None:
        """One round trip, to learn that the server is there."""
        self.link.open()
        try:
            await self.health()
        except BaseException:
            await self.link.close()
            raise

    async def close(self) -> None:
        await self.link.close()

    async def health(self) -> Health:
        started = perf_counter()
        found = await self.link.call("adapter.health", None, again=())
        return replace(found, latency=timedelta(seconds=perf_counter() - started))

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await self.link.call("adapter.sweep", scope, limit)
