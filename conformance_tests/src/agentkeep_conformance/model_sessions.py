"""The verbs of `keep.sessions`, as the model does them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentkeep import AlreadyExists, InvalidInput, PersistenceError, SessionNotFound

from agentkeep_conformance.agreement import FirstVersion
from agentkeep_conformance.model import Duration, Scoped, end, slide
from agentkeep_conformance.rows import (
    Held,
    OneOf,
    Position,
    Row,
    added,
    expect,
    is_behind,
    new_row,
    page_of,
    position_by,
    tail_of,
)

_FORKED = (
    *("tenant", "user_id", "agent_name", "state", "metadata", "counters", "schema_version", "ends_at", "idle_ttl"),
)


class ModelSessions:
    def __init__(self, scoped: Scoped) -> None:
        self._scoped = scoped

    def create(self, id: str, **fields: Any) -> Row:
        scoped = self._scoped
        fields = scoped.owned(fields)
        if scoped.model.find(scoped.tenant, id):
            raise AlreadyExists(id)
        held = scoped.made(id, fields)
        scoped.store(held)
        return held.row

    def get_or_create(self, id: str, **fields: Any) -> Row:
        scoped = self._scoped
        fields = scoped.owned(fields)
        held = scoped.model.find(scoped.tenant, id)
        if held is None:
            return self.create(id, **fields)
        scoped.may_use(held, fields)
        return held.row

    def get(self, id: str) -> Row:
        return self._scoped.find(id).row

    def find(self, id: str) -> Row | None:
        try:
            return self.get(id)
        except SessionNotFound:
            return None

    def get_many(self, ids: Sequence[str]) -> dict[str, Row]:
        return {id: row for id in dict.fromkeys(ids) if (row := self.find(id)) is not None}

    def resume(self, id: str, *, tail: int, whole_turns: bool = True) -> Row:
        held = self._scoped.find(id)
        return {"session": held.row, "messages": tail_of(held.log, tail, whole_turns=whole_turns)}

    def update(
        self, id: str, *, expected_version: int | None = None, add: dict[str, int] | None = None, **fields: Any
    ) -> Row:
        scoped = self._scoped
        scoped.check_user(fields)
        if not fields and not add:
            raise InvalidInput("an update of nothing")
        held = scoped.find(id)
        expect("version", expected_version, held.row["version"])
        counters = added(held.row["counters"], add or {})
        moment = scoped.written(held)
        held.row["counters"] = counters
        scoped.set_fields(held, fields, moment)
        scoped.next_version(held)
        return held.row

    def list(
        self, *, order: str = "-updated_at", limit: int = 50, behind: Position | None = None, **filters: Any
    ) -> Row:
        """A page. `behind`: the position of the last row of the page before, instead of a cursor."""
        rows = [held.row for held in self._scoped.matching(filters)]
        rows = sorted(rows, key=position_by(order), reverse=order.startswith("-"))
        if behind is not None:
            rows = [row for row in rows if is_behind(position_by(order)(row), behind, order)]
        return page_of(rows, limit)

    def count(self, **filters: Any) -> int:
        return len(self._scoped.matching(filters))

    def find_active(self, user_id: str) -> Row | None:
        found = self.list(user_id=user_id, status="active", limit=1)["items"]
        return found[0] if found else None

    def touch(self, id: str, ttl: Duration | None = None) -> Row:
        held = self._scoped.find(id)
        moment = self._scoped.written(held)
        if ttl is not None:
            end(held, moment, ttl)
        slide(held, moment)
        return held.row

    def fork(self, id: str, *, new_id: str, at_seq: int | None = None, update: Row | None = None) -> Row:
        scoped = self._scoped
        scoped.check_user(update or {})
        parent = scoped.find(id)
        last_seq = parent.row["last_seq"]
        problems: list[PersistenceError] = []
        if at_seq is not None and at_seq > last_seq:
            problems.append(InvalidInput("a seq that was never given"))
        if scoped.model.find(scoped.tenant, new_id):
            problems.append(AlreadyExists(new_id))
        if problems:
            raise OneOf(*problems)
        copy = self._copy(parent, new_id, last_seq if at_seq is None else at_seq)
        if update:
            scoped.set_fields(copy, update, copy.row["updated_at"])
        scoped.store(copy)
        return copy.row

    def _copy(self, parent: Held, new_id: str, at_seq: int) -> Held:
        scoped = self._scoped
        now, version = scoped.model.moment(), FirstVersion(scoped.given(new_id))
        row = new_row() | {name: parent.row[name] for name in _FORKED}
        row |= {"id": new_id, "parent_id": parent.row["id"], "forked_at_seq": at_seq, "last_seq": at_seq}
        row |= {"created_at": now, "updated_at": now, "version": version}
        kept = [message for message in parent.log if message["seq"] <= at_seq]
        copy = Held(row, [message | {"session_id": new_id, "_version": version} for message in kept])
        copy.counted()
        slide(copy, now)
        return copy

    def restore(self, held: Held, id: str) -> None:
        """All of another session but its version, which is a new one (SES-2)."""
        scoped = self._scoped
        if scoped.model.find(scoped.tenant, id):
            raise AlreadyExists(id)
        version = FirstVersion(scoped.given(id))
        row = held.row | {"id": id, "tenant": scoped.tenant, "version": version}
        scoped.store(Held(row, [message | {"session_id": id, "_version": version} for message in held.log]))

    def delete(self, id: str, *, expected_version: int | None = None) -> bool:
        scoped = self._scoped
        try:
            held = scoped.find(id)
        except SessionNotFound:
            return False
        expect("version", expected_version, held.row["version"])
        del scoped.model.held[scoped.tenant, id]
        return True

    def delete_many(self, *, dry_run: bool = False, **filters: Any) -> int:
        scoped = self._scoped
        if all(value in (None, {}) for value in filters.values()):
            raise InvalidInput("no filter")
        found = scoped.matching(filters)
        if not dry_run:
            for held in found:
                del scoped.model.held[scoped.tenant, held.row["id"]]
        return len(found)

    def delete_user(self, user_id: str) -> int:
        return self.delete_many(user_id=user_id)

    def sweep(self, limit: int) -> int:
        """How many expired sessions the view's sweep removes (TTL-2)."""
        scoped = self._scoped
        now = scoped.model.now()
        expired = [
            key
            for key, held in scoped.model.held.items()
            if key[0] == scoped.tenant and held.is_expired(now) and scoped.user_id in (None, held.row["user_id"])
        ]
        for key in expired[:limit]:
            del scoped.model.held[key]
        return len(expired[:limit])
