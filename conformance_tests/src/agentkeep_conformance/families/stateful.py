"""Random programs, run on the adapter and on the model: the same results, pages and errors, or a shortest program that
shows the difference. Two instances work on the same data in turn, so that a cache of one is seen by the other.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

from agentkeep import Keep, NewMessage
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from agentkeep_conformance import programs as a
from agentkeep_conformance.agreement import value_of
from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.concurrency import rounds_of
from agentkeep_conformance.machine import IDLE_TTL, ComparingMachine


class Programs(ComparingMachine):
    """One example: fresh tenants, an empty model, and rules that compare every answer."""

    @initialize()
    def begin(self) -> None:
        for tenant in (0, 1):
            self.furnish(tenant)

    def furnish(self, tenant: int) -> None:
        """A session to be met, with messages to be met."""
        where = (tenant, tenant, None)
        self.create(where, "s", {"user_id": "u1", "metadata": {"k": 1}}, or_get=True)
        known = [NewMessage(role="user", content=word, id=id) for word, id in zip(a.WORDS, a.MESSAGES, strict=False)]
        self.append_plainly(where, "s", known)

    @precondition(lambda self: (self.tenants[0], "s") not in self.model.sessions)
    @rule()
    def furnish_again(self) -> None:
        self.furnish(0)

    @rule(where=a.places, id=a.session_ids, fields=a.created_fields, or_get=st.booleans())
    def create(self, where: Any, id: str, fields: dict[str, Any], or_get: bool) -> None:
        pair = self.pair(where)
        verb = "get_or_create" if or_get else "create"
        self.both(
            getattr(pair.real.sessions, verb)(id, **fields), lambda: getattr(pair.model, verb)(id, **dict(fields))
        )
        self.same_session(pair, id)

    @rule(where=a.places, id=a.session_ids, fields=a.updated_fields, version=st.sampled_from([None, 0, 0, 1]))
    def update(self, where: Any, id: str, fields: dict[str, Any], version: int | None) -> None:
        pair = self.pair(where)
        expected = self.number(pair, id, "version", version)
        self.both(
            pair.real.sessions.update(id, expected_version=expected, **fields),
            lambda: pair.model.update(id, expected_version=expected, **fields),
        )
        self.same_session(pair, id)

    @rule(where=a.places, id=a.session_ids, ttl=st.none() | a.ttls)
    def touch(self, where: Any, id: str, ttl: timedelta | None) -> None:
        pair = self.pair(where)
        self.both(pair.real.sessions.touch(id, ttl), lambda: pair.model.touch(id, ttl))
        self.same_session(pair, id)

    @rule(where=a.places, id=a.session_ids, new_id=a.session_ids, at_seq=st.none() | st.integers(0, 5))
    def fork(self, where: Any, id: str, new_id: str, at_seq: int | None) -> None:
        pair = self.pair(where)
        self.both(
            pair.real.sessions.fork(id, at_seq=at_seq, new_id=new_id),
            lambda: pair.model.fork(id, at_seq=at_seq, new_id=new_id),
        )
        self.same_session(pair, id)
        self.same_session(pair, new_id)
        self.same_log(pair, new_id)

    @rule(
        where=a.places,
        id=a.session_ids,
        user=a.users,
        filters=a.session_filters,
        how=st.sampled_from(["count", "count", "delete", "matching", "user"]),
    )
    def remove(self, where: Any, id: str, user: str, filters: dict[str, Any], how: str) -> None:
        pair = self.pair(where)
        if how == "user":
            self.both(pair.real.sessions.delete_user(user), lambda: pair.model.delete_user(user))
        elif how != "delete" and filters:
            arguments: dict[str, Any] = filters | {"dry_run": how == "count"}
            self.both(pair.real.sessions.delete_many(**arguments), lambda: pair.model.delete_many(**arguments))
        else:
            self.both(pair.real.sessions.delete(id), lambda: pair.model.delete(id))

    @rule(where=a.places, id=a.session_ids, messages=a.batches)
    def append_plainly(self, where: Any, id: str, messages: list[NewMessage]) -> None:
        self.append(where, id, messages, None, None, None, {})

    @rule(
        where=a.places,
        id=a.session_ids,
        messages=a.batches,
        update=st.none() | a.updated_fields,
        version=st.sampled_from([None, None, 0, 1]),
        last_seq=st.sampled_from([None, None, 0, 1]),
        cut=a.optional(truncate_after=st.integers(0, 4), keep_last=st.integers(1, 3)),
    )
    def append(
        self,
        where: Any,
        id: str,
        messages: list[NewMessage],
        update: dict[str, Any] | None,
        version: int | None,
        last_seq: int | None,
        cut: dict[str, Any],
    ) -> None:
        pair = self.pair(where)
        options: dict[str, Any] = cut | {
            "update": update,
            "expected_version": self.number(pair, id, "version", version),
            "expected_last_seq": self.number(pair, id, "last_seq", last_seq),
        }
        self.both(
            pair.real.messages.append(id, messages, **options), lambda: pair.model.append(id, messages, **options)
        )
        self.appends.append((id, messages, options))
        self.same_session(pair, id)

    @rule(where=a.places, which=st.integers(0, 9))
    def repeat_an_append(self, where: Any, which: int) -> None:
        if not self.appends:
            return
        pair = self.pair(where)
        id, messages, options = self.appends[-1 - which % len(self.appends)]
        self.both(
            pair.real.messages.append(id, messages, **options), lambda: pair.model.append(id, messages, **options)
        )
        self.same_session(pair, id)

    @rule(where=a.places, id=a.session_ids, message=a.message_ids, which=st.integers(0, 5), fields=a.message_fields)
    def redact(self, where: Any, id: str, message: str, which: int, fields: dict[str, Any]) -> None:
        pair = self.pair(where)
        held = self.model.sessions.get((pair.model.tenant, id))
        if held and held.log and which:
            message = value_of(held.log[which % len(held.log)]["id"])
        self.both(
            pair.real.messages.update(id, message, **fields), lambda: pair.model.update_message(id, message, **fields)
        )
        self.both(pair.real.messages.get(id, message), lambda: pair.model.get_message(id, message))
        self.same_session(pair, id)

    @rule(
        where=a.places,
        id=a.session_ids,
        verb=st.sampled_from(["truncate", "trim", "clear", "pop"]),
        n=st.integers(0, 4),
    )
    def cut(self, where: Any, id: str, verb: str, n: int) -> None:
        pair = self.pair(where)
        arguments = {"truncate": {"after_seq": n}, "trim": {"keep_last": n}}.get(verb, {})
        self.both(
            getattr(pair.real.messages, verb)(id, **arguments), lambda: getattr(pair.model, verb)(id, **arguments)
        )
        self.same_session(pair, id)
        self.same_log(pair, id)

    @rule(where=a.places, id=a.session_ids)
    def read(self, where: Any, id: str) -> None:
        pair = self.pair(where)
        self.both(pair.real.sessions.get(id), lambda: pair.model.get(id))
        self.same_log(pair, id)
        self.both(pair.real.messages.count(id), lambda: pair.model.count_messages(id))
        self.both(pair.real.messages.tail(id, 2), lambda: pair.model.tail(id, 2))

    @rule(
        where=a.places,
        id=a.session_ids,
        bounds=a.optional(after=st.integers(0, 3), before=st.integers(0, 9)),
        limit=st.integers(1, 3),
        newest_first=st.booleans(),
    )
    def page_through_messages(
        self, where: Any, id: str, bounds: dict[str, Any], limit: int, newest_first: bool
    ) -> None:
        pair = self.pair(where)
        bound = "before" if newest_first else "after"
        real_bounds = dict(bounds)
        while True:
            page = self.both(
                pair.real.messages.list(id, limit=limit, newest_first=newest_first, **real_bounds),
                partial(pair.model.list_messages, id, limit=limit, newest_first=newest_first, **bounds),
            )
            if page is None or not page.has_more:
                return
            bounds = bounds | {bound: page.items[-1].seq}
            real_bounds = bounds | {bound: page.next_cursor}

    @rule(where=a.places, filters=a.session_filters, order=a.orders, limit=st.integers(1, 3))
    def page_through_sessions(self, where: Any, filters: dict[str, Any], order: str, limit: int) -> None:
        self.begin_a_walk(where, filters, order, limit)
        pair = self.pair(where)
        self.both(pair.real.sessions.count(**filters), lambda: pair.model.count(**filters))
        self.finish_walks()

    @rule(where=a.places, filters=a.session_filters, order=a.orders, limit=st.integers(1, 3))
    def begin_a_walk(self, where: Any, filters: dict[str, Any], order: str, limit: int) -> None:
        self.page(self.pair(where), {"order": order, "limit": limit, **filters}, None, None)

    @rule()
    def finish_walks(self) -> None:
        """READ-2: the rest of each listing, after whatever happened since its last page."""
        while self.walks:
            walk = self.walks.pop()
            self.page(walk.pair, walk.arguments, walk.cursor, walk.behind)

    @rule(where=a.places, user=a.users)
    def find_active(self, where: Any, user: str) -> None:
        pair = self.pair(where)
        self.both(pair.real.sessions.find_active(user), lambda: pair.model.find_active(user))

    @rule(where=a.places, id=a.session_ids, after=st.booleans())
    def list_by_time(self, where: Any, id: str, after: bool) -> None:
        """The bound is the very time of a session, which it excludes."""
        pair = self.pair(where)
        row = pair.model.find(id)
        if row is None:
            return
        bound = {"updated_after" if after else "updated_before": value_of(row["updated_at"])}
        self.both(pair.real.sessions.count(**bound), lambda: pair.model.count(**bound))

    @rule(where=a.places, words=st.lists(st.sampled_from(a.WORDS), min_size=1, max_size=2).map(" ".join))
    def search(self, where: Any, words: str) -> None:
        pair = self.pair(where)
        if not pair.real.capabilities.search:
            return
        hits = self.run(pair.real.messages.search(words, limit=1000))
        found = [(hit.message.session_id, hit.message.id) for hit in hits]
        assert sorted(found) == sorted(pair.model.search(words))

    @rule(where=a.places)
    def sweep(self, where: Any) -> None:
        """Nothing here is due for an hour."""
        assert self.run(self.pair(where).real.sweep()) == 0


class Stateful:
    @proves("ORD-1", "ORD-5", "ORD-6", "IDEM-1", "CNT-1", "SES-1", "SES-2", "READ-2", "ISO-1", "ISO-2")
    async def test_random_programs_agree_with_the_model(self, database: Database) -> None:
        for number in range(rounds_of(database, 1, nightly=20)):
            await asyncio.to_thread(_run_programs, database.other_namespace(), database.seed + number)


def _run_programs(database: Database, number: int) -> None:
    """Hypothesis is no async library: it gets a thread, and in it an event loop for all examples.

    It remembers all that it tried, and a database all that they stored: so thousands are run in parts.
    """
    with asyncio.Runner() as loop:
        keeps = tuple(Keep(database.unopened(), idle_ttl=idle_ttl) for idle_ttl in (None, IDLE_TTL))
        try:
            for keep in keeps:
                loop.run(keep.open())
            machine = seed(number)(type("Programs", (Programs,), {"loop": loop, "keeps": keeps}))
            run_state_machine_as_test(machine, settings=_settings(nightly=database.tier == "nightly"))
        finally:
            for keep in keeps:
                loop.run(keep.close())


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
