"""Messages by parts of words, in any script (SRCH-1).

The index holds each three adjacent letters of a text. A query asks for those of its words, which finds every message
that has the words, and few others; the texts then decide. Two more letters at the end of each text let a prefix of
three letters find words of one or two.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from agentkeep.errors import PersistenceError
from agentkeep.records import HitRecord, Scope, SearchQuery

from agentkeep_opensearch import log
from agentkeep_opensearch.client import Client
from agentkeep_opensearch.commit import Store
from agentkeep_opensearch.documents import Message, Session, stored_message
from agentkeep_opensearch.driver import Reply
from agentkeep_opensearch.extending import end_all
from agentkeep_opensearch.listing import Refresher
from agentkeep_opensearch.statements import session_key

_LETTERS = 3
_MOST_CLAUSES = 200
_MOST_SHOULD = 10
_PAGE = 100
_KEPT = "1m"
"""How long the server keeps a point in time after each page, if nobody deletes it."""
_WITHOUT = ("pending", "state", "metadata", "labels")


class Search:
    def __init__(self, client: Client, store: Store, refresher: Refresher) -> None:
        self._client = client
        self._store = store
        self._refresher = refresher

    async def hits(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        """The best `limit` messages that have all words: by how often, then the newest, then by a key of ours.

        Raises `Lost`.
        """
        if query.session_id is not None:
            await self._store.get(scope, query.session_id, without=_WITHOUT)
        await self._refresher.refresh()
        path = f"/{self._store.names.messages}/_search"
        page = await self._page(scope, query, path, {}, _routing(scope, query))
        hits = await self._true_hits(scope, query, page)
        if len(page) == _PAGE and len(hits) < query.limit:
            hits = await self._hits_of_one_moment(scope, query)
        return hits[: query.limit]

    async def _hits_of_one_moment(self, scope: Scope, query: SearchQuery) -> list[HitRecord]:
        """From the first page on: each refresh changes scores, so pages of several moments would leave out messages."""
        hits: list[HitRecord] = []
        after: dict[str, Any] = {}
        async with self._point_in_time(_routing(scope, query)) as moment:
            while len(hits) < query.limit:
                page = await self._page(scope, query, "/_search", {"pit": moment, **after}, {})
                hits += await self._true_hits(scope, query, page)
                if len(page) < _PAGE:
                    break
                after = {"search_after": page[-1]["sort"]}
        return hits

    @asynccontextmanager
    async def _point_in_time(self, routing: Mapping[str, str]) -> AsyncGenerator[dict[str, str]]:
        path = f"/{self._store.names.messages}/_search/point_in_time"
        params = {"keep_alive": _KEPT, "allow_partial_pit_creation": "false", **routing}
        found = await self._client.request("POST", path, params=params)
        try:
            yield {"id": found["pit_id"], "keep_alive": _KEPT}
        finally:
            with suppress(PersistenceError):  # it ends by itself
                body = {"pit_id": [found["pit_id"]]}
                await self._client.request("DELETE", "/_search/point_in_time", body, may_be_absent=True)

    async def _page(
        self, scope: Scope, query: SearchQuery, path: str, part: Mapping[str, Any], params: Mapping[str, str]
    ) -> list[Reply]:
        body = {
            "query": {"bool": {"filter": _filters(scope, query), **_word_clauses(query.words)}},
            "sort": [{"_score": "desc"}, {"created_at": "desc"}, {"order": "asc"}],
            "size": _PAGE,
            "track_total_hits": False,
            **part,
        }
        params = {"allow_partial_search_results": "false", **params}
        reply = await self._client.request("POST", path, body, params=params)
        return reply["hits"]["hits"]

    async def _true_hits(self, scope: Scope, query: SearchQuery, page: Sequence[Reply]) -> list[HitRecord]:
        found = [hit for hit in page if all(word in hit["_source"]["search_text"] for word in query.words)]
        return [
            HitRecord(session.record.id, message.record(), float(hit["_score"]))
            for hit, session, message in await meant_hits(
                self._store, scope, found, user_id=query.user_id, agent_name=query.agent_name
            )
        ]


async def meant_hits(
    store: Store, scope: Scope, found: Sequence[Reply], *, user_id: str | None, agent_name: str | None
) -> list[tuple[Reply, Session, Message]]:
    """The hits that their sessions hold, with session and message.

    The session decides: it may have cut the message, or may belong to somebody else by now. Raises `Lost`.
    """
    now = store.now()
    keys = list(dict.fromkeys(hit["_source"]["session"] for hit in found))
    sessions = {each.key: each for each in await store.load_keys(keys, without=_WITHOUT)}
    await end_all(store, sessions.values(), now)
    hits: list[tuple[Reply, Session, Message]] = []
    for hit in found:
        source = hit["_source"]
        session = sessions.get(source["session"])
        if session is None or session.is_expired(now):
            continue
        record = session.record
        if (
            source["life"] == session.life
            and log.contains(session.log, source["seq"])
            and session.tenant == scope.tenant
            and scope.user_id in (None, record.user_id)
            and user_id in (None, record.user_id)
            and agent_name in (None, record.agent_name)
        ):
            hits.append((hit, session, stored_message(record.id, source)))
    return hits


def _routing(scope: Scope, query: SearchQuery) -> dict[str, str]:
    return {} if query.session_id is None else {"routing": session_key(scope.tenant, query.session_id)}


def _filters(scope: Scope, query: SearchQuery) -> list[Any]:
    session = None if query.session_id is None else session_key(scope.tenant, query.session_id)
    wanted = {"session": session, "agent_name": query.agent_name, "role": query.role}
    filters: list[Any] = [{"term": {name: value}} for name, value in wanted.items() if value is not None]
    users = [user for user in (scope.user_id, query.user_id) if user is not None]
    return [{"term": {"tenant": scope.tenant}}, *filters, *({"term": {"user_id": user}} for user in users)]


def _word_clauses(words: Sequence[str]) -> dict[str, Any]:
    """`must` is true of each message that has all words, and of few others; it also makes the score.

    A prefix may stand for more letters than a scoring query may have terms. So it filters, and the most frequent ones
    make the score.
    """
    parts: dict[str, None] = {}
    must: list[Any] = []
    should: list[Any] = []
    for word in words:
        if len(word) < _LETTERS:
            must.append({"constant_score": {"filter": {"prefix": {"search_text": {"value": word}}}, "boost": 0}})
            should.append({"prefix": {"search_text": {"value": word, "rewrite": "top_terms_50"}}})
        else:
            parts |= dict.fromkeys(word[at : at + _LETTERS] for at in range(len(word) - _LETTERS + 1))
    kept = list(parts)
    step = max(1, len(kept) // _MOST_CLAUSES)
    must = must[:_MOST_CLAUSES] + [{"term": {"search_text": part}} for part in kept[::step][:_MOST_CLAUSES]]
    return {"must": must, "should": should[:_MOST_SHOULD]}
