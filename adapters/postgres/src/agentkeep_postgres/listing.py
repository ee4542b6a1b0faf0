"""Which parts of `sql/listing.sql` make the statement that lists, counts or removes sessions."""

from __future__ import annotations

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery

from agentkeep_postgres.rows import stored_labels
from agentkeep_postgres.statements import Statement, Statements

Call = tuple[Statement, dict[str, object]]

_FILTERS = ("user_id", "agent_name", "status", "parent_id", "labels", "updated_after", "updated_before")


class Listing:
    def __init__(self, statements: Statements) -> None:
        self._sql = statements

    def page(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> Call:
        """A page of records: a range of one index, in the order of the index (READ-2, READ-5)."""
        sorting = f"{order.field}_{'descending' if order.descending else 'ascending'}"
        after_key = () if after is None else (f"after_{sorting}",)
        parts = ("select_records", *_conditions(scope, query), *after_key, f"order_{sorting}")
        values = _values(scope, query) | {"limit": limit}
        if after is not None:
            values |= {"at": after.at, "after_id": after.id}
        return self._sql.joined(*parts), values

    def count(self, scope: Scope, query: SessionQuery) -> Call:
        return self._sql.joined("select_count", *_conditions(scope, query)), _values(scope, query)

    def remove(self, scope: Scope, query: SessionQuery, *, limit: int) -> Call:
        """Remove the first `limit` matching sessions with their messages (SES-6)."""
        parts = ("remove_first", "of_tenant", *_conditions(scope, query), "first_of_them", "remove_end")
        return self._sql.joined(*parts), _values(scope, query) | {"limit": limit}

    def remove_one(self, scope: Scope, session_id: str) -> Call:
        parts = ("remove_first", "of_tenant", "only_id", *_conditions(scope, SessionQuery()), "remove_end")
        return self._sql.joined(*parts), _values(scope, SessionQuery()) | {"id": session_id}

    def remove_expired(self, scope: Scope | None, *, limit: int) -> Call:
        """In the order of expiry, so that two sweeps never wait for each other (TTL-2)."""
        within: tuple[str, ...] = ()
        if scope is not None:
            within = ("only_tenant",) if scope.user_id is None else ("only_tenant", "only_scope_user")
        values: dict[str, object] = {"limit": limit}
        if scope is not None:
            values |= {"tenant": scope.tenant, "scope_user": scope.user_id}
        return self._sql.joined("remove_first", "expired", *within, "first_expired", "remove_end"), values


def _conditions(scope: Scope, query: SessionQuery) -> tuple[str, ...]:
    given = tuple(f"only_{name}" for name in _FILTERS if getattr(query, name))
    scoped = () if scope.user_id is None else ("only_scope_user",)
    return ("only_living", *scoped, *given)


def _values(scope: Scope, query: SessionQuery) -> dict[str, object]:
    return {
        "tenant": scope.tenant,
        "scope_user": scope.user_id,
        "user_id": query.user_id,
        "agent_name": query.agent_name,
        "status": query.status,
        "parent_id": query.parent_id,
        "wanted_labels": stored_labels(scope, query.labels),
        "updated_after": query.updated_after,
        "updated_before": query.updated_before,
    }
