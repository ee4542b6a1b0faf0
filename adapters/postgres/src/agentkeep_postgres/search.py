"""Search: parts of words with pg_trgm; without it whole words, if an index of words can serve the query (SRCH-1)."""

from __future__ import annotations

import msgspec
from agentkeep.errors import Corrupt, SessionNotFound
from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep.spi.text import searchable_text

from agentkeep_postgres.client import Client
from agentkeep_postgres.drivers import Row
from agentkeep_postgres.rows import message_record
from agentkeep_postgres.statements import Statements

_EXCERPT = 40
_FILTERS = ("session_id", "user_id", "agent_name", "role")


class Search:
    def __init__(self, client: Client, statements: Statements) -> None:
        self._client = client
        self._sql = statements
        self.trigrams = True
        """Whether the index of trigrams exists. Set when the adapter opens."""

    async def find(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        """The best hits first. Raises `SessionNotFound` if `session_id` is given and absent."""
        words = query.text.replace("\0", "").casefold().split()
        if query.session_id is not None:
            await self._check_session(scope, query.session_id)
        if not words:
            return []
        scoped = () if scope.user_id is None else ("only_scope_user",)
        given = tuple(f"only_{name}" for name in _FILTERS if getattr(query, name) is not None)
        head = "search_parts" if self.trigrams or not all(map(_is_separate, words)) else "search_words"
        statement = self._sql.joined(head, "only_living", *scoped, *given, "best_first")
        patterns = [f"%{_literal(word)}%" for word in words]
        values = {
            "tenant": scope.tenant,
            "scope_user": scope.user_id,
            "words": words,
            "pattern": max(patterns, key=len),
            "patterns": patterns,
            "text": " ".join(words),
            "session_id": query.session_id,
            "user_id": query.user_id,
            "agent_name": query.agent_name,
            "role": query.role,
            "limit": query.limit,
        }
        return [_hit(row, words) for row in await self._client.read(statement, values)]

    async def _check_session(self, scope: Scope, session_id: str) -> None:
        values = {"tenant": scope.tenant, "scope_user": scope.user_id, "id": session_id}
        if not await self._client.read(self._sql["get"], values):
            raise SessionNotFound(session_id)


def _is_separate(word: str) -> bool:
    """Whether a folded word consists of digits or of letters that have a case: spaces separate such words in a text.

    In CJK, for instance, nothing separates words, and the server's parser does not find them.
    """
    return all(character.isdecimal() or character.islower() for character in word)


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _hit(row: Row, words: list[str]) -> HitRecord:
    message = message_record(row)
    try:
        text = searchable_text(message.payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Corrupt(f"message {message.id!r} of session {row[5]!r}", str(error)) from error
    folded = text.casefold()
    highlights = [_excerpt(text, folded.find(word), len(word)) for word in words if word in folded]
    return HitRecord(session_id=row[5], message=message, score=row[6], highlights=highlights)


def _excerpt(text: str, start: int, length: int) -> str:
    end = start + length
    return f"{text[max(0, start - _EXCERPT) : start]}**{text[start:end]}**{text[end : end + _EXCERPT]}"
