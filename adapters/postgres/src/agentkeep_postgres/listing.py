"""Which parts of `sql/listing.sql` make the statement that lists, counts or finds sessions."""

from __future__ import annotations

from collections.abc import Iterable

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery

from agentkeep_postgres.statements import Statement, Statements

Call = tuple[Statement, dict[str, object]]
PartNames = tuple[str, ...]

_LEADS = ("parent_id", "owner", "labels", "agent_name", "status")
"""The conditions that an index serves, those first that usually leave few sessions.

`owner`: the user of the scope or of the query.
"""
_TIMES = ("updated_after", "updated_before")
_COMMON = 100
"""A filter with so many sessions counts as common. If all filters of a query are, any of them may lead."""


class Listing:
    def __init__(self, statements: Statements) -> None:
        self._sql = statements

    def page(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> Call:
        """A page of sessions, in the order of an index (READ-2, READ-5). See `page_begin` in sql/listing.sql."""
        values = values_of(scope, query) | {"limit": limit}
        if after is not None:
            values |= {"at": after.at, "after_id": after.id}
        parts = _rows(scope, query, "select_sessions", order, is_after=after is not None)
        return self._sql.joined("page_begin", *parts, "page_end"), values

    def count(self, scope: Scope, query: SessionQuery) -> Call:
        parts = _rows(scope, query, "select_count", None, is_limited=False)
        return self._sql.joined("page_begin", *parts, "page_end"), values_of(scope, query)


def candidates(scope: Scope, query: SessionQuery) -> PartNames:
    """The keys of up to `limit` matching sessions."""
    return _rows(scope, query, "select_keys", None)


def conditions(scope: Scope, query: SessionQuery) -> PartNames:
    """All conditions of a query on a session `s`."""
    return ("only_living", *(f"only_{name}" for name in (*_given(scope, query), *_others(scope, query))))


def values_of(scope: Scope, query: SessionQuery) -> dict[str, object]:
    return {
        "tenant": scope.tenant,
        "owner": scope.user_id or query.user_id,
        "user_id": query.user_id,
        "agent_name": query.agent_name,
        "status": query.status,
        "parent_id": query.parent_id,
        "labels": list(query.labels),
        "updated_after": query.updated_after,
        "updated_before": query.updated_before,
        "common": _COMMON,
    }


def _rows(
    scope: Scope,
    query: SessionQuery,
    select: str,
    order: SessionOrder | None,
    *,
    is_after: bool = False,
    is_limited: bool = True,
) -> PartNames:
    leads = _given(scope, query)
    walked = "by_updated_at" if order is None else f"by_{order.field}"
    sorting = () if order is None else (f"{order.field}_{'descending' if order.descending else 'ascending'}",)
    after = tuple(f"after_{name}" for name in sorting if is_after)
    ordered = tuple(f"order_{name}" for name in sorting)
    limited = ("limit",) if is_limited else ()
    if len(leads) < 2:
        lead = leads[0] if leads else "tenant"
        begin = ("with", *_rarest(query)) if query.labels else ()
        return (*begin, select, *_branch(scope, query, lead, walked, after, ordered), *limited)
    begin = ("with", *_rarest(query), "comma") if query.labels else ("with",)
    smallest = (f"smallest_{leads[0]}", *(f"or_smaller_{lead}" for lead in leads[1:]))
    branches = _union(
        ("open", "select_rows", *_branch(scope, query, lead, walked, after, ordered, is_chosen=True), *limited, "close")
        for lead in leads
    )
    chosen = ("lead_begin", *("smaller_begin" for _ in leads[1:]), *smallest, "lead_end")
    return (*begin, *chosen, select, "from_these", *branches, "these_end", *ordered, *limited)


def _rarest(query: SessionQuery) -> PartNames:
    return ("rarest_of_many",) if len(query.labels) > 1 else ("rarest_of_one",)


def _union(selects: Iterable[PartNames]) -> PartNames:
    first, *others = selects
    return (*first, *(part for select in others for part in ("union_all", *select)))


def _branch(
    scope: Scope,
    query: SessionQuery,
    lead: str,
    walked: str,
    after: PartNames,
    ordered: PartNames,
    *,
    is_chosen: bool = False,
) -> PartNames:
    """The sessions by the index of one lead; with `is_chosen` none if it is not the lead with the fewest.

    `walked`: which of the lead's two indexes.
    """
    sorted_by_label = lead == "labels"
    checked = [name for name in _given(scope, query) if name != lead or (len(query.labels) > 1 and sorted_by_label)]
    times = [name for name in _TIMES if getattr(query, name) is not None]
    return (
        "from_labels" if sorted_by_label else "from_sessions",
        walked,
        f"is_{lead}",
        *((f"if_{lead}",) if is_chosen else ()),
        "only_living",
        *(f"only_{name}" for name in (*checked, *_others(scope, query))),
        *(f"labels_{name}" for name in times if sorted_by_label),
        *(f"labels_{name}" if sorted_by_label else name for name in (*after, *ordered)),
    )


def _given(scope: Scope, query: SessionQuery) -> list[str]:
    values = values_of(scope, query)
    return [name for name in _LEADS if values[name]]


def _others(scope: Scope, query: SessionQuery) -> list[str]:
    """The conditions that no index serves alone."""
    names = ["user_id"] if scope.user_id is not None and query.user_id is not None else []
    return [*names, *(name for name in _TIMES if getattr(query, name) is not None)]
