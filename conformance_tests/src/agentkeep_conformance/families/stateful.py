"""Random programs, run on the adapter and on the model: the same results, pages and errors, or a shortest program that
shows the difference. Two instances work on the same data in turn, so that a cache of one is seen by the other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from agentkeep import Keep, NewMessage
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from agentkeep_conformance import programs as a
from agentkeep_conformance.agreement import agree, value_of
from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.machine import IDLE_TTL, ComparingMachine
from agentkeep_conformance.samples import PATIENCE_SECONDS, HandClock

_SHORT = timedelta(milliseconds=30)
"""A life that ends while the program waits, if the server's clock decides."""


class Programs(ComparingMachine):
    """One example: fresh tenants, an empty model, and rules that compare every answer."""

    @initialize()
    def furnish_both(self) -> None:
        for tenant in (0, 1):
            self.furnish(tenant)

    def furnish(self, tenant: int) -> None:
        """A session to be met, with messages to be met."""
        view = (tenant, tenant, None)
        self.create(view, "s", {"user_id": "u1", "metadata": {"k": 1}}, or_get=True)
        known = [NewMessage(role="user", content=word, id=id) for word, id in zip(a.WORDS, a.MESSAGES, strict=False)]
        self.append(view, "s", known, None, None, {"stored": "skip"})

    @precondition(lambda self: self.model.living(self.tenants[0], "s") is None)
    @rule()
    def furnish_again(self) -> None:
        self.furnish(0)

    @rule(view=a.views, id=a.session_ids, fields=a.created_fields, or_get=st.booleans())
    def create(self, view: Any, id: str, fields: dict[str, Any], or_get: bool) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.get_or_create" if or_get else "sessions.create", id, **fields)
        self.same_session(pair, id)

    @rule(
        view=a.views,
        id=a.session_ids,
        fields=a.updated_fields,
        add=st.none() | a.additions,
        lag=a.lags,
    )
    def update(self, view: Any, id: str, fields: dict[str, Any], add: dict[str, int] | None, lag: Any) -> None:
        pair = self.pair(view)
        expected = self.number(pair, id, "version", lag)
        self.do(pair, "sessions.update", id, expected_version=expected, add=add, **fields)
        self.same_session(self.pair((view[0], view[1], None)), id)

    @rule(view=a.views, id=a.session_ids, ttl=st.none() | a.ends)
    def touch(self, view: Any, id: str, ttl: Any) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.touch", id, ttl)
        self.same_session(pair, id)

    @rule(
        view=a.views,
        id=a.session_ids,
        new_id=a.session_ids,
        at_seq=st.none() | st.integers(0, 5),
        fields=st.none() | a.updated_fields,
    )
    def fork(self, view: Any, id: str, new_id: str, at_seq: int | None, fields: dict[str, Any] | None) -> None:
        pair = self.pair((view[0], view[1], None)) if fields and "user_id" in fields else self.pair(view)
        self.do(pair, "sessions.fork", id, at_seq=at_seq, new_id=new_id, update=fields)
        self.same_session(pair, id)
        self.same_session(pair, new_id)
        self.same_log(pair, new_id)

    @rule(view=a.views, id=a.session_ids, lag=a.lags)
    def delete(self, view: Any, id: str, lag: Any) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.delete", id, expected_version=self.number(pair, id, "version", lag))

    @rule(
        view=a.views,
        user=a.users,
        filters=a.session_filters,
        bound=st.none() | st.tuples(a.session_ids, st.booleans()),
        how=st.sampled_from(["count", "count", "matching", "user"]),
    )
    def remove(self, view: Any, user: str, filters: dict[str, Any], bound: Any, how: str) -> None:
        pair = self.pair(view)
        filters = filters | self.bound(pair, bound)
        if how == "user":
            self.do(pair, "sessions.delete_user", user)
        else:
            self.do(pair, "sessions.delete_many", dry_run=how == "count", **filters)

    def bound(self, pair: Any, bound: tuple[str, bool] | None) -> dict[str, Any]:
        """A filter by time: the very `updated_at` of a session, which it excludes."""
        row = self.row(pair, bound[0]) if bound else None
        if bound is None or row is None:
            return {}
        return {"updated_after" if bound[1] else "updated_before": value_of(row["updated_at"])}

    @rule(view=a.views, id=a.session_ids, messages=a.batches)
    def append_plainly(self, view: Any, id: str, messages: list[NewMessage]) -> None:
        self.append(view, id, messages, None, None, {})

    @rule(view=a.views, id=a.session_ids, messages=a.batches, version=a.lags, last_seq=a.lags, options=a.append_options)
    def append(
        self,
        view: Any,
        id: str,
        messages: list[NewMessage],
        version: Any,
        last_seq: Any,
        options: dict[str, Any],
    ) -> None:
        pair = self.pair(view)
        expected = {
            "expected_version": self.number(pair, id, "version", version),
            "expected_last_seq": self.number(pair, id, "last_seq", last_seq),
        }
        options = options | {name: value for name, value in expected.items() if value is not None}
        self.do(pair, "messages.append", id, messages, **options)
        self.appends.append((id, messages, options))
        self.same_session(self.pair((view[0], view[1], None)), id)

    @rule(view=a.views, which=st.integers(0, 9))
    def repeat_an_append(self, view: Any, which: int) -> None:
        if self.appends:
            pair = self.pair(view)
            id, messages, options = self.appends[-1 - which % len(self.appends)]
            self.do(pair, "messages.append", id, messages, **options)
            self.same_session(self.pair((view[0], view[1], None)), id)

    @rule(view=a.views, id=a.session_ids, message=a.message_ids, which=st.integers(0, 5), fields=a.message_fields)
    def redact(self, view: Any, id: str, message: str, which: int, fields: dict[str, Any]) -> None:
        pair = self.pair(view)
        held = self.model.living(pair.model.tenant, id)
        if held and held.log and which:
            message = value_of(held.log[which % len(held.log)]["id"])
        self.do(pair, "messages.update", id, message, **fields)
        self.do(pair, "messages.get", id, message)
        self.same_session(pair, id)

    @rule(
        view=a.views,
        id=a.session_ids,
        verb=st.sampled_from(["truncate", "trim", "clear", "pop"]),
        n=st.integers(0, 4),
    )
    def cut(self, view: Any, id: str, verb: str, n: int) -> None:
        pair = self.pair(view)
        arguments = {"truncate": {"after_seq": n}, "trim": {"keep_last": n}}.get(verb, {})
        self.do(pair, f"messages.{verb}", id, **arguments)
        self.same_session(pair, id)
        self.same_log(pair, id)

    @rule(view=a.views, id=a.session_ids, n=st.integers(1, 6), whole_turns=st.booleans())
    def read(self, view: Any, id: str, n: int, whole_turns: bool) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.get", id)
        self.same_log(pair, id)
        self.do(pair, "messages.count", id)
        self.do(pair, "messages.tail", id, n, whole_turns=whole_turns)
        self.do(pair, "sessions.resume", id, tail=n, whole_turns=whole_turns)

    @rule(view=a.views, ids=st.permutations(a.SESSIONS), id=a.session_ids, messages=st.permutations(a.MESSAGES))
    def read_many(self, view: Any, ids: list[str], id: str, messages: list[str]) -> None:
        pair = self.pair(view)
        self.do(pair, "sessions.get_many", [*ids, *ids[:1], "never"])
        self.do(pair, "messages.get_many", id, [*messages, "never", *messages[:1]])

    @rule(
        view=a.views,
        id=a.session_ids,
        bounds=a.optional(after=st.integers(0, 3), before=st.integers(0, 9)),
        limit=st.integers(1, 3),
        newest_first=st.booleans(),
    )
    def page_through_messages(self, view: Any, id: str, bounds: Any, limit: int, newest_first: bool) -> None:
        pair = self.pair(view)
        query: dict[str, Any] = {**bounds, "limit": limit, "newest_first": newest_first}
        cursor, behind = None, None
        while True:
            page, _ = self.both(
                pair.real.messages.list(id, cursor=cursor, **query),
                lambda behind=behind: pair.model.messages.list(id, behind=behind, **query),
            )
            if page is None or not page.has_more:
                return
            cursor, behind = page.next_cursor, page.items[-1].seq

    @rule(
        view=a.views,
        id=a.session_ids,
        bounds=a.optional(after=st.integers(0, 3), before=st.integers(0, 9)),
        newest_first=st.booleans(),
    )
    def iterate(self, view: Any, id: str, bounds: Any, newest_first: bool) -> None:
        pair = self.pair(view)

        async def all_of_it() -> list[Any]:
            return [each async for each in pair.real.messages.iterate(id, newest_first=newest_first, **bounds)]

        self.both(
            all_of_it(),
            lambda: pair.model.messages.list(id, limit=1000, newest_first=newest_first, **bounds)["items"],
        )

    @rule(
        view=a.views,
        filters=a.session_filters,
        bound=st.none() | st.tuples(a.session_ids, st.booleans()),
        order=a.orders,
        limit=st.integers(1, 3),
    )
    def page_through_sessions(self, view: Any, filters: dict[str, Any], bound: Any, order: str, limit: int) -> None:
        pair = self.pair(view)
        filters = filters | self.bound(pair, bound)
        self.start_listing(view, filters, order, limit)
        self.do(pair, "sessions.count", **filters)
        self.finish_listings()

    @rule(view=a.views, filters=a.session_filters, order=a.orders, limit=st.integers(1, 3))
    def start_listing(self, view: Any, filters: dict[str, Any], order: str, limit: int) -> None:
        self.page(self.pair(view), {"order": order, "limit": limit, **filters}, None, None)

    @rule()
    def finish_listings(self) -> None:
        """READ-2: the rest of each listing, after whatever happened since its last page."""
        while self.walks:
            walk = self.walks.pop()
            self.page(walk.pair, walk.arguments, walk.cursor, walk.behind)

    @rule(view=a.views, user=a.users)
    def find_active(self, view: Any, user: str) -> None:
        self.do(self.pair(view), "sessions.find_active", user)

    @rule(
        view=a.views,
        words=st.lists(st.sampled_from(a.WORDS), min_size=1, max_size=2).map(" ".join),
        filters=a.optional(
            session_id=a.session_ids, user_id=a.users, agent_name=a.agents, role=st.sampled_from(["user", "tool"])
        ),
    )
    def search(self, view: Any, words: str, filters: dict[str, Any]) -> None:
        pair = self.pair(view)
        if not pair.real.capabilities.search:
            return

        async def found() -> list[list[str]]:
            hits = await pair.real.messages.search(words, limit=1000, **filters)
            return sorted([hit.message.session_id, hit.message.id] for hit in hits)

        self.both(found(), lambda: sorted(map(list, pair.model.messages.search(words, **filters))))

    @rule(view=a.views, id=a.session_ids, after=st.integers(0, 4))
    def watch(self, view: Any, id: str, after: int) -> None:
        """What is stored already comes first, each message once."""
        pair = self.pair(view)
        if not pair.real.capabilities.watch or self.model.living(pair.model.tenant, id) is None:
            return
        try:
            expected = pair.model.messages.watched(id, after_seq=after)
        except Exception:
            return
        agree(expected, self.run(_first(pair.real.messages.watch(id, after_seq=after), len(expected))))

    @rule(view=a.views, id=a.session_ids)
    def let_expire(self, view: Any, id: str) -> None:
        """TTL-1: from then on the session is absent, swept or not."""
        pair = self.pair(view)
        if self.clock is not None:
            self.do(pair, "sessions.update", id, ttl=1)
            self.clock.now += timedelta(seconds=1)
        elif self.do(pair, "sessions.update", id, ttl=_SHORT) is not None:
            self.run(_gone(pair.real, id))
            self.model.held[pair.model.tenant, id].expired = True
        self.same_session(pair, id)

    @precondition(lambda self: self.clock is not None)
    @rule(seconds=st.sampled_from([1, 3_600, 7_200, 7_201]))
    def wait(self, seconds: int) -> None:
        assert self.clock is not None
        self.clock.move(seconds=seconds)

    @precondition(lambda self: self.clock is not None)
    @rule(tick=st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(seconds=1)]))
    def change_pace(self, tick: timedelta) -> None:
        """At a pace of 0, all that follows happens at one moment."""
        self.tick = tick

    @rule(view=a.views, limit=st.sampled_from([1, 1000]))
    def sweep(self, view: Any, limit: int) -> None:
        pair = self.pair(view)
        removed = self.run(pair.real.sweep(limit))
        expected = pair.model.sessions.sweep(limit)
        assert removed == expected or (pair.real.capabilities.native_ttl and removed <= expected)


