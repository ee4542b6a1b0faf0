"""Listing and counting: the index says which sessions there may be, in what order; the sessions say what they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery
from agentkeep.spi.resend import Effect

from agentkeep_redis.client import RedisClient
from agentkeep_redis.facets import query_facets
from agentkeep_redis.keys import Keys
from agentkeep_redis.rows import StoredSession, stored_session, time_text
from agentkeep_redis.session_index import IndexPage, SessionIndex
from agentkeep_redis.statements import Call, load_script

_TIME = 18
_AFTER_ALL = b":"
"""Greater than any entry of a facet and order, which continues with a digit."""
_AFTER_IDS = b"\xff"
"""Greater than any id, because it is not UTF-8."""
_WIDTH = 2_000
"""How many entries one script looks at if it has to filter them."""
_WIDER_BITS = 3
"""Without filters each further reading is eight times as wide: a crowd of expired sessions may come first."""
_MOVED_READINGS = 5
"""For how many readings we look for sessions that moved while they were listed at their new position."""


class Bounds(NamedTuple):
    """Entries between two texts of time and id, both excluded."""

    low: bytes
    high: bytes


class SessionListing:
    def __init__(self, client: RedisClient, keys: Keys, index: SessionIndex) -> None:
        self._client = client
        self._keys = keys
        self._index = index

    async def page(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, limit: int, after: SessionPosition | None
    ) -> list[StoredSession]:
        """The first `limit` living sessions behind `after` (READ-2, READ-5, ORD-5)."""
        facets = query_facets(scope.user_id, query)
        if facets is None:
            return []
        whole = _bounds(query, order, after)
        left = whole
        found: dict[str, StoredSession] = {}
        for reading in range(1 << 30):
            page = await self._read_index(scope, query, facets, order, left, limit - len(found), reading)
            reach = _reach(page, order, whole, reading)
            moved = False
            for stored, entry in await self._read_sessions(scope, page):
                position = _position(stored, order)
                if not (whole.low < position < whole.high and _matches(stored, facets, query)):
                    continue
                if position == entry or reach.low <= position <= reach.high:
                    found[stored.record.id] = stored
                else:
                    moved = True
            if len(found) >= limit or not (page.last or (moved and reading < _MOVED_READINGS)):
                break
            left = _rest(left, page, order)
        ordered = sorted(found.values(), key=lambda stored: _position(stored, order), reverse=order.descending)
        return ordered[:limit]

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        """How many living sessions match, exactly (ORD-5). Each script looks at a bounded part (COST-3)."""
        facets = query_facets(scope.user_id, query)
        if facets is None:
            return 0
        if len(facets) == 1 and not _updated(query):
            return await self._count_of_facet(scope, query, facets)
        order = SessionOrder("created_at", descending=False)  # in which no session moves
        left = _bounds(query, order, None)
        ids: set[str] = set()
        uncertain: set[str] = set()
        while True:
            page = await self._read_index(scope, query, facets, order, left, None)
            ids.update(_id(entry) for entry in page.entries)
            uncertain |= page.uncertain.keys()
            if not page.last:
                break
            left = _rest(left, page, order)
        return len(ids - uncertain) + await self._count_uncertain(scope, query, facets, uncertain)

    async def _count_of_facet(self, scope: Scope, query: SessionQuery, facets: Sequence[str]) -> int:
        count, uncertain = await self._index.read("count", scope.tenant, {"facet": facets[0]}, ())
        return count + await self._count_uncertain(scope, query, facets, [id.decode() for id in uncertain[::2]])

    async def _count_uncertain(
        self, scope: Scope, query: SessionQuery, facets: Sequence[str], uncertain: Iterable[str]
    ) -> int:
        stored = (await self.sessions(scope, list(uncertain))).values()
        return sum(1 for one in stored if one is not None and _matches(one, facets, query))

    async def sessions(self, scope: Scope, ids: Sequence[str]) -> dict[str, StoredSession | None]:
        """The sessions of these ids, None for those that are not there. Raises `Corrupt` (ERR-4)."""
        keys = [self._keys.session(scope.tenant, id)[0] for id in ids]
        if not keys:
            return {}
        if self._client.is_cluster:
            replies = await self._client.run_many(
                [self._read_call([key], id) for key, id in zip(keys, ids, strict=True)]
            )
            found = [reply[0] for reply in replies]
        else:
            found = await self._client.run(self._read_call(keys, ids[0]), Effect.READ)
        return {id: None if flat is None else stored_session(id, flat) for id, flat in zip(ids, found, strict=True)}

    def _read_call(self, keys: Sequence[bytes], id: str) -> Call:
        return Call(load_script("sessions"), keys, [], f"session {id!r}, or one that was listed with it")

    async def mend_uncertain(self, scope: Scope) -> None:
        """Bring into the index what writers that died did not send to it."""
        query, order = SessionQuery(), SessionOrder("created_at", descending=False)
        facets = query_facets(None, query) or []
        page = await self._read_index(scope, query, facets, order, _bounds(query, order, None), 1)
        await self._read_sessions(scope, page)

    async def _read_index(
        self,
        scope: Scope,
        query: SessionQuery,
        facets: Sequence[str],
        order: SessionOrder,
        bounds: Bounds,
        limit: int | None,
        reading: int = 0,
    ) -> IndexPage:
        """`limit`: of sessions that match; None: all that one script may look at. `reading`: how many came before."""
        is_plain = len(facets) == 1 and (order.field == "updated_at" or not _updated(query))
        options = {
            "facets": facets,
            "order": order.field[0],
            "descending": order.descending,
            "limit": limit,
            "width": _width(limit, reading) if is_plain and limit is not None else _WIDTH,
            **_updated(query),
        }
        last, now, uncertain, *entries = await self._index.read("page", scope.tenant, options, bounds)
        texts = zip(uncertain[::2], uncertain[1::2], strict=True)
        return IndexPage(last, now, {id.decode(): text for id, text in texts}, entries)

    async def _read_sessions(self, scope: Scope, page: IndexPage) -> list[tuple[StoredSession, bytes | None]]:
        """The sessions of a page and the uncertain ones, each with its entry if it has one."""
        entries = {_id(entry): entry for entry in page.entries}
        stored = await self.sessions(Scope(scope.tenant), list(dict.fromkeys([*entries, *page.uncertain])))
        await self._index.mend(scope.tenant, page, stored)
        return [(session, entries.get(id)) for id, session in stored.items() if session is not None]


def _width(limit: int, reading: int) -> int:
    """How many entries a reading without filters takes in: at first only as many as there may be sessions."""
    return max(limit, min(limit << min(_WIDER_BITS * reading, _WIDTH.bit_length()), _WIDTH))


def _bounds(query: SessionQuery, order: SessionOrder, after: SessionPosition | None) -> Bounds:
    low, high = b"", _AFTER_ALL
    if order.field == "updated_at":
        if query.updated_after is not None:
            low = time_text(query.updated_after).encode() + _AFTER_IDS
        if query.updated_before is not None:
            high = time_text(query.updated_before).encode()
    if after is None:
        return Bounds(low, high)
    position = time_text(after.at).encode() + after.id.encode()
    return Bounds(low, min(high, position)) if order.descending else Bounds(max(low, position), high)


def _rest(bounds: Bounds, page: IndexPage, order: SessionOrder) -> Bounds:
    """What is behind a page."""
    if not page.last:  # only sessions that were written to meanwhile: behind the moment of the reading, or before it
        return bounds if order.descending else Bounds(max(bounds.low, page.now), bounds.high)
    return Bounds(bounds.low, page.last) if order.descending else Bounds(page.last, bounds.high)


def _reach(page: IndexPage, order: SessionOrder, whole: Bounds, reading: int) -> Bounds:
    """Between which positions the page is complete: a session that moved while it was listed is taken only there.

    Newest first, whatever moved went before all that is still to come. Oldest first, it went behind.
    """
    if order.descending:
        return Bounds(page.last, whole.high)
    if page.last:
        return Bounds(whole.low, page.last)
    return Bounds(whole.low, whole.high if reading >= _MOVED_READINGS else page.now + _AFTER_IDS)


def _position(stored: StoredSession, order: SessionOrder) -> bytes:
    """The time as the row has it (see lua/common.lua), and the id."""
    time = stored.row[34:52] if order.field == "updated_at" else stored.row[16:34]
    return time + stored.record.id.encode()


def _id(entry: bytes) -> str:
    return entry[_TIME:].decode()


def _updated(query: SessionQuery) -> dict[str, str]:
    times = {"updated_after": query.updated_after, "updated_before": query.updated_before}
    return {name: time_text(time) for name, time in times.items() if time is not None}


def _matches(stored: StoredSession, facets: Sequence[str], query: SessionQuery) -> bool:
    updated_at = stored.record.updated_at
    return (
        stored.facets.issuperset(facets)
        and (query.updated_after is None or updated_at > query.updated_after)
        and (query.updated_before is None or updated_at < query.updated_before)
    )
