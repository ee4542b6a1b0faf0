"""The whole suite on the toy adapter: what fails here is wrong in the suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

from agentkeep_conformance import AdapterConformance
from wire.adapter import WireAdapter
from wire.link import Link
from wire.process import WireServer

_SERVER = WireServer()


class TestWire(AdapterConformance):
    server = _SERVER
    one_connection: ClassVar[dict[str, Any]] = {"pool_size": 1}
    impatient: ClassVar[dict[str, Any]] = {"timeout": 0.3}

    def open(self, dsn: str, namespace: str, **options: Any) -> WireAdapter:
        return WireAdapter(dsn, prefix=namespace, **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        for part in await ask(dsn, namespace, "adapter.scan"):
            yield part

    async def drop(self, dsn: str, namespace: str) -> None:
        await ask(dsn, namespace, "adapter.drop")


async def ask(dsn: str, namespace: str, verb: str) -> Any:
    """One request past the adapter."""
    host, port = dsn.removeprefix("wire://").split(":")
    link = Link(host, int(port), namespace, pool_size=1, timeout=30)
    link.open()
    try:
        return await link.call(verb, None)
    finally:
        await link.close()
