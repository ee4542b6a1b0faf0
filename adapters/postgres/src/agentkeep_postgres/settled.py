"""Reads of sessions that may have expired: what a reader once saw as expired stays so (TTL-1).

A write judges whether its session lives, and then commits. If the session's time ends before the commit is done, a
reader sees it expired, and later alive. So a read that met an expired session waits for its lock and reads again. Each
write holds that lock until its commit is done, and later writes judge by a later clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentkeep.errors import PersistenceError, SessionNotFound
from agentkeep.records import Scope
from agentkeep.spi.one_call import one_call

from agentkeep_postgres.client import Client
from agentkeep_postgres.drivers import Row
from agentkeep_postgres.errors import is_refusal
from agentkeep_postgres.listing import Call
from agentkeep_postgres.statements import Statements

_UNLISTED_AT_ONCE = 500
"""Expired sessions that one step takes out of the indexes of listings (COST-3)."""
_READINGS = 3
"""More expire meanwhile only if very many do."""


class SettledReads:
    def __init__(self, client: Client, statements: Statements) -> None:
        self._client = client
        self._sql = statements

    async def session(
        self, statement: str, scope: Scope, session_id: str, values: Mapping[str, object]
    ) -> Sequence[Row]:
        """The rows of a statement that returns some if the session lives. Raises `SessionNotFound`."""
        with one_call():
            rows = await self._client.read(self._sql[statement], values)
            if not rows and await self._wait_for_writes(scope, [session_id]):
                rows = await self._client.read(self._sql[statement], values)
        if not rows:
            raise SessionNotFound(session_id)
        return rows

    async def sessions(self, statement: str, scope: Scope, values: Mapping[str, object]) -> Sequence[Row]:
        """The rows of a statement whose first column says that a session has expired, without these and that column."""
        with one_call():
            rows = await self._client.read(self._sql[statement], values)
            expired = [row[1] for row in rows if row[0]]
            if expired and await self._wait_for_writes(scope, expired):
                rows = await self._client.read(self._sql[statement], values)
        return [row[1:] for row in rows if not row[0]]

    async def _wait_for_writes(self, scope: Scope, ids: Sequence[str]) -> bool:
        """Whether one of these sessions exists and has an end."""
        values = {"tenant": scope.tenant, "wanted": list(ids)}
        return bool(await self._unless_refused("wait_for_writes", values))

    async def many(self, call: Call) -> Sequence[Row]:
        """The rows of a statement that begins with `page_begin`, without the first column.

        If it met expired sessions, they leave the indexes of listings first, so later reads do not meet them (READ-5).
        """
        with one_call():
            rows = await self._client.read(*call)
            for _ in range(_READINGS):
                if not rows[0][0] or not await self._unless_refused("unlist_expired", {"limit": _UNLISTED_AT_ONCE}):
                    break
                rows = await self._client.read(*call)
        return [row[1:] for row in rows if row[1] is not None]

    async def _unless_refused(self, statement: str, values: Mapping[str, object]) -> Sequence[Row]:
        """The rows of a statement that locks; none if the server refuses that, as to a role that may only read."""
        try:
            return await self._client.read(self._sql[statement], values)
        except PersistenceError as error:
            if is_refusal(error):
                return ()
            raise
