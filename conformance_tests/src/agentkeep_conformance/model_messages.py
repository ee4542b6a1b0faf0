"""The verbs of `keep.messages`, as the model does them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from agentkeep import InvalidInput, MessageNotFound, NewMessage

from agentkeep_conformance.agreement import SameOrLater, value_of
from agentkeep_conformance.model import Model, Scoped, slide
from agentkeep_conformance.model_sessions import ModelSessions
from agentkeep_conformance.rows import Held, Row, added, expect, message_row, page_of, stored_before, tail_of, text_of


class ModelMessages:
    def __init__(self, scoped: Scoped) -> None:
        self._scoped = scoped

    def append(
        self,
        session_id: str,
        messages: Sequence[NewMessage],
        *,
        create: Row | None = None,
        update: Row | None = None,
        add: dict[str, int] | None = None,
        stored: str = "conflict",
        expected_version: int | None = None,
        expected_last_seq: int | None = None,
        truncate_after: int | None = None,
        keep_last: int | None = None,
    ) -> Row:
        """The order of the steps is the contract's: the session, the ids, what is expected, then all of the writing."""
        given = [message.id for message in messages if message.id is not None]
        if len(set(given)) < len(given):
            raise InvalidInput("an id twice in one batch")
        if given and keep_last is not None and keep_last < len(messages):
            raise InvalidInput("a retry could not find what keep_last dropped")
        create = None if create is None else self._scoped.owned(create)
        self._scoped.check_user(update or {})
        held, is_new = self._session(session_id, create)
        known = stored_before(held.log, messages, stored)
        if messages and len(known) == len(messages):
            newest = max(known, key=lambda row: row["seq"])
            return _appended(known, newest["_version"], newest["seq"], 0)
        expect("version", expected_version, 0 if is_new else held.row["version"])
        expect("last_seq", expected_last_seq, held.row["last_seq"])
        counters = added(held.row["counters"], add or {})
        options = (create, expected_version, expected_last_seq, truncate_after, keep_last)
        if not (messages or update or add) and options == (None,) * 5:
            return _appended([], held.row["version"], held.row["last_seq"], 0)
        held.row["counters"] = counters
        if not is_new:
            self._scoped.written(held)
        new = self._write(held, messages, known, update, truncate_after, keep_last)
        self._scoped.store(held)
        by_id = {value_of(row["id"]): row for row in known}
        rows = iter(new)
        result = [by_id[message.id] if message.id in by_id else next(rows) for message in messages]
        return _appended(result, held.row["version"], held.row["last_seq"], len(new))

    def _session(self, session_id: str, create: Row | None) -> tuple[Held, bool]:
        """The session to append to, and whether the call makes it (SES-4, SES-7)."""
        scoped = self._scoped
        held = scoped.model.find(scoped.tenant, session_id)
        if held is None and create is not None:
            made = scoped.made(session_id, create)
            if scoped.model.now() is None:  # a server may read its clock twice in one call
                made.row["updated_at"] = SameOrLater(made.row["created_at"])
            return made, True
        if held is not None and create is not None:
            scoped.may_use(held, create)
        return scoped.find(session_id), False

    def _write(
        self,
        held: Held,
        messages: Sequence[NewMessage],
        known: list[Row],
        update: Row | None,
        truncate_after: int | None,
        keep_last: int | None,
    ) -> list[Row]:
        scoped, moment = self._scoped, held.row["updated_at"]
        if truncate_after is not None:
            held.log = [row for row in held.log if row["seq"] <= truncate_after]
        if update:
            scoped.set_fields(held, update, moment)
            scoped.next_version(held)
        skipped = {value_of(row["id"]) for row in known}
        fresh = [message for message in messages if message.id is None or message.id not in skipped]
        id, first, version, now = held.row["id"], held.row["last_seq"] + 1, held.row["version"], scoped.model.now()
        new = [message_row(id, seq, message, version, now) for seq, message in enumerate(fresh, first)]
        held.log = held.log + new
        held.counted()
        if keep_last is not None:
            held.log = held.log[max(0, len(held.log) - keep_last) :]
            held.counted()
        slide(held, moment)
        return new

    def update(self, session_id: str, id: str, **fields: Any) -> Row:
        held = self._scoped.find(session_id)
        row = self.get(session_id, id)
        row |= fields
        self._scoped.written(held)
        return row

    def list(
        self,
        session_id: str,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int,
        newest_first: bool = False,
        behind: int | None = None,
    ) -> Row:
        """A page. `behind`: the seq of the last row of the page before, instead of a cursor."""
        if behind is not None:
            after, before = (after, behind) if newest_first else (behind, before)
        log = self._scoped.find(session_id).log
        rows = [row for row in log if after < row["seq"] and (before is None or row["seq"] < before)]
        return page_of(rows[::-1] if newest_first else rows, limit)

    def tail(self, session_id: str, n: int, *, whole_turns: bool = False) -> list[Row]:
        return tail_of(self._scoped.find(session_id).log, n, whole_turns=whole_turns)

    def get(self, session_id: str, id: str) -> Row:
        for row in self._scoped.find(session_id).log:
            if value_of(row["id"]) == id:
                return row
        raise MessageNotFound(session_id, id)

    def get_many(self, session_id: str, ids: Sequence[str]) -> dict[str, Row]:
        by_id = {value_of(row["id"]): row for row in self._scoped.find(session_id).log}
        return {id: by_id[id] for id in dict.fromkeys(ids) if id in by_id}

    def count(self, session_id: str) -> int:
        return len(self._scoped.find(session_id).log)

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
        """A cut is a write that does not slide the idle time; one that removes nothing may count as none."""
        held = self._scoped.find(session_id)
        before = len(held.log)
        held.log = kept(held.log)
        removed = before - len(held.log)
        self._scoped.written(held, changed=removed > 0)
        held.counted()
        return removed

    def search(
        self,
        query: str,
        *,
        session_id: str | None = None,
        user_id: str | None = None,
        agent_name: str | None = None,
        role: str | None = None,
    ) -> set[tuple[str, str]]:
        """Session and message id of each message whose text has all the words, wherever they stand (SRCH-1)."""
        words = query.casefold().replace("\0", " ").split()
        if session_id is not None:
            self._scoped.find(session_id)
        return {
            (held.row["id"], value_of(message["id"]))
            for held in self._scoped.matching({"user_id": user_id, "agent_name": agent_name})
            if session_id in (None, held.row["id"])
            for message in held.log
            if role in (None, message["role"]) and words and all(word in text_of(message) for word in words)
        }

    def watched(self, session_id: str, *, after_seq: int) -> list[Row]:
        """What a watch yields of what is stored now (WATCH-1)."""
        return [row for row in self._scoped.find(session_id).log if row["seq"] > after_seq]


def _appended(messages: list[Row], version: Any, last_seq: int, new: int) -> Row:
    return {"messages": messages, "version": version, "last_seq": last_seq, "new": new}


class ModelView:
    """The model as one tenant or user sees it; `idle_ttl` is the keep's default for new sessions."""

    def __init__(
        self, model: Model, tenant: str, user_id: str | None = None, idle_ttl: timedelta | None = None
    ) -> None:
        self.scoped = Scoped(model, tenant, user_id, idle_ttl)
        self.sessions = ModelSessions(self.scoped)
        self.messages = ModelMessages(self.scoped)
        self.tenant = tenant
