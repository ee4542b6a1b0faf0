"""Removing many sessions, in bounded steps: what a query matches, and what has expired."""

from __future__ import annotations

from collections.abc import Sequence

from agentkeep.records import Scope, SessionQuery
from agentkeep.spi.one_call import one_call

from agentkeep_postgres.client import Client
from agentkeep_postgres.listing import candidates, conditions, values_of
from agentkeep_postgres.statements import Statement, Statements


class Sweep:
    def __init__(self, client: Client, statements: Statements) -> None:
        self._client = client
        self._sql = statements

    async def matching(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        """Remove up to `limit` matching sessions; fewer only if no more match (COST-3)."""
        unchanged = ("only_unchanged",) if query.labels else ()
        checked = (*conditions(scope, query), *unchanged)
        statement = self._sql.joined(
            "candidates_begin", *candidates(scope, query), "candidates_end", *checked, "locked_end"
        )
        return await self._remove(statement, values_of(scope, query), limit)

    async def expired(self, scope: Scope | None, *, limit: int) -> int:
        """Remove up to `limit` expired sessions of a scope, or of all. A crash leaves nothing half removed (TTL-2)."""
        within: tuple[str, ...] = ()
        values: dict[str, object] = {}
        if scope is not None:
            within = ("only_tenant",) if scope.user_id is None else ("only_tenant", "only_owner")
            values = {"tenant": scope.tenant, "owner": scope.user_id}
        return await self._remove(self._sql.joined(*removal_of_expired(within)), values, limit)

    async def _remove(self, statement: Statement, values: dict[str, object], limit: int) -> int:
        """Again if another call was first with some of the candidates: there may be more, and some may still match."""
        removed = 0
        with one_call():
            while True:
                wanted = limit - removed
                rows = await self._client.write(statement, {**values, "limit": wanted})
                now, found = rows[0]
                removed += now
                if (found < wanted and now == found) or removed == limit:
                    return removed


def removal_of_expired(within: Sequence[str]) -> Sequence[str]:
    """The parts of a step that removes expired sessions, those first that no listing reads any more."""
    unlisted, listed = (
        ("open", "select_keys", index, *within, "order_expiry", "limit", "close")
        for index in ("from_unlisted", "from_expired")
    )
    found = (*unlisted, "union_all", *listed, "limit")
    return ("candidates_begin", *found, "candidates_end", "only_expired", *within, "locked_end")
