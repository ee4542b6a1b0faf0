"""What a planted fault of the network stands on: the toy adapter, with a place for one lie on its client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

from agentkeep_conformance import AdapterConformance
from wire.adapter import WireAdapter
from wire.link import Link, ask_once
from wire.process import WireServer
from wire.repositories import WireMessages, WireSessions


class OverWire(AdapterConformance):
    server = WireServer()
    one_connection: ClassVar[dict[str, Any]] = {"pool_size": 1}
    short_timeout: ClassVar[dict[str, Any]] = {"timeout": 0.3}
    renews_silent_connections = True

    adapter: ClassVar[type[WireAdapter]] = WireAdapter
    link: ClassVar[type[Link]] = Link
    sessions: ClassVar[type[WireSessions]] = WireSessions
    messages: ClassVar[type[WireMessages]] = WireMessages

    def open(self, dsn: str, namespace: str, **options: Any) -> WireAdapter:
        adapter = self.adapter(dsn, prefix=namespace, link=self.link, **options)
        adapter.sessions = self.sessions(adapter.link)
        adapter.messages = self.messages(adapter.link)
        return adapter

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        for part in await ask_once(dsn, namespace, "adapter.scan"):
            yield part

    async def drop(self, dsn: str, namespace: str) -> None:
        await ask_once(dsn, namespace, "adapter.drop")
