"""Search for parts of words: by trigrams if the server has pg_trgm, else by reading (SRCH-1)."""

from __future__ import annotations

from agentkeep.records import HitRecord, Scope, SearchQuery

from agentkeep_postgres.client import Client
from agentkeep_postgres.rows import message_record
from agentkeep_postgres.settled import SettledReads
from agentkeep_postgres.statements import Statements

_CANDIDATES = 1_000
"""So many hits are ranked, or ten times the limit if that is more."""
_INDEXED_WORDS = 4
_INDEXED_CHARACTERS = 64
"""The index looks up each three letters of these words, so it gets the longest words and their beginnings alone."""


class Search:
    def __init__(self, client: Client, statements: Statements) -> None:
        self._client = client
        self._reads = SettledReads(client, statements)
        self._sql = statements
        self.has_trigrams = True
        """Whether the index of trigrams exists. Set when the adapter opens."""

    async def find(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        """The best hits first. Raises `SessionNotFound` if `session_id` is given and absent."""
        if query.session_id is not None:
            await self._check_session(scope, query.session_id)
        owner = scope.user_id or query.user_id
        indexed = query.words[:_INDEXED_WORDS]
        words = [f"index_word_{number}" for number in range(1, len(indexed) + 1)] if self.has_trigrams else []
        filters = [name for name in ("agent_name", "role") if getattr(query, name) is not None]
        if owner is not None:
            filters.append("owner")
        if scope.user_id is not None and query.user_id is not None:
            filters.append("user_id")
        parts = (self._within(query, owner), *words, "only_living", *(f"only_{name}" for name in filters))
        values: dict[str, object] = {
            "tenant": scope.tenant,
            "owner": owner,
            "words": list(query.words),
            "patterns": [_pattern(word) for word in query.words],
            "session_id": query.session_id,
            "user_id": query.user_id,
            "agent_name": query.agent_name,
            "role": query.role,
            "limit": query.limit,
            "candidates": max(_CANDIDATES, 10 * query.limit),
        }
        values |= {f"word_{number}": _pattern(word[:_INDEXED_CHARACTERS]) for number, word in enumerate(indexed, 1)}
        statement = self._sql.joined("page_begin", "search_begin", *parts, "search_end", "page_end")
        rows = await self._reads.many((statement, values))
        return [HitRecord(session_id=row[5], message=message_record(row), score=row[6]) for row in rows]

    def _within(self, query: SearchQuery, owner: str | None) -> str:
        how = "index" if self.has_trigrams else "scan"
        if query.session_id is not None:
            return f"{how}_session"
        return f"{how}_tenant" if owner is None else f"{how}_owner"

    async def _check_session(self, scope: Scope, session_id: str) -> None:
        values = {"tenant": scope.tenant, "scope_user": scope.user_id, "id": session_id}
        await self._reads.session("get", scope, session_id, values)


def _pattern(word: str) -> str:
    """For LIKE: the word as data, anywhere in the text."""
    literal = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{literal}%"
