"""What a search engine is for: analysed text, relevance and counts. The adapter's own verb, beside `messages.search`.

    found = await keep.adapter.analysis.search(
        Scope("default"), AnalysisQuery(text="cancelled flights", language="english", counts=("day", "tool"))
    )

Hits are checked against their sessions, as in `messages.search`. Counts are the server's: they include messages of
sessions that have expired and were not swept yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from agentkeep.errors import InvalidInput
from agentkeep.records import MessageRecord, Scope
from msgspec import Struct

from agentkeep_opensearch.client import Client
from agentkeep_opensearch.commit import Store
from agentkeep_opensearch.documents import micros
from agentkeep_opensearch.driver import Reply
from agentkeep_opensearch.facts import text_of
from agentkeep_opensearch.listing import Refresher
from agentkeep_opensearch.search import meant_hits
from agentkeep_opensearch.statements import session_key

Count = Literal["day", "role", "tool", "agent_name", "user_id", "session"]
Match = Literal["all", "any", "phrase"]

_FIELDS: Mapping[str, str] = {"role": "role", "tool": "tools", "agent_name": "agent_name", "user_id": "user_id"}
_MOST_BUCKETS = 1_000
_LONGEST_HIGHLIGHT = 1_000_000
"""Characters of a text that the server analyses for a highlight; above it refuses by default."""
_MOST_HITS = 1_000
_MOST_CHARACTERS = 10_000


class AnalysisQuery(Struct, frozen=True, kw_only=True):
    """All given conditions hold. `text` is data, never a query syntax; None: every message."""

    text: str | None = None
    language: str = "words"
    """"words" compares whole words; a language of the option `languages`, such as "english", also their other forms."""
    match: Match = "all"
    is_fuzzy: bool = False
    """Words may differ by one or two letters. Not with "phrase"."""
    session_id: str | None = None
    user_id: str | None = None
    agent_name: str | None = None
    role: str | None = None
    tool: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    """By `created_at`; both bounds are excluded."""
    metadata: Mapping[str, str | float | bool] | None = None
    """Top-level entries of the messages' own metadata."""
    limit: int = 20
    counts: tuple[Count, ...] = ()


class AnalysisHit(Struct, frozen=True):
    session_id: str
    message: MessageRecord
    score: float
    highlights: list[str]
    """Of the folded text, with ** around what matches."""


class AnalysisResult(Struct, frozen=True):
    hits: list[AnalysisHit]
    """Best first; of equal ones the newest first, then by a key of ours."""
    counts: dict[str, dict[str, int]]
    """By the count's name. Messages by day (UTC), role, tool, agent or user; "session": {"sessions": how many}."""


class Analysis:
    def __init__(self, client: Client, store: Store, refresher: Refresher, languages: Sequence[str]) -> None:
        self._client = client
        self._store = store
        self._refresher = refresher
        self._languages = ("words", *languages)

    async def search(self, scope: Scope, query: AnalysisQuery) -> AnalysisResult:
        """Found as soon as the append returned. One refresh of what is new is shared by all who ask at that moment.

        Raises `InvalidInput` for a language that the mapping does not have, a limit outside 0 to 1,000, or a text of
        more than 10,000 characters.
        """
        _check(query, self._languages)
        with self._client.call():
            return await self._store.again(lambda: self._search(scope, query))

    async def _search(self, scope: Scope, query: AnalysisQuery) -> AnalysisResult:
        """Raises `Lost`."""
        await self._refresher.refresh()
        reply = await self._client.request(
            "POST",
            f"/{self._store.names.messages}/_search",
            _body(scope, query),
            params={"allow_partial_search_results": "false"},
        )
        hits = await self._hits(scope, query, reply["hits"]["hits"])
        return AnalysisResult(hits, _counts(query, reply))

    async def _hits(self, scope: Scope, query: AnalysisQuery, found: Sequence[Reply]) -> list[AnalysisHit]:
        hits: list[AnalysisHit] = []
        for hit, session, message in await meant_hits(
            self._store, scope, found, user_id=query.user_id, agent_name=query.agent_name
        ):
            highlights: list[str] = next(iter(hit["highlight"].values())) if "highlight" in hit else []
            hits.append(AnalysisHit(session.record.id, message.record(), float(hit["_score"]), highlights))
        return hits


