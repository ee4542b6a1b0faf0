"""Removal of expired sessions."""

from __future__ import annotations

from agentkeep.records import Scope

from agentkeep_postgres.client import Client
from agentkeep_postgres.listing import Listing
from agentkeep_postgres.statements import Statements


class Sweep:
    def __init__(self, client: Client, statements: Statements) -> None:
        self._client = client
        self._listing = Listing(statements)

    async def run(self, scope: Scope | None, *, limit: int) -> int:
        """Remove up to `limit` expired sessions of a scope, or of all; returns how many.

        Each call is one transaction, so a crash leaves nothing half removed (TTL-2).
        """
        rows = await self._client.write(*self._listing.remove_expired(scope, limit=limit))
        return rows[0][0]
