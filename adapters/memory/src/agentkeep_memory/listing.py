"""Which sessions a query means, in which order. This adapter looks at every session; the others have indexes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import nlargest, nsmallest

from agentkeep.records import SessionOrder, SessionPosition, SessionQuery, SessionRecord

from agentkeep_memory.rows import Entry


def matching(entries: Iterable[Entry], query: SessionQuery) -> Iterator[Entry]:
    return (entry for entry in entries if entry.labels.issuperset(query.labels) and _matches(entry.record, query))


def _matches(record: SessionRecord, query: SessionQuery) -> bool:
    return (
        query.user_id in (None, record.user_id)
        and query.agent_name in (None, record.agent_name)
        and query.status in (None, record.status)
        and query.parent_id in (None, record.parent_id)
        and (query.updated_after is None or record.updated_at > query.updated_after)
        and (query.updated_before is None or record.updated_at < query.updated_before)
    )


def page(
    records: Iterable[SessionRecord], order: SessionOrder, *, limit: int, after: SessionPosition | None
) -> list[SessionRecord]:
    """The first `limit` records after a position (READ-2)."""

    def position(record: SessionRecord) -> tuple[object, bytes]:
        return (record.updated_at if order.field == "updated_at" else record.created_at, record.id.encode())

    if after is not None:
        bound = (after.at, after.id.encode())
        records = (
            record for record in records if (position(record) < bound if order.descending else position(record) > bound)
        )
    return (nlargest if order.descending else nsmallest)(limit, records, key=position)
