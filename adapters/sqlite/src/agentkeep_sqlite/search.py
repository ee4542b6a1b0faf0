"""Full-text search (SRCH-1). An append does not write to the index. Each search first indexes the new messages."""

from __future__ import annotations

import json
from functools import partial

import msgspec
from agentkeep.errors import SessionNotFound
from agentkeep.records import HitRecord, Scope, SearchQuery
from agentkeep.spi.text import searchable_text

from agentkeep_sqlite.client import Client, Connection, Row
from agentkeep_sqlite.rows import message_record
from agentkeep_sqlite.tables import Tables

_INDEX_BATCH = 500
"""Messages indexed in one transaction, so that other writers get their turn in between."""
_GRAM = 3
"""The shortest word that a trigram index can find."""
_PHRASES = 20
_PHRASE = 100
"""At most so many words, and letters of a word, are looked up in the index, because FTS5 limits them. The rest of a
long query is compared with the texts that the index found."""
_EXCERPT = 40


class Search:
    def __init__(self, client: Client, tables: Tables) -> None:
        self._client = client
        self._tables = tables
        self._sql = tables.sql

    async def find(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        """The best hits first, by FTS5's bm25. If all words are shorter than three letters, the newest hits first."""
        target = None
        while True:
            is_behind, target = await self._client.read(partial(self._is_behind, target))
            if not is_behind:
                return await self._client.read(partial(self._find, scope, query))
            await self._client.write(self._index_batch)

    def _is_behind(self, target: int | None, db: Connection) -> tuple[bool, int]:
        is_behind, target_key = db.all(self._sql["is_behind"], {"target": target})[0]
        return bool(is_behind), target_key

    def _index_batch(self, db: Connection) -> None:
        rows = db.all(self._sql["not_indexed"], {"limit": _INDEX_BATCH})
        if rows:
            db.many(
                self._sql["add_to_index"],
                [(key, _indexed_text(payload.decode(errors="replace"))) for key, payload in rows],
            )
            db.run(self._sql["set_indexed_to"], {"key": rows[-1][0]})

    def reindex(self, db: Connection, key: int, payload: str) -> None:
        """Replace the text of a message in the index. The old text counts as removed."""
        unindexed = 0
        if self._tables.search:
            unindexed = db.run(self._sql["reindex"], {"key": key, "text": _indexed_text(payload)})
        self._tables.note_removed(db, 1, unindexed=unindexed > 0)

    def _find(self, scope: Scope, query: SearchQuery, db: Connection) -> list[HitRecord]:
        now = self._tables.now()
        if query.session_id is not None and not db.all(
            self._sql["load_session"], self._tables.lookup_values(scope, query.session_id, now)
        ):
            raise SessionNotFound(query.session_id)
        words = _folded(query.text).split()
        if not words:
            return []
        long = sorted({word for word in words if len(word) >= _GRAM}, key=lambda word: (-len(word), word))
        values = {
            "tenant": scope.tenant,
            "scope_user": scope.user_id,
            "user_id": query.user_id,
            "agent_name": query.agent_name,
            "session_id": query.session_id,
            "role": query.role,
            "now": now,
            "limit": query.limit,
            "phrases": " ".join(_phrase(word[:_PHRASE]) for word in long[:_PHRASES]),
            "others": json.dumps([word for word in words if word not in long[:_PHRASES] or len(word) > _PHRASE]),
        }
        return [_hit(row, words) for row in db.all(self._sql["find_by_index" if long else "find_by_scan"], values)]


def _indexed_text(payload: str) -> str:
    """The text to index. An unreadable payload is indexed as it is, and reading the hit raises `Corrupt` (ERR-4)."""
    try:
        return _folded(searchable_text(payload))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _folded(payload)


def _folded(text: str) -> str:
    """Case-folded, and without NUL, because SQLite's functions stop reading there."""
    return text.casefold().replace("\0", " ")


def _phrase(word: str) -> str:
    """A word as a quoted string of FTS5, inside which everything is data (SRCH-1)."""
    quoted = word.replace('"', '""')
    return f'"{quoted}"'


def _hit(row: Row, words: list[str]) -> HitRecord:
    session_id, *message, score = row
    record = message_record(message)
    try:
        text = searchable_text(record.payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        text = ""  # core raises Corrupt as soon as it decodes the message
    return HitRecord(session_id=session_id, message=record, score=float(score), highlights=_highlights(text, words))


def _highlights(text: str, words: list[str]) -> list[str]:
    folded = _folded(text)
    if len(folded) != len(text):  # folding changed the length ("ß" to "ss"): show the folded text
        text = folded
    return [_excerpt(text, start, len(word)) for word in words if (start := folded.find(word)) >= 0]


def _excerpt(text: str, start: int, length: int) -> str:
    end = start + length
    return f"{text[max(0, start - _EXCERPT) : start]}**{text[start:end]}**{text[end : end + _EXCERPT]}"
