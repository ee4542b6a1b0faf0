"""TLS, passwords of any letters, addresses from DNS, and the rights that this adapter's page names."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import dns.asyncresolver
import dns.rdata
import pytest
from agentkeep import ConfigurationError, Keep, NewMessage
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import MONGO_TLS
from agentkeep_conformance.servers.chosen import address_of
from agentkeep_conformance.storage.mongo import DATABASE, client_of
from agentkeep_mongo import MongoAdapter

pytestmark = pytest.mark.anyio

_PASSWORD = "p@ss:w/rd%#?"
_COLLECTIONS = ("sessions", "messages", "search", "staged", "schema")
_WRITES = ["find", "insert", "update", "remove"]


@pytest.fixture
def tls_dsn(request: pytest.FixtureRequest) -> str:
    return dsn_of(MONGO_TLS, request.config)


@asynccontextmanager
async def a_user(dsn: str, name: str, roles: Sequence[object]) -> AsyncGenerator[str]:
    """The URL of a new user."""
    url = urlsplit(dsn)
    place = url.netloc.rpartition("@")[2]
    theirs = url._replace(netloc=f"{quote(name, safe='')}:{quote(_PASSWORD, safe='')}@{place}").geturl()
    async with client_of(dsn) as client:
        await client.admin.command("createUser", name, pwd=_PASSWORD, roles=list(roles))
        try:
            yield theirs if "authSource" in theirs else f"{theirs}&authSource=admin"
        finally:
            await client.admin.command("dropUser", name)


async def work_with(keep: Keep) -> None:
    """Each kind of call, moved messages and removals among them."""
    for turn in range(100):
        await keep.messages.append("s", [NewMessage(role="user", content=f"word {turn}", id=f"m{turn}")], create={})
    await keep.messages.append("s", [NewMessage(role="user", content="z" * 300_000)], update={"title": "t"})
    await keep.messages.update("s", "m1", content="redacted")
    assert "m7" in [hit.message.id for hit in await keep.messages.search("word 7")]
    assert (await keep.sessions.fork("s", at_seq=90)).message_count == 90
    assert await keep.messages.truncate("s", after_seq=50) == 51
    assert len((await keep.sessions.list()).items) == 2
    assert await keep.sessions.delete("s")
    copy = (await keep.sessions.list()).items[0]
    async with aclosing(keep.messages.watch(copy.id, after_seq=89)) as messages:
        assert (await anext(messages)).seq == 90
    await keep.sweep()
    assert (await keep.health()).schema_version is not None


async def test_a_user_and_a_password_of_any_letters_over_tls(tls_dsn: str, prefix: str) -> None:
    """`readWrite` on the database is enough for all calls, on a prefix that nobody has opened."""
    async with (
        a_user(tls_dsn, f"team/{prefix}@b:c", [{"role": "readWrite", "db": DATABASE}]) as url,
        Keep(MongoAdapter.from_url(url, prefix=prefix)) as keep,
    ):
        await work_with(keep)


@pytest.mark.parametrize("wrong", ["password", "user"])
async def test_a_wrong_password_is_a_wrong_configuration(dsn: str, prefix: str, wrong: str) -> None:
    async with a_user(dsn, prefix, [{"role": "readWrite", "db": DATABASE}]) as url:
        encoded = quote(_PASSWORD, safe="")
        url = url.replace(encoded, f"{encoded}x") if wrong == "password" else url.replace(prefix, f"{prefix}x", 1)
        with pytest.raises(ConfigurationError, match="AuthenticationFailed") as error:
            await Keep(MongoAdapter.from_url(url, prefix=prefix)).open()
    assert _PASSWORD not in str(error.value)
    assert encoded not in str(error.value)


@pytest.mark.parametrize("wrong", ["authority", "host"])
async def test_a_certificate_that_is_not_trusted_is_a_wrong_configuration(tls_dsn: str, wrong: str) -> None:
    """Trying again would be in vain, so it is no `Unavailable` (ERR-1)."""
    another_host = tls_dsn.replace("127.0.0.1", "localhost")
    url = tls_dsn.partition("&tlsCAFile")[0] if wrong == "authority" else another_host
    with pytest.raises(ConfigurationError, match="its certificate is not trusted: see tlsCAFile"):
        await Keep(MongoAdapter.from_url(url)).open()


async def test_the_rights_that_the_page_names_are_enough(dsn: str, prefix: str) -> None:
    """With `manage_schema=False`, and on the collections of the prefix alone (LIFE-1, ISO-3)."""
    async with Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as keep:
        await keep.sessions.list()
    rights = [
        {"resource": {"db": DATABASE, "collection": f"{prefix}_{name}"}, "actions": _WRITES} for name in _COLLECTIONS
    ]
    async with client_of(dsn) as client:
        await client.admin.command("createRole", prefix, privileges=rights, roles=[])
        try:
            async with a_user(dsn, prefix, [prefix]) as url:
                async with Keep(MongoAdapter.from_url(url, prefix=prefix, manage_schema=False)) as keep:
                    await work_with(keep)
                with pytest.raises(ConfigurationError):
                    await Keep(MongoAdapter.from_url(url, prefix=f"{prefix}x", manage_schema=False)).open()
        finally:
            await client.admin.command("dropRole", prefix)


async def test_hosts_come_from_dns(dsn: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`mongodb+srv://`: the records of a DNS server, told here in its place, lead to the suite's server."""
    host, port = address_of(dsn)
    asked: list[str] = []

    class Answer(list[Any]):
        rrset = None

    async def resolve(name: str, kind: str, **_: Any) -> Answer:
        asked.append(f"{kind} {name}")
        text = f"0 0 {port} node.agentkeep.test." if kind == "SRV" else '"authSource=admin"'
        return Answer([dns.rdata.from_text("IN", kind, text)])

    found: Any = socket.getaddrinfo

    def addresses(name: str, *arguments: Any, **options: Any) -> Any:
        return found(host if name == "node.agentkeep.test" else name, *arguments, **options)

    monkeypatch.setattr(dns.asyncresolver, "resolve", resolve)
    monkeypatch.setattr(socket, "getaddrinfo", addresses)
    user = urlsplit(dsn).netloc.rpartition("@")[0]
    url = f"mongodb+srv://{user}{'@' if user else ''}db.agentkeep.test/{DATABASE}?tls=false"
    async with Keep(MongoAdapter.from_url(url, prefix=prefix)) as keep:
        await keep.messages.append("s", [NewMessage(role="user", content="Hi")], create={})
        assert len(await keep.messages.tail("s", 5)) == 1
    assert "SRV _mongodb._tcp.db.agentkeep.test" in asked
