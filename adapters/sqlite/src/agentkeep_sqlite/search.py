"""Full-text search (SRCH-1): messages whose text contains each word as a part.

An append does not write to the index. A search reads the index and, without it, the messages that are newer. The index
catches up in steps while nobody else writes. If one session, or one user, has few messages, they are searched without
the index, so that such a search does not read the hits of others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from agentkeep.records import HitRecord, Scope, SearchQuery

from agentkeep_sqlite.client import Client, Connection, Row
from agentkeep_sqlite.rows import message_record
from agentkeep_sqlite.tables import Tables

INDEX_STEP = 500
"""Messages indexed in one transaction, so that other writers get their turn in between (COST-3)."""
_FEW = 5_000
"""So many messages of one session or user are searched without the index."""
_FEW_SESSIONS = 1_000
_CANDIDATES = 1_000
"""So many of the newest matches of the index are compared to return the best, however many there are."""
_GRAM = 3
"""The index holds pieces of three letters, so it can't find a shorter word."""
_PHRASES = 20
_PHRASE = 100
"""At most so many words, and letters of a word, are looked up in the index, because FTS5 limits them. The texts that it
finds are compared with the whole query."""


class Hit(NamedTuple):
    """A match: the message's key, its session's id, and how often the words occur in it."""

    key: int
    session_id: str
    score: int


class Search:
    def __init__(self, client: Client, tables: Tables) -> None:
        self._client = client
        self._tables = tables
        self._sql = tables.sql

    async def find(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        """The best first: those in which the words occur most often."""
        hits, is_behind = await self._client.read(partial(self._find, scope, query))
        if is_behind:
            await self._client.run_when_idle(self.index_step)
        return hits

    def _find(self, scope: Scope, query: SearchQuery, db: Connection) -> tuple[list[HitRecord], bool]:
        """All statements read one moment: a hit is still there, with the words, when its message is read."""
        with db.snapshot():
            return self._find_at_once(scope, query, db)

    def _find_at_once(self, scope: Scope, query: SearchQuery, db: Connection) -> tuple[list[HitRecord], bool]:
        self._tables.check_settled(db)
        indexed_to, newest = db.all(self._sql["index_state"])[0]
        values = {
            "tenant": scope.tenant,
            "scope_user": scope.user_id,
            "user_id": query.user_id,
            "agent_name": query.agent_name,
            "session_id": query.session_id,
            "role": query.role,
            "now": db.now,
            "words": json.dumps(query.words),
            "indexed_to": indexed_to,
            "limit": query.limit,
        }
        hits = [Hit(*row) for row in self._matches(scope, query, values, db)]
        best = sorted(hits, key=lambda hit: (-hit.score, -hit.key))[: query.limit]
        return self._records(best, db), newest - indexed_to > INDEX_STEP

    def _matches(self, scope: Scope, query: SearchQuery, values: dict[str, Any], db: Connection) -> list[Row]:
        """The best matches, or, if there may be very many, the newest."""
        if query.session_id is not None:
            session = self._tables.load(db, scope, query.session_id)
            if session.message_count <= _FEW:
                return db.all(self._sql["search_session"], values)
        user = scope.user_id if query.user_id is None else query.user_id
        if query.session_id is None and user is not None and self._has_few_messages(scope, user, db):
            return db.all(self._sql["search_user"], values | {"user": user})
        phrases = [_phrase(word[:_PHRASE]) for word in query.words[:_PHRASES] if len(word) >= _GRAM]
        if not phrases:
            return db.all(self._sql["search_all"], values)
        values["limit"] = _CANDIDATES
        rows = db.all(self._sql["search_new"], values)
        if len(rows) < values["limit"]:
            rest = {"limit": values["limit"] - len(rows), "phrases": " ".join(phrases)}
            rows += db.all(self._sql["search_index"], values | rest)
        return rows

    def _has_few_messages(self, scope: Scope, user: str, db: Connection) -> bool:
        values = {"tenant": scope.tenant, "user_id": user, "limit": _FEW_SESSIONS}
        sessions, messages = db.all(self._sql["user_messages"], values)[0]
        return sessions < _FEW_SESSIONS and messages <= _FEW

    def _records(self, hits: Sequence[Hit], db: Connection) -> list[HitRecord]:
        rows = db.all(self._sql["hits"], {"keys": json.dumps([hit.key for hit in hits])})
        by_key = {row[0]: row[1:] for row in rows}
        return [
            HitRecord(hit.session_id, message_record(hit.session_id, by_key[hit.key]), float(hit.score)) for hit in hits
        ]

    def replace(self, db: Connection, values: dict[str, Any]) -> None:
        """Replace a message, in the index too. The old text counts as removed."""
        key = {"message": db.all(self._sql["message_key"], values)[0][0]}
        unindexed = db.run(self._sql["unindex_one"], key) if self._tables.search else 0
        db.run(self._sql["replace_message"], values)
        if unindexed > 0:
            db.run(self._sql["reindex_one"], key)
        self._tables.note_removed(db, 1, unindexed=unindexed > 0)

    def index_step(self, db: Connection) -> bool:
        """Index the oldest of the messages that are not in the index. Returns whether there are more."""
        indexed_to = db.all(self._sql["index_state"])[0][0]
        values = {"indexed_to": indexed_to, "limit": INDEX_STEP}
        last, count = db.all(self._sql["last_of_batch"], values)[0]
        if count:
            db.run(self._sql["add_to_index"], values)
            db.run(self._sql["set_indexed_to"], {"key": last})
        return count == INDEX_STEP


def _phrase(word: str) -> str:
    """A word as a quoted string of FTS5, inside which everything is data."""
    quoted = word.replace('"', '""')
    return f'"{quoted}"'
