"""Removing what has expired (TTL-2)."""

from __future__ import annotations

from itertools import islice

from agentkeep.records import Scope

from agentkeep_memory.client import Client


def sweep(client: Client, scope: Scope | None, *, limit: int) -> int:
    with client.lock:
        now = client.now()
        expired = (
            (tenant, session_id)
            for (tenant, session_id), entry in client.database.entries.items()
            if entry.is_expired(now)
            and (scope is None or (tenant == scope.tenant and scope.user_id in (None, entry.record.user_id)))
        )
        found = list(islice(expired, limit))
        for tenant, session_id in found:
            client.remove(tenant, session_id)
        return len(found)
