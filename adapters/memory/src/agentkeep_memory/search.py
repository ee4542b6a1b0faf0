"""Searching messages: those whose text contains each word, best first (SRCH-1)."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest

from agentkeep.records import HitRecord, SearchQuery

from agentkeep_memory.rows import Entry, StoredMessage


def search(entries: Iterable[Entry], query: SearchQuery) -> list[HitRecord]:
    hits = (
        HitRecord(entry.record.id, message, _score(message, query))
        for entry in entries
        for message in entry.log
        if query.role in (None, message.role) and all(word in message.search_text for word in query.words)
    )
    return nlargest(query.limit, hits, key=lambda hit: (hit.score, hit.message.created_at))


def _score(message: StoredMessage, query: SearchQuery) -> float:
    """How often the words occur."""
    return float(sum(message.search_text.count(word) for word in query.words))
