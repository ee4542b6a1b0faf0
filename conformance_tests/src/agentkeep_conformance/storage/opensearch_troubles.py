"""What can go wrong at an OpenSearch server: an operator blocks writes, or the disk is full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from agentkeep_conformance.enrolment import Enrolment, Trouble
from agentkeep_conformance.servers.opensearch import request


class OpenSearchTroubles(Enrolment):
    """For an enrolment on one node or several. Only the indices of the namespace are blocked."""

    @asynccontextmanager
    async def make_read_only(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        yield Trouble(dsn, partial(_blocked, dsn, namespace, "write"))

    @asynccontextmanager
    async def fill(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        """The server sets this block by itself when its disk is fuller than the flood-stage watermark."""
        yield Trouble(dsn, partial(_blocked, dsn, namespace, "read_only_allow_delete"))


@asynccontextmanager
async def _blocked(dsn: str, namespace: str, kind: str) -> AsyncGenerator[None]:
    await asyncio.to_thread(_block, dsn, namespace, kind, "true")
    try:
        yield
    finally:
        await asyncio.to_thread(_block, dsn, namespace, kind, None)


def _block(dsn: str, namespace: str, kind: str, value: str | None) -> None:
    path = f"/{namespace}-sessions,{namespace}-messages/_settings"
    assert request(dsn, "PUT", path, {f"index.blocks.{kind}": value})["acknowledged"]