async def _first(messages: Any, count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(found) < count:
            found.append(await anext(messages))
    await messages.aclose()
    return found


async def _gone(view: Any, id: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await view.sessions.find(id) is not None:  # noqa: ASYNC110 - it waits for the server's clock
            await asyncio.sleep(0.01)


class Stateful:
    @proves("ORD-1", "ORD-5", "ORD-6", "IDEM-1", "IDEM-3", "CNT-1", "CNT-2", "SES-1", "SES-2", "SES-5", "SES-7")
    @proves("READ-2", "READ-4", "READ-5", "TTL-1", "TTL-3", "ISO-1", "ISO-2", "ISO-4")
    async def test_random_programs_agree_with_the_model(self, database: Database) -> None:
        for number in range(rounds_of(database, 1, nightly=20)):
            await asyncio.to_thread(run_programs, database.other_namespace(), database.seed + number)


def run_programs(database: Database, number: int) -> Counter[tuple[str, str, str]]:
    """Hypothesis is no async library: it gets a thread, and in it an event loop for all examples.

    It remembers all that it tried, and a database all that they stored: so thousands are run in parts. Returns what
    the programs met.
    """
    probe = database.unopened()
    clock = None if probe.capabilities.server_clock else HandClock()
    options: dict[str, Any] = {} if clock is None else {"clock": clock}
    met: Counter[tuple[str, str, str]] = Counter()
    with asyncio.Runner() as loop:
        keeps = tuple(Keep(database.unopened(**options), idle_ttl=idle_ttl) for idle_ttl in (None, IDLE_TTL))
        try:
            for keep in keeps:
                loop.run(keep.open())
            attributes = {"loop": loop, "keeps": keeps, "clock": clock, "met": met}
            machine = seed(number)(type("Programs", (Programs,), attributes))
            run_state_machine_as_test(machine, settings=_settings(nightly=database.tier == "nightly"))
        finally:
            for keep in keeps:
                loop.run(keep.close())
    return met


def _settings(*, nightly: bool) -> settings:
    """Which programs these are, the run's seed says: the same each day, new ones each night."""
    return settings(
        max_examples=100,
        stateful_step_count=50 if nightly else 30,
        database=None,
        deadline=None,
        print_blob=nightly,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
