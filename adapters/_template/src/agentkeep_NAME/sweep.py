"""Removing what has expired, in bounded steps (TTL-2, COST-3)."""

from __future__ import annotations

from collections.abc import Mapping

from agentkeep.records import Scope
from agentkeep.spi.clock import Clock

from agentkeep_NAME.client import Client


async def sweep(client: Client, sql: Mapping[str, str], clock: Clock, scope: Scope | None, *, limit: int) -> int:
    """Remove up to `limit` expired sessions with all that belongs to them; return how many."""
    raise NotImplementedError
