"""Listing, counting and bulk deletion: chooses the parts of `sql/listing.sql` that make up a query's statement."""

from __future__ import annotations

import json
from typing import NamedTuple

from agentkeep.records import Scope, SessionOrder, SessionPosition, SessionQuery, SessionRecord

from agentkeep_sqlite.client import Connection, Row
from agentkeep_sqlite.rows import session_records, to_micros
from agentkeep_sqlite.tables import Tables, label_digest

Position = tuple[int, str]
"""`created_at` and id of the last session that a step of a count has read."""

COUNT_STEP = 2_000
"""Sessions read in one step of a count, so that other reads get their turn in between (COST-3)."""
_UNLISTED_AT_ONCE = 500
"""Expired sessions that leave the indexes of listings in one transaction (COST-3)."""
_FEW_EXPIRED = 20
"""So many expired sessions may stay in those indexes: passing them costs less than a transaction."""
_COMMON = 100
"""A filter with so many sessions counts as common. If all filters of a query are, any of them may lead."""


class Filter(NamedTuple):
    """One condition of a query, whose index may lead."""

    name: str
    """Of its part `only_…`. Labels share one."""
    lead: str
    """Of its parts `from_…` and `how_many_…`."""
    value: str


class Listing:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._sql = tables.sql

    def page(
        self,
        scope: Scope,
        query: SessionQuery,
        order: SessionOrder,
        limit: int,
        after: SessionPosition | None,
        db: Connection,
    ) -> list[SessionRecord]:
        """A page of records: a range of one index, in its order (READ-2, READ-5)."""
        self._tables.check_settled(db)
        sorting = f"{order.field}_{'descending' if order.descending else 'ascending'}"
        lead = self.rarest(scope, query, db)
        values = _values(scope, query, lead, db) | {"limit": limit}
        parts = ["select_records", *_conditions(scope, query, lead, order.field)]
        if after is not None:
            parts.append(f"behind_{sorting}")
            values |= {"at": to_micros(after.at), "last_id": after.id}
        return session_records(db.all(self._joined([*parts, f"order_{sorting}"]), values))

    def has_expired(self, db: Connection) -> bool:
        """Whether listings pass so many expired sessions that `unlist_expired` should run."""
        return db.one(self._sql["has_listed_expired"], {"now": db.now, "few": _FEW_EXPIRED}) is not None

    def unlist_expired(self, db: Connection) -> bool:
        """Take expired sessions out of the indexes that listings read (READ-5). Returns whether there may be more.

        The sessions stay for the sweep.
        """
        found = db.all(self._sql["listed_expired"], {"now": db.now, "limit": _UNLISTED_AT_ONCE})
        keys = {"keys": json.dumps([key for (key,) in found])}
        db.run(self._sql["unlist"], keys)
        db.run(self._sql["unlist_labels"], keys)
        return len(found) == _UNLISTED_AT_ONCE

    def count_step(
        self, scope: Scope, query: SessionQuery, after: Position | None, db: Connection
    ) -> tuple[int, Position | None]:
        """How many sessions match in the next step, in the order of their creation, which no update changes.

        The position is None after the last step.
        """
        self._tables.check_settled(db)
        lead = self.rarest(scope, query, db)
        values = _values(scope, query, lead, db) | {"limit": COUNT_STEP}
        index, *conditions = _conditions(scope, query, lead, "created_at")
        parts = ["select_positions", *conditions, "end_of_matches", index]
        if after is not None:
            parts.append("behind_created_at_ascending")
            values |= {"at": after[0], "last_id": after[1]}
        step = self._joined([*parts, "order_created_at_ascending"])
        sql = f"WITH step AS MATERIALIZED ({step}) {self._sql['count_step']}"
        count, read, created_at, session_id = db.all(sql, values)[0]
        return count, (created_at, session_id) if read == COUNT_STEP else None

    def keys(self, scope: Scope, query: SessionQuery, limit: int, db: Connection) -> list[tuple[int, int]]:
        """The keys and message counts of the first `limit` matching sessions."""
        lead = self.rarest(scope, query, db)
        parts = ["select_keys", *_conditions(scope, query, lead, "updated_at"), "first_of_them"]
        rows = db.all(self._joined(parts), _values(scope, query, lead, db) | {"limit": limit})
        return [(key, message_count) for key, message_count in rows]

    def rarest(self, scope: Scope, query: SessionQuery, db: Connection) -> Filter | None:
        """The condition that leaves the fewest sessions, so that its index leads. Bounded work (READ-5)."""
        filters = _filters(scope, query)
        if len(filters) < 2:
            return filters[0] if filters else None
        rarest, fewest = filters[0], _COMMON
        for each in filters:
            count = self._how_many(scope, each, fewest, db)
            if count < fewest:
                rarest, fewest = each, count
        return rarest

    def _how_many(self, scope: Scope, filter: Filter, most: int, db: Connection) -> int:
        values = {"tenant": scope.tenant, "value": filter.value, "limit": most}
        row: Row = db.all(self._sql[f"how_many_{filter.lead}"], values)[0]
        return row[0]

    def _joined(self, parts: list[str]) -> str:
        return "\n".join(self._sql[part] for part in parts)


def _filters(scope: Scope, query: SessionQuery) -> list[Filter]:
    """The conditions whose index may lead, those first that usually leave few sessions."""
    filters = [
        Filter("parent_id", "parent", query.parent_id or ""),
        Filter("user_id", "user", query.user_id or ""),
        Filter("scope_user", "user", scope.user_id or ""),
        *(Filter("labels", "label", label_digest(label)) for label in query.labels),
        Filter("agent_name", "agent", query.agent_name or ""),
        Filter("status", "status", query.status or ""),
    ]
    return [each for each in filters if each.value]


def _conditions(scope: Scope, query: SessionQuery, lead: Filter | None, field: str) -> list[str]:
    names = dict.fromkeys(each.name for each in _filters(scope, query))
    bounds = [f"only_{bound}" for bound in ("updated_after", "updated_before") if getattr(query, bound)]
    index = "all" if lead is None else lead.lead
    return [f"from_{index}_{field}", "only_unexpired", *(f"only_{name}" for name in names), *bounds]


def _values(scope: Scope, query: SessionQuery, lead: Filter | None, db: Connection) -> dict[str, object]:
    return {
        "tenant": scope.tenant,
        "lead": None if lead is None else lead.value,
        "scope_user": scope.user_id,
        "user_id": query.user_id,
        "agent_name": query.agent_name,
        "status": query.status,
        "parent_id": query.parent_id,
        "labels": json.dumps([label_digest(label) for label in query.labels]),
        "updated_after": query.updated_after and to_micros(query.updated_after),
        "updated_before": query.updated_before and to_micros(query.updated_before),
        "now": db.now,
    }
