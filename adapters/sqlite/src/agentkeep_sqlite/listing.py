"""Listing, counting and bulk deletion: chooses the parts of `sql/listing.sql` that make up a query's statement."""

from __future__ import annotations

import json

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery

from agentkeep_sqlite.rows import to_micros
from agentkeep_sqlite.statements import Statements
from agentkeep_sqlite.tables import label_digest

Statement = tuple[str, dict[str, object]]


class Listing:
    def __init__(self, statements: Statements) -> None:
        self._sql = statements

    def page(
        self,
        scope: Scope,
        query: SessionQuery,
        order: SessionOrder,
        *,
        limit: int,
        after: SessionPosition | None,
        now: int,
    ) -> Statement:
        """A page of records: a range of one index, in its order (READ-2, READ-5)."""
        sorting = f"{order.field}_{'descending' if order.descending else 'ascending'}"
        parts = ["select_records", *_conditions(scope, query, order.field)]
        values = _values(scope, query, now) | {"limit": limit}
        if after is not None:
            parts.append(f"behind_{sorting}")
            values |= {"at": to_micros(after.at), "id": after.id}
        return self._joined([*parts, f"order_{sorting}"]), values

    def count(self, scope: Scope, query: SessionQuery, *, now: int) -> Statement:
        return self._joined(["select_count", *_conditions(scope, query, "updated_at")]), _values(scope, query, now)

    def keys(self, scope: Scope, query: SessionQuery, *, limit: int, now: int) -> Statement:
        """The keys of the first `limit` matching sessions."""
        parts = ["select_keys", *_conditions(scope, query, "updated_at"), "first_of_them"]
        return self._joined(parts), _values(scope, query, now) | {"limit": limit}

    def _joined(self, parts: list[str]) -> str:
        return "\n".join(self._sql[part] for part in parts)


def _conditions(scope: Scope, query: SessionQuery, field: str) -> list[str]:
    """The leading index comes first: that of the filter which is likely to leave the fewest sessions."""
    given = [name for name in ("parent_id", "user_id", "labels", "agent_name", "status") if getattr(query, name)]
    if scope.user_id is not None and "user_id" not in given:
        given.insert(0, "scope_user")
    lead = _LEADS[given[0]] if given else "all"
    parts = [f"from_{lead}_{field}", "only_unexpired", *(f"only_{name}" for name in given)]
    if scope.user_id is not None and "scope_user" not in given:
        parts.append("only_scope_user")
    return parts + [f"only_{bound}" for bound in ("updated_after", "updated_before") if getattr(query, bound)]


_LEADS = {
    "scope_user": "user",
    "parent_id": "parent",
    "user_id": "user",
    "labels": "label",
    "agent_name": "agent",
    "status": "status",
}


def _values(scope: Scope, query: SessionQuery, now: int) -> dict[str, object]:
    labels = [label_digest(label) for label in query.labels]
    return {
        "tenant": scope.tenant,
        "scope_user": scope.user_id,
        "user_id": query.user_id or scope.user_id,
        "agent_name": query.agent_name,
        "status": query.status,
        "parent_id": query.parent_id,
        "label": labels[0] if labels else None,
        "labels": json.dumps(labels),
        "updated_after": query.updated_after and to_micros(query.updated_after),
        "updated_before": query.updated_before and to_micros(query.updated_before),
        "now": now,
    }
