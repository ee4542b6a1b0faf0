"""The steps of random programs. Each is a method of `Programs` that does one thing to the adapter and to the model, and
compares them. The table at the end says how often a step is drawn, and with which arguments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agentkeep import NewMessage, PersistenceError

from agentkeep_conformance import programs as a
from agentkeep_conformance import rules_of_time, rules_repeating, rules_restoring
from agentkeep_conformance.agreement import agree, value_of
from agentkeep_conformance.machine import Pair
from agentkeep_conformance.programs import Draw, Drawn
from agentkeep_conformance.samples import PATIENCE_SECONDS


class Programs(rules_repeating.Repeating, rules_restoring.Restoring, rules_of_time.Time):
    """Fresh tenants, an empty model, and steps that compare every answer."""

    def furnish(self, tenant: int = 0) -> None:
        """A session to be met, with messages to be met."""
        view = (tenant, tenant, None)
        if self.model.find(self.tenants[tenant], "s") is None:
            self.create(view, "s", {"user_id": "u1", "metadata": {"k": 1}}, or_get=False)
        known = [NewMessage(role="user", content=word, id=id) for word, id in zip(a.WORDS, a.MESSAGES, strict=False)]
        self.append(view, "s", known, {"stored": "skip"})

    def create(self, view: Any, id: str, fields: Drawn, or_get: bool) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.get_or_create" if or_get else "sessions.create", id, **fields)
        self.same_session(pair, id)

    def update(self, view: Any, id: str, fields: Drawn, add: dict[str, int] | None, lag: Any) -> None:
        pair = self.pair(view)
        expected = self.number(pair, id, "version", lag)
        self.do(pair, "sessions.update", id, expected_version=expected, add=add, **fields)
        self.same_session(self.whole_tenant(view), id)
        if "metadata" in fields:
            self.same_place(self.whole_tenant(view), id)

    def touch(self, view: Any, id: str, ttl: Any) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.touch", id, ttl=ttl)
        self.same_session(self.whole_tenant(view), id)
        self.same_place(self.whole_tenant(view), id)

    def fork(self, view: Any, id: str, new_id: str, at_seq: int | None, fields: Drawn | None) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.fork", id, at_seq=at_seq, new_id=new_id, update=fields)
        for name in (id, new_id):
            self.same_session(self.whole_tenant(view), name)
        self.same_log(pair, new_id)
        self.same_place(self.whole_tenant(view), new_id)

    def delete(self, view: Any, id: str, lag: Any) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.delete", id, expected_version=self.number(pair, id, "version", lag))

    def remove(self, view: Any, user: str, filters: Drawn, how: str) -> None:
        pair = self.pair(view)
        if how == "user":
            self.do(pair, "sessions.delete_user", user)
        else:
            self.do(pair, "sessions.delete_many", dry_run=how == "count", **self.with_bound(pair, filters))

    def append(
        self,
        view: Any,
        id: str,
        messages: list[NewMessage],
        options: Drawn,
        version: Any = None,
        last_seq: Any = None,
    ) -> None:
        pair = self.pair(view)
        expected = {
            "expected_version": self.number(pair, id, "version", version),
            "expected_last_seq": self.number(pair, id, "last_seq", last_seq),
        }
        options = options | {name: value for name, value in expected.items() if value is not None}
        self.appends.append((id, messages, options))
        self.do(pair, "messages.append", id, messages, **options)
        self.same_session(self.whole_tenant(view), id)

    def redact(self, view: Any, id: str, message: str, which: int, fields: Drawn) -> None:
        pair = self.pair(view)
        held = self.model.find(pair.model.tenant, id)
        if held and held.log and which:
            message = value_of(held.log[which % len(held.log)]["id"])
        self.do(pair, "messages.update", id, message, **fields)
        self.do(pair, "messages.get", id, message)
        self.same_session(self.whole_tenant(view), id)
        self.same_place(self.whole_tenant(view), id)
        content = fields.get("content")
        if isinstance(content, str) and content.startswith(tuple(a.WORDS)):
            self.search(view, content, {"session_id": id})

    def cut(self, view: Any, id: str, verb: str, n: int) -> None:
        pair = self.pair(view)
        arguments = {"truncate": {"after_seq": n}, "trim": {"keep_last": n}}.get(verb, {})
        self.do(pair, f"messages.{verb}", id, **arguments)
        self.same_session(self.whole_tenant(view), id)
        self.same_log(pair, id)
        self.same_place(self.whole_tenant(view), id)

    def read(self, view: Any, id: str, n: int, whole_turns: bool) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.get", id)
        self.do(pair, "messages.count", id)
        self.do(pair, "messages.tail", id, n, whole_turns=whole_turns)
        self.do(pair, "sessions.resume", id, tail=n, whole_turns=whole_turns)

    def read_many(self, view: Any, ids: list[str], id: str, messages: list[str]) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.get_many", [*ids, *ids[:1], "never"])
        self.do(pair, "messages.get_many", id, [*messages, "never", *messages[:1]])

    def page_through_messages(self, view: Any, id: str, window: Drawn, limit: int, newest_first: bool) -> None:
        pair = self.pair(view)
        query: Drawn = {**window, "limit": limit, "newest_first": newest_first}
        cursor, behind = None, None
        while True:
            page, _ = self.both(
                pair.real.messages.list(id, cursor=cursor, **query),
                lambda behind=behind: pair.model.messages.list(id, behind=behind, **query),
            )
            if page is None or not page.has_more:
                return
            cursor, behind = page.next_cursor, page.items[-1].seq

    def iterate(self, view: Any, id: str, window: Drawn, newest_first: bool) -> None:
        pair = self.pair(view)

        async def all_of_it() -> list[Any]:
            return [each async for each in pair.real.messages.iterate(id, newest_first=newest_first, **window)]

        def expected() -> list[Any]:
            return pair.model.messages.list(id, limit=1_000, newest_first=newest_first, **window)["items"]

        self.both(all_of_it(), expected)

    def page_through_sessions(self, view: Any, filters: Drawn, order: str, limit: int) -> None:
        pair = self.pair(view)
        self.start_listing(view, filters, order, limit)
        self.do(pair, "sessions.count", **self.with_bound(pair, filters))
        self.do(pair, "sessions.count")
        self.finish_listings()

    def start_listing(self, view: Any, filters: Drawn, order: str, limit: int) -> None:
        pair = self.pair(view)
        self.page(pair, {"order": order, "limit": limit, **self.with_bound(pair, filters)}, None, None)

    def finish_listings(self) -> None:
        """READ-2: the rest of each listing, after whatever happened since its last page."""
        while self.walks:
            walk = self.walks.pop()
            self.page(walk.pair, walk.arguments, walk.cursor, walk.behind)

    def with_bound(self, pair: Pair, filters: Drawn) -> Drawn:
        """A filter by time is the very `updated_at` of a session, which it excludes."""
        filters = dict(filters)
        id, is_after = filters.pop("bound", ("", False))
        row = self.row(pair, id)
        if row is None:
            return filters
        return filters | {"updated_after" if is_after else "updated_before": value_of(row["updated_at"])}

    def find_active(self, view: Any, user: str) -> None:
        self.do(self.pair(view), "sessions.find_active", user)

    def search(self, view: Any, words: str, filters: Drawn) -> None:
        pair = self.pair(view)
        if not pair.real.capabilities.search:
            return

        async def found() -> list[list[str]]:
            hits = await pair.real.messages.search(words, limit=1_000, **filters)
            return sorted([hit.message.session_id, hit.message.id] for hit in hits)

        self.both(found(), lambda: sorted(map(list, pair.model.messages.search(words, **filters))))

    def watch(self, view: Any, id: str, after: int) -> None:
        """What is stored already comes first, each message once."""
        pair = self.pair(view)
        if not pair.real.capabilities.watch:
            return
        try:
            expected = pair.model.messages.watched(id, after_seq=after)
        except PersistenceError:
            return
        agree(expected, self.run(_first(pair.real.messages.watch(id, after_seq=after), len(expected))))


async def _first(messages: Any, count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(found) < count:
            found.append(await anext(messages))
    await messages.aclose()
    return found


STEPS: dict[str, tuple[int, Callable[[Draw], Drawn]]] = {
    "furnish": (4, lambda d: {}),
    "create": (6, lambda d: {"fields": d.created_fields(), "or_get": d.chance(0.5)}),
    "update": (8, lambda d: {"fields": d.fields_beside_counters(), "add": d.update_additions(), "lag": d.expected()}),
    "touch": (3, lambda d: {"ttl": d.one([None, *a.ENDS])}),
    "fork": (
        5,
        lambda d: {
            "new_id": d.one([*a.SESSIONS, a.COPY]),
            "at_seq": d.number(0, 8) if d.chance(0.5) else None,
            "fields": d.updated_fields() if d.chance(0.4) else None,
        },
    ),
    **rules_restoring.STEPS,
    "delete": (2, lambda d: {"lag": d.one([None, None, 0, 0, 1, "none yet"])}),
    "remove": (
        3,
        lambda d: {"user": d.one(a.USERS), "filters": d.filters(), "how": d.one(["count", "count", "some", "user"])},
    ),
    "append": (
        18,
        lambda d: {
            "messages": d.batch(),
            "options": d.append_options(),
            "version": d.expected(),
            "last_seq": d.expected(),
        },
    ),
    **rules_repeating.STEPS,
    "redact": (4, lambda d: {"message": d.one(a.MESSAGES), "which": d.number(0, 5), "fields": d.message_fields()}),
    "cut": (6, lambda d: {"verb": d.one(["truncate", "trim", "clear", "pop", "pop"]), "n": d.number(0, 6)}),
    "read": (6, lambda d: {"n": d.number(1, 6), "whole_turns": d.chance(0.7)}),
    "read_many": (2, lambda d: {"ids": d.shuffled(a.SESSIONS), "messages": d.shuffled(a.MESSAGES)}),
    "page_through_messages": (
        3,
        lambda d: {"window": d.window(), "limit": d.number(1, 3), "newest_first": d.chance(0.5)},
    ),
    "iterate": (2, lambda d: {"window": d.window(), "newest_first": d.chance(0.5)}),
    "page_through_sessions": (4, lambda d: {"filters": d.filters(), "order": d.one(a.ORDERS), "limit": d.number(1, 3)}),
    "start_listing": (3, lambda d: {"filters": d.filters(), "order": d.one(a.ORDERS), "limit": d.number(1, 2)}),
    "finish_listings": (2, lambda d: {}),
    "find_active": (1, lambda d: {"user": d.one(a.USERS)}),
    "search": (
        3,
        lambda d: {
            "words": " ".join(d.one(a.WORDS) for _ in range(d.number(1, 2))),
            "filters": d.some(
                session_id=d.session_id,
                user_id=lambda: d.one(a.USERS),
                agent_name=lambda: d.one(a.AGENTS),
                role=lambda: d.one(["user", "tool"]),
            ),
        },
    ),
    "watch": (2, lambda d: {"after": d.number(0, 4)}),
    **rules_of_time.STEPS,
}
"""Each step's weight, and its arguments besides `view` and `id`."""
