"""The NAME adapter keeps every clause."""

from collections.abc import AsyncIterator
from typing import Any

from agentkeep_conformance import AdapterConformance
from agentkeep_NAME import CLASSAdapter


class TestCLASS(AdapterConformance):
    # An embedded database: `dsn` is a fresh directory. For a server: `server = servers.POSTGRES`, or your own object
    # with `name`, `dsn` and `address`; then `dsn` is its URL.
    def open(self, dsn: str, namespace: str, **options: Any) -> CLASSAdapter:
        return CLASSAdapter(dsn, prefix=namespace, **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        # Every byte string that the whole database holds, by the bare driver: what must be gone is looked for here.
        raise NotImplementedError
        yield b""