def _check(query: AnalysisQuery, languages: Sequence[str]) -> None:
    if query.language not in languages:
        raise InvalidInput(f"language is {query.language!r}: give one of {', '.join(languages)} (option languages)")
    if not 0 <= query.limit <= _MOST_HITS:
        raise InvalidInput(f"limit is {query.limit}: give 0 to {_MOST_HITS}")
    if query.text is not None and len(query.text) > _MOST_CHARACTERS:
        raise InvalidInput(f"text has {len(query.text):,} characters: give {_MOST_CHARACTERS:,} at most")


def _body(scope: Scope, query: AnalysisQuery) -> dict[str, Any]:
    field = f"search_text.{query.language}"
    body: dict[str, Any] = {
        "query": {"bool": {"must": [_text_clause(field, query)], "filter": _filters(scope, query)}},
        "sort": [{"_score": "desc"}, {"created_at": "desc"}, {"order": "asc"}],
        "size": query.limit,
        "track_total_hits": False,
        "track_scores": True,
        "aggs": {name: _aggregation(name) for name in query.counts},
    }
    if query.text is not None:
        marks = {"pre_tags": ["**"], "post_tags": ["**"], "max_analyzer_offset": _LONGEST_HIGHLIGHT - 1}
        body["highlight"] = {**marks, "fields": {field: {}}}
    return body


def _text_clause(field: str, query: AnalysisQuery) -> dict[str, Any]:
    if query.text is None:
        return {"match_all": {}}
    if query.match == "phrase":
        return {"match_phrase": {field: {"query": query.text}}}
    operator = "and" if query.match == "all" else "or"
    fuzzy = {"fuzziness": "AUTO"} if query.is_fuzzy else {}
    return {"match": {field: {"query": query.text, "operator": operator, **fuzzy}}}


def _filters(scope: Scope, query: AnalysisQuery) -> list[dict[str, Any]]:
    wanted = {
        "session": None if query.session_id is None else session_key(scope.tenant, query.session_id),
        "agent_name": query.agent_name,
        "role": query.role,
        "tools": query.tool,
    }
    filters: list[dict[str, Any]] = [{"term": {"tenant": scope.tenant}}]
    filters += [{"term": {name: value}} for name, value in wanted.items() if value is not None]
    filters += [{"term": {"user_id": user}} for user in (scope.user_id, query.user_id) if user is not None]
    filters += [{"term": {"facts": f"{key}\0{text_of(value)}"}} for key, value in (query.metadata or {}).items()]
    between = {"gt": query.after, "lt": query.before}
    bounds = {name: micros(moment) for name, moment in between.items() if moment is not None}
    return [*filters, {"range": {"created_at": bounds}}] if bounds else filters


def _aggregation(name: Count) -> dict[str, Any]:
    if name == "day":
        return {
            "date_histogram": {"field": "at", "calendar_interval": "day", "format": "yyyy-MM-dd", "min_doc_count": 1}
        }
    if name == "session":
        return {"cardinality": {"field": "session"}}
    return {"terms": {"field": _FIELDS[name], "size": _MOST_BUCKETS}}


def _counts(query: AnalysisQuery, reply: Reply) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for name in query.counts:
        found = reply["aggregations"][name]
        if name == "session":
            counts[name] = {"sessions": found["value"]}
        else:
            counts[name] = {
                bucket.get("key_as_string", str(bucket["key"])): bucket["doc_count"] for bucket in found["buckets"]
            }
    return counts
