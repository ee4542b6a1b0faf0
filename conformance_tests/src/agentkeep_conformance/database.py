"""What a test gets: a namespace of its own in the enrolled database, and ways to open it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

from agentkeep import Keep, PersistenceAdapter, View

from agentkeep_conformance import children
from agentkeep_conformance.enrolment import Enrolment, Tier
from agentkeep_conformance.namespaces import emptied_namespace, fresh_namespace, give_back


class Database:
    """One namespace of the enrolled database. All that is opened through it is closed when the test ends."""

    def __init__(
        self,
        enrolment: Enrolment,
        dsn: str,
        namespace: str | None = None,
        tier: Tier = "everyday",
        seed: int = 0,
        *,
        reuse: bool = False,
    ) -> None:
        """With `reuse`, an earlier test may have used the namespace, and a later one may get it."""
        used = emptied_namespace(enrolment, dsn) if reuse and namespace is None else None
        self.enrolment = enrolment
        self.dsn = dsn
        self.namespace = used or namespace or fresh_namespace()
        self.reuse = reuse and namespace is None
        self.tier: Tier = tier
        self.seed = seed
        self.notes: list[tuple[str, object]] = []
        self._opened: list[Keep | PersistenceAdapter] = []
        self._children: list[children.Child] = []
        self._others: list[Database] = []
        self._is_new = used is None
        if self._is_new:
            enrolment.prepare(dsn, self.namespace)

    async def copy_schema(self) -> None:
        """Let the enrolment copy an empty schema, if nobody used the namespace before."""
        if self._is_new:
            await self.enrolment.copy_schema(self.dsn, self.namespace)

    async def keep(self, *, tenant: str = "default", idle_ttl: timedelta | None = None, **options: Any) -> Keep:
        """A new opened keep on this namespace's data."""
        keep = Keep(self.unopened(**options), tenant=tenant, idle_ttl=idle_ttl)
        self._opened.append(keep)
        return await keep.open()

    async def adapter(self, **options: Any) -> PersistenceAdapter:
        """A new opened adapter, below the facade."""
        adapter = self.unopened(**options)
        self._opened.append(adapter)
        await adapter.open()
        return adapter

    def unopened(self, **options: Any) -> PersistenceAdapter:
        """A new adapter that did nothing yet; opening and closing it is the test's."""
        return self.enrolment.open(self.dsn, self.namespace, **options)

    def other_namespace(self, namespace: str | None = None) -> Database:
        """Another namespace of the same database (ISO-3)."""
        other = Database(self.enrolment, self.dsn, namespace, self.tier, self.seed, reuse=self.reuse)
        self._others.append(other)
        return other

    def scan(self) -> AsyncIterator[bytes] | None:
        """Every stored byte string of the whole database, None if the enrolment has no scan."""
        return self.enrolment.scan(self.dsn, self.namespace)

    async def server_work(self, keep: View) -> int:
        """What the server did so far, by its own account. A server that tells it late does so at the next call."""
        await asyncio.sleep(self.enrolment.server_tells_after)
        await keep.sessions.find("s0")
        return await self.enrolment.server_work(self.dsn, self.namespace)

    async def in_process(
        self,
        function: children.ChildFunction,
        *args: Any,
        tenant: str = "default",
        idle_ttl: timedelta | None = None,
    ) -> Any:
        """Run `function(keep, *args)` in a child process with its own instance; its result. Raises `ChildFailed`."""
        child = await self.spawn(function, *args, tenant=tenant, idle_ttl=idle_ttl)
        return await child.result()

    async def spawn(
        self,
        function: children.ChildFunction,
        *args: Any,
        tenant: str = "default",
        idle_ttl: timedelta | None = None,
        copies: int | None = None,
    ) -> children.Child:
        """Start `function(keep, *args)` in a child process, to be watched or killed; killed when the test ends.

        With `copies`, `function(keep, number, *args)` in that many processes; the result is the list of theirs.
        """
        enrolment = type(self.enrolment)
        child = await children.spawn(
            enrolment, self.dsn, self.namespace, function, args, tenant=tenant, idle_ttl=idle_ttl, copies=copies
        )
        self._children.append(child)
        return child

    def refused(self, capability: str) -> None:
        """Note that the adapter does not declare a capability and refused it as it should."""
        self.notes.append(("agentkeep_refused", capability))

    def measured(self, limit: str, value: int) -> None:
        """Note the largest value that was seen to be accepted, for the evidence."""
        self.notes.append(("agentkeep_measured", {limit: value}))

    async def close(self) -> None:
        """Close all that was opened here and drop the data; what fails at that keeps nothing else from being closed."""
        async with AsyncExitStack() as last_first:
            last_first.push_async_callback(self._remove)
            for other in self._others:
                other.reuse = other.reuse and self.reuse
            for opened in (*self._others, *self._opened):
                last_first.push_async_callback(opened.close)
            for child in self._children:
                last_first.push_async_callback(child.kill)

    async def _remove(self) -> None:
        if self.reuse:
            await give_back(self.enrolment, self.dsn, self.namespace)
        else:
            await self.enrolment.drop(self.dsn, self.namespace)
