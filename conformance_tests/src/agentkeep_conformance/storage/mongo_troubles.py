"""What can go wrong at a MongoDB server: a right taken away, writes that are locked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from agentkeep_conformance.enrolment import Enrolment, Trouble
from agentkeep_conformance.servers.chosen import check_ours
from agentkeep_conformance.storage.mongo import DATABASE, client_of


class MongoTroubles(Enrolment):
    """For an enrolment on one server whose URL is that of its root user."""

    @asynccontextmanager
    async def refuse_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        url = urlsplit(dsn)
        place = url.netloc.rpartition("@")[2]
        async with client_of(dsn) as client:
            await client.admin.command("createUser", namespace, pwd=namespace, roles=_roles("readWrite"))
            try:
                theirs = url._replace(netloc=f"{namespace}:{namespace}@{place}").geturl()
                yield Trouble(theirs, partial(_without_right, dsn, namespace))
            finally:
                await client.admin.command("dropUser", namespace)

    @asynccontextmanager
    async def hold_writes(self, dsn: str, namespace: str) -> AsyncGenerator[Trouble]:
        check_ours(self.server)
        yield Trouble(dsn, partial(_locked, dsn))


def _roles(role: str) -> list[dict[str, str]]:
    return [{"role": role, "db": DATABASE}]


@asynccontextmanager
async def _without_right(dsn: str, user: str) -> AsyncGenerator[None]:
    async with client_of(dsn) as client:
        await client.admin.command("updateUser", user, roles=_roles("read"))
        try:
            yield
        finally:
            await client.admin.command("updateUser", user, roles=_roles("readWrite"))


@asynccontextmanager
async def _locked(dsn: str) -> AsyncGenerator[None]:
    async with client_of(dsn) as client:
        await client.admin.command("fsync", lock=True)
        try:
            yield
        finally:
            await client.admin.command("fsyncUnlock")
