"""Listing and counting: the index says which sessions there may be, in what order; the sessions say what they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord

from agentkeep_redis.fields import StoredSession, query_facets, stored_session, text_time, time_text
from agentkeep_redis.keys import Keys, facet
from agentkeep_redis.link import Link
from agentkeep_redis.scripts import load_script
from agentkeep_redis.session_index import Kind, Mark, SessionIndex, Settlement, marks_of
from agentkeep_redis.wire import Call, Effect

_TIME = 18
_AFTER_ALL = b":"
"""Greater than any entry of a facet and order, which go on with a digit."""
_BEHIND_IDS = b"\xff"
"""Greater than any id, being no UTF-8."""
_STRETCH = 2_000
"""How many entries one script looks at, where filters have to look for their sessions."""
_WIDER_BITS = 3
"""Without filters each further look is eight times as wide: what comes first may be a crowd of expired sessions."""
_COUNT_STRETCH = 5_000
_MARK_SECONDS = 60
"""A mark that is older is of a writer that died, or whose answer was lost: no call of ours takes that long."""
_ROUNDS = 5
"""How often sessions that moved while they were listed are looked for behind their new place."""

_pack = msgspec.msgpack.Encoder().encode


class Bounds(NamedTuple):
    """Entries between two texts of time and id, both excluded."""

    low: bytes
    high: bytes


class Stretch(NamedTuple):
    """What one look at the index gave."""

    stopped: bytes
    """The last entry that was looked at; empty where none is left."""
    now: bytes
    marks: dict[str, list[Mark]]
    entries: list[bytes]


class SessionListing:
    def __init__(self, link: Link, keys: Keys, index: SessionIndex) -> None:
        self._link = link
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
        for looked in range(1 << 30):
            stretch = await self._stretch(scope, query, facets, order, left, limit - len(found), looked)
            reach = _reach(stretch, order, whole, looked)
            moved = False
            for stored, entry in await self._read(scope, stretch):
                position = _position(stored.record, order)
                if not (whole.low < position < whole.high and _matches(stored, facets, query)):
                    continue
                if position == entry or reach.low <= position <= reach.high:
                    found[stored.record.id] = stored
                else:
                    moved = True
            if len(found) >= limit or not (stretch.stopped or (moved and looked < _ROUNDS)):
                break
            left = _rest(left, stretch, order)
        ordered = sorted(found.values(), key=lambda stored: _position(stored.record, order), reverse=order.descending)
        return ordered[:limit]

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        """How many living sessions match, exactly (ORD-5)."""
        facets = query_facets(scope.user_id, query)
        if facets is None:
            return 0
        if len(facets) == 1:
            return await self._count_of_facet(scope, query, facets[0])
        order = SessionOrder("created_at", descending=False)  # in which no session moves
        left = _bounds(query, order, None)
        ids: set[str] = set()
        marked: set[str] = set()
        while True:
            stretch = await self._stretch(scope, query, facets, order, left, None)
            ids.update(_id(entry) for entry in stretch.entries)
            marked |= stretch.marks.keys()
            if not stretch.stopped:
                break
            left = _rest(left, stretch, order)
        return len(ids - marked) + await self._count_marked(scope, query, facets, marked)

    async def _count_of_facet(self, scope: Scope, query: SessionQuery, wanted: str) -> int:
        bounds = _bounds(query, SessionOrder("updated_at", descending=False), None)
        options = {"facet": wanted, **_updated(query)}
        call = self._call("count", scope, options, bounds)
        count, _, marks = await self._index.look(scope.tenant, call)
        return count + await self._count_marked(scope, query, [wanted], marks_of(marks))

    async def _count_marked(
        self, scope: Scope, query: SessionQuery, facets: Sequence[str], marked: Iterable[str]
    ) -> int:
        stored = (await self.sessions(scope, list(marked))).values()
        return sum(1 for one in stored if one is not None and _matches(one, facets, query))

    async def sessions(self, scope: Scope, ids: Sequence[str]) -> dict[str, StoredSession | None]:
        """The sessions of these ids, None for those that are not there. Raises `Corrupt` (ERR-4)."""
        keys = [self._keys.session(scope.tenant, id)[0] for id in ids]
        if not keys:
            return {}
        if self._link.sharded:
            replies = await self._link.call_many(
                [self._read_call([key], id) for key, id in zip(keys, ids, strict=True)]
            )
            found = [reply[0] for reply in replies]
        else:
            found = await self._link.call(self._read_call(keys, ids[0]), Effect.READS)
        return {id: None if flat is None else stored_session(id, flat) for id, flat in zip(ids, found, strict=True)}

    def _read_call(self, keys: Sequence[bytes], id: str) -> Call:
        return Call(load_script("sessions"), keys, [], f"session {id!r}, or one that was listed with it")

    async def mend_marked(self, scope: Scope) -> None:
        """Bring into the index what is marked and was left undone."""
        query, order = SessionQuery(), SessionOrder("created_at", descending=False)
        bounds = _bounds(query, order, None)
        facets = query_facets(None, query) or []
        await self._read(scope, await self._stretch(scope, query, facets, order, bounds, 1))

    async def _stretch(
        self,
        scope: Scope,
        query: SessionQuery,
        facets: Sequence[str],
        order: SessionOrder,
        bounds: Bounds,
        limit: int | None,
        looked: int = 0,
    ) -> Stretch:
        """`limit`: of sessions that match; None: all of a stretch. `looked`: how many stretches came before."""
        is_plain = len(facets) == 1 and (order.field == "updated_at" or not _updated(query))
        options = {
            "facets": facets,
            "order": order.field[0],
            "descending": order.descending,
            "limit": limit,
            "stretch": _COUNT_STRETCH if limit is None else _width(limit, looked) if is_plain else _STRETCH,
            **_updated(query),
        }
        stopped, now, marks, *entries = await self._index.look(scope.tenant, self._call("page", scope, options, bounds))
        return Stretch(stopped, now, marks_of(marks), entries)

    def _call(self, script: str, scope: Scope, options: dict[str, Any], bounds: Bounds) -> Call:
        keys = self._keys.index(scope.tenant)
        if self._link.sharded:
            keys.append(self._keys.marks(scope.tenant))
            options["sharded"] = True
        else:
            keys.append(self._keys.late(scope.tenant))
        return Call(load_script(script), keys, [_pack(options), *bounds], f"index of tenant {scope.tenant!r}")

    async def _read(self, scope: Scope, stretch: Stretch) -> list[tuple[StoredSession, bytes | None]]:
        """The sessions of a stretch and the marked ones, each with its entry where it has one."""
        entries = {_id(entry): entry for entry in stretch.entries}
        ids = list(dict.fromkeys([*entries, *stretch.marks]))
        stored = await self.sessions(Scope(scope.tenant), ids)
        if self._link.sharded:
            await self._mend(scope.tenant, stretch, entries, stored)
        return [(session, entries.get(id)) for id, session in stored.items() if session is not None]

    async def _mend(
        self,
        tenant: str,
        stretch: Stretch,
        entries: dict[str, bytes],
        stored: dict[str, StoredSession | None],
    ) -> None:
        """Bring into the index what writers that died, or a failover, left out of it."""
        now = int(stretch.now[:12])
        settlements: list[Settlement] = []
        for id, session in stored.items():
            marks = stretch.marks.get(id, [])
            if not marks and session is None:
                settlements.append(_settlement(id, "", "w", session, stretch.now))
            settlements += [
                _settlement(id, mark.token, "c", session, stretch.now)
                for mark in marks
                if now - mark.seconds > _MARK_SECONDS
            ]
        if settlements:
            await self._index.settle(tenant, settlements)


def _width(limit: int, looked: int) -> int:
    """How many entries a look without filters takes in: at first just as many as there may be sessions."""
    return max(limit, min(limit << min(_WIDER_BITS * looked, _STRETCH.bit_length()), _STRETCH))


def _settlement(id: str, token: str, kind: Kind, session: StoredSession | None, now: bytes) -> Settlement:
    """What the session shows: its row, or that it is gone as of now."""
    if session is not None:
        return Settlement(id, token, kind, session.row)
    micros = (text_time(now) - _EPOCH) // timedelta(microseconds=1)
    return Settlement(id, token, kind, b"%016d" % micros)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _bounds(query: SessionQuery, order: SessionOrder, after: SessionPosition | None) -> Bounds:
    low, high = b"", _AFTER_ALL
    if order.field == "updated_at":
        if query.updated_after is not None:
            low = time_text(query.updated_after).encode() + _BEHIND_IDS
        if query.updated_before is not None:
            high = time_text(query.updated_before).encode()
    if after is None:
        return Bounds(low, high)
    position = time_text(after.at).encode() + after.id.encode()
    return Bounds(low, min(high, position)) if order.descending else Bounds(max(low, position), high)


def _rest(bounds: Bounds, stretch: Stretch, order: SessionOrder) -> Bounds:
    """What is behind a stretch."""
    stopped = stretch.stopped
    if not stopped:  # only sessions that were written to meanwhile: behind the moment of the look, or before it
        return bounds if order.descending else Bounds(max(bounds.low, stretch.now), bounds.high)
    return Bounds(bounds.low, stopped) if order.descending else Bounds(stopped, bounds.high)


def _reach(stretch: Stretch, order: SessionOrder, whole: Bounds, looked: int) -> Bounds:
    """Where a session that moved while it was listed is in its place; a listing must not pass what it did not see.

    Newest first, whatever moved went before all that is still to come. Oldest first, it went behind.
    """
    if order.descending:
        return Bounds(stretch.stopped, whole.high)
    if stretch.stopped:
        return Bounds(whole.low, stretch.stopped)
    return Bounds(whole.low, whole.high if looked >= _ROUNDS else stretch.now + _BEHIND_IDS)


def _position(record: SessionRecord, order: SessionOrder) -> bytes:
    time = record.updated_at if order.field == "updated_at" else record.created_at
    return time_text(time).encode() + record.id.encode()


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


def user_facet(scope: Scope) -> str | None:
    """The facet of a user's view."""
    return None if scope.user_id is None else facet("user", scope.user_id)
