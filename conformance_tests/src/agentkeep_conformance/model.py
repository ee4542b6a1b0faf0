"""The reference model: what Agentkeep promises, as plain dicts, for one caller at a time.

Each verb has the name and the arguments of `keep.sessions` and `keep.messages`, and gives rows: dicts of the fields of
`Session` and `Message`, in which ids and times that the adapter chooses are `Unknown` until an answer shows them. It is
the specification in code: written from the contract, sharing none of core's logic, and slow where that is shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from agentkeep import AlreadyExists, InvalidInput, MessageNotFound, NewMessage, SessionNotFound

from agentkeep_conformance.agreement import Expiry, Instant, value_of
from agentkeep_conformance.rows import (
    Held,
    Position,
    Row,
    expect,
    is_behind,
    matches,
    message_row,
    new_row,
    page_of,
    position_by,
    stored_before,
    text_of,
)


class Model:
    """All tenants' sessions."""

    def __init__(self) -> None:
        self.sessions: dict[tuple[str, str], Held] = {}

    def view(self, tenant: str, user_id: str | None = None, idle_ttl: timedelta | None = None) -> View:
        return View(self, tenant, user_id, idle_ttl)


class View:
    """What one tenant, or one user of it, sees and does (ISO-1)."""

    def __init__(self, model: Model, tenant: str, user_id: str | None, idle_ttl: timedelta | None) -> None:
        self._all = model.sessions
        self.tenant = tenant
        self.user_id = user_id
        self._idle_ttl = idle_ttl

    def held(self, session_id: str) -> Held:
        """Raises `SessionNotFound`."""
        held = self._all.get((self.tenant, session_id))
        if held is None or self.user_id not in (None, held.row["user_id"]):
            raise SessionNotFound(session_id)
        return held

    def create(self, id: str, *, ttl: timedelta | None = None, **fields: Any) -> Row:
        if self.user_id is not None:
            fields.setdefault("user_id", self.user_id)
        self._check_user(fields)
        if (self.tenant, id) in self._all:
            raise AlreadyExists(id)
        created = Instant()
        row = new_row() | fields | {"id": id, "tenant": self.tenant, "created_at": created}
        row["updated_at"] = Instant(created)
        ttl = ttl or self._idle_ttl
        row["expires_at"] = None if ttl is None else Expiry(created, ttl)
        self._all[self.tenant, id] = Held(row, [])
        return row

    def get_or_create(self, id: str, **fields: Any) -> Row:
        self._check_user(fields)
        return self.get(id) if (self.tenant, id) in self._all else self.create(id, **fields)

    def _check_user(self, fields: Row) -> None:
        if self.user_id is not None and fields.get("user_id", self.user_id) != self.user_id:
            raise InvalidInput("another user's session")

    def get(self, id: str) -> Row:
        return self.held(id).row

    def find(self, id: str) -> Row | None:
        try:
            return self.get(id)
        except SessionNotFound:
            return None

    def update(self, id: str, *, expected_version: int | None = None, **fields: Any) -> Row:
        self._check_user(fields)
        held = self.held(id)
        expect(expected_version, held.row["version"])
        self._set(held, fields)
        return held.row

    def _set(self, held: Held, fields: Row) -> None:
        row = held.row
        if fields.get("status") == "completed":
            row["completed_at"] = row["completed_at"] or Instant(row["created_at"])
        elif "status" in fields:
            row["completed_at"] = None
        row |= fields
        row["version"] += 1
        row["updated_at"] = Instant(row["updated_at"])

    def list(
        self, *, order: str = "-updated_at", limit: int = 50, behind: Position | None = None, **filters: Any
    ) -> Row:
        """A page. `behind`: where the page before ended, in the place of a cursor."""
        rows = sorted(self._matching(filters), key=position_by(order), reverse=order.startswith("-"))
        if behind is not None:
            rows = [row for row in rows if is_behind(position_by(order)(row), behind, order)]
        return page_of(rows, limit)

    def _matching(self, filters: Row) -> list[Row]:
        rows = [held.row for (tenant, _), held in self._all.items() if tenant == self.tenant]
        return [row for row in rows if self.user_id in (None, row["user_id"]) and matches(row, filters)]

    def count(self, **filters: Any) -> int:
        return len(self._matching(filters))

    def find_active(self, user_id: str) -> Row | None:
        found = self.list(user_id=user_id, status="active", limit=1)["items"]
        return found[0] if found else None

    def touch(self, id: str, ttl: timedelta | None = None) -> Row:
        held = self.held(id)
        held.row["updated_at"] = Instant(held.row["updated_at"])
        if ttl is None:
            self._slide(held)
        else:
            held.row["expires_at"] = Expiry(held.row["updated_at"], ttl)
        return held.row

    def _slide(self, held: Held) -> None:
        if self._idle_ttl is not None:
            row = held.row
            row["expires_at"] = Expiry(row["updated_at"], self._idle_ttl, later=row["expires_at"])

    def fork(self, id: str, *, new_id: str, at_seq: int | None = None) -> Row:
        parent = self.held(id)
        last_seq = parent.row["last_seq"]
        if at_seq is not None and at_seq > last_seq:
            raise InvalidInput("a seq that was never given")
        at_seq = last_seq if at_seq is None else at_seq
        if (self.tenant, new_id) in self._all:
            raise AlreadyExists(new_id)
        created = Instant()
        copied = ("tenant", "user_id", "agent_name", "state", "metadata", "schema_version", "expires_at")
        row = new_row() | {name: parent.row[name] for name in copied}
        row |= {"id": new_id, "parent_id": id, "forked_at_seq": at_seq, "created_at": created}
        log = [message | {"session_id": new_id} for message in parent.log if message["seq"] <= at_seq]
        row |= {"updated_at": Instant(created), "last_seq": at_seq, "message_count": len(log)}
        row["last_message_at"] = log[-1]["created_at"] if log else None
        if self._idle_ttl is not None:
            row["expires_at"] = Expiry(created, self._idle_ttl)
        self._all[self.tenant, new_id] = Held(row, log)
        return row

    def delete(self, id: str) -> bool:
        if self.find(id) is None:
            return False
        del self._all[self.tenant, id]
        return True

    def delete_many(self, *, dry_run: bool = False, **filters: Any) -> int:
        found = self._matching(filters)
        if not dry_run:
            for row in found:
                del self._all[self.tenant, row["id"]]
        return len(found)

    def delete_user(self, user_id: str) -> int:
        return self.delete_many(user_id=user_id)

    def append(
        self,
        session_id: str,
        messages: Sequence[NewMessage],
        *,
        update: Row | None = None,
        expected_version: int | None = None,
        expected_last_seq: int | None = None,
        truncate_after: int | None = None,
        keep_last: int | None = None,
    ) -> list[Row]:
        """The order of the steps is the contract's: the session, the ids, what is expected, then all of the writing."""
        given = [message.id for message in messages if message.id is not None]
        if len(set(given)) < len(given):
            raise InvalidInput("an id twice in one batch")
        if given and keep_last is not None and keep_last < len(messages):
            raise InvalidInput("a retry could not find what keep_last dropped")
        self._check_user(update or {})
        held = self.held(session_id)
        if stored := stored_before(held, messages):
            return stored
        expect(expected_version, held.row["version"])
        expect(expected_last_seq, held.row["last_seq"])
        if not messages and update is truncate_after is keep_last is expected_version is expected_last_seq is None:
            return []
        if truncate_after is not None:
            held.log = [row for row in held.log if row["seq"] <= truncate_after]
        first = held.row["last_seq"] + 1
        added = [message_row(session_id, seq, message) for seq, message in enumerate(messages, first)]
        held.log = held.log + added
        held.written()
        if update is not None:
            self._set(held, update)
        if keep_last is not None:
            held.log = held.log[max(0, len(held.log) - keep_last) :]
            held.written()
        self._slide(held)
        return added

    def update_message(self, session_id: str, id: str, **fields: Any) -> Row:
        held = self.held(session_id)
        row = self.get_message(session_id, id)
        row |= fields
        held.row["updated_at"] = Instant(held.row["updated_at"])
        return row

    def list_messages(
        self, session_id: str, *, after: int = 0, before: int | None = None, limit: int, newest_first: bool = False
    ) -> Row:
        rows = [
            row for row in self.held(session_id).log if after < row["seq"] and (before is None or row["seq"] < before)
        ]
        rows = rows[::-1] if newest_first else rows
        return page_of(rows, limit)

    def tail(self, session_id: str, n: int) -> list[Row]:
        return self.held(session_id).log[-n:]

    def get_message(self, session_id: str, id: str) -> Row:
        for row in self.held(session_id).log:
            if value_of(row["id"]) == id:
                return row
        raise MessageNotFound(session_id, id)

    def count_messages(self, session_id: str) -> int:
        return len(self.held(session_id).log)

    def truncate(self, session_id: str, *, after_seq: int) -> int:
        return self._keep(session_id, lambda log: [row for row in log if row["seq"] <= after_seq])

    def trim(self, session_id: str, *, keep_last: int) -> int:
        return self._keep(session_id, lambda log: log[max(0, len(log) - keep_last) :])

    def clear(self, session_id: str) -> int:
        return self._keep(session_id, lambda log: [])

    def pop(self, session_id: str) -> Row | None:
        newest = self.tail(session_id, 1)
        self._keep(session_id, lambda log: log[:-1])
        return newest[0] if newest else None

    def _keep(self, session_id: str, kept: Callable[[list[Row]], list[Row]]) -> int:
        held = self.held(session_id)
        before = len(held.log)
        held.log = kept(held.log)
        held.written()
        return before - len(held.log)

    def search(self, words: str) -> set[tuple[str, str]]:
        """Session and message id of each message whose text holds all the words, wherever they stand (SRCH-1)."""
        return {
            (row["id"], value_of(message["id"]))
            for row in self._matching({})
            for message in self._all[self.tenant, row["id"]].log
            if words.split() and all(word in text_of(message) for word in words.casefold().split())
        }
