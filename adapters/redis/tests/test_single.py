"""What the suite can't ask: this database's own settings, clients, limits and traces. One server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import agentkeep
import pytest
from agentkeep import Conflict, Corrupt, Keep, NewMessage, SessionNotFound
from agentkeep.errors import ConfigurationError
from agentkeep_redis import RedisAdapter
from redis.asyncio import Redis

pytestmark = pytest.mark.anyio


@pytest.fixture
async def keep(dsn: str, prefix: str) -> AsyncIterator[Keep]:
    async with agentkeep.connect(dsn, prefix=prefix) as keep:
        yield keep


async def every_verb(keep: Keep) -> None:
    """Each verb of both repositories once, with its answer looked at."""
    await keep.sessions.create("s", user_id="u", agent_name="a", metadata={"k": "é"}, ttl=timedelta(hours=1))
    stored = await keep.messages.append("s", [NewMessage(role="user", content=f"é{n}", id=f"m{n}") for n in range(5)])
    assert [message.seq for message in stored] == [1, 2, 3, 4, 5]
    again = await keep.messages.append("s", [NewMessage(role="user", content="é0", id="m0")])
    assert (list(again), again.new) == (list(stored[:1]), 0)
    assert (await keep.sessions.resume("s", tail=2)).messages == await keep.messages.tail("s", 2)
    assert (await keep.messages.update("s", "m1", content="gone")).content == "gone"
    assert (await keep.messages.get("s", "m1")).content == "gone"
    assert [message.id for message in await keep.messages.tail("s", 2)] == ["m3", "m4"]
    assert [message.id for message in (await keep.messages.list("s", after=1, limit=2)).items] == ["m1", "m2"]
    assert (await keep.sessions.fork("s", at_seq=3, new_id="fork")).message_count == 3
    popped = await keep.messages.pop("s")
    assert popped is not None
    assert popped.id == "m4"
    assert await keep.messages.truncate("s", after_seq=3) == 1
    assert await keep.messages.trim("s", keep_last=2) == 1
    version = (await keep.sessions.get("s")).version
    assert (await keep.sessions.update("s", status="completed", title="t")).version == version + 1
    assert (await keep.sessions.touch("s")).title == "t"
    assert [session.id for session in (await keep.sessions.list(order="created_at")).items] == ["s", "fork"]
    found = await keep.sessions.list(metadata={"k": "é"}, user_id="u")
    assert [session.id for session in found.items] == ["s", "fork"]
    assert await keep.sessions.count(status="completed") == 1
    assert await keep.messages.clear("s") == 2
    assert await keep.sessions.delete_user("u") == 2
    assert await keep.sweep() == 0


async def test_no_verb_walks_the_keys(dsn: str, prefix: str, server: Any) -> None:
    """pains.md 6.6: KEYS or SCAN on the way of a call costs what all foreign keys cost."""
    before = await server.info("commandstats")
    async with agentkeep.connect(dsn, prefix=prefix) as keep:
        await every_verb(keep)
    after = await server.info("commandstats")
    used = {name for name in after if after[name]["calls"] > before.get(name, {"calls": 0})["calls"]}
    assert {"cmdstat_evalsha", "cmdstat_zadd"} <= used, "nothing was counted"
    assert not used & {"cmdstat_keys", "cmdstat_scan", "cmdstat_hscan", "cmdstat_zscan", "cmdstat_sscan"}


@pytest.mark.parametrize("decode", [True, False])
@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_callers_client_works_as_it_is_and_stays_open(
    dsn: str, prefix: str, decode: bool, protocol: int
) -> None:
    """LIFE-2; pains.md 5.10."""
    client: Any = Redis.from_url(dsn, decode_responses=decode, protocol=protocol)  # pyright: ignore[reportUnknownMemberType]
    async with client:
        async with Keep(RedisAdapter(client, prefix=prefix)) as keep:
            await every_verb(keep)
            assert (await keep.health()).server.startswith("redis ")
        assert await client.ping()
        async with Keep(RedisAdapter(client, prefix=prefix)) as keep:
            assert await keep.sessions.count() == 0


async def test_an_acl_user_that_may_touch_the_prefix_alone(dsn: str, prefix: str, server: Any) -> None:
    """pains.md 10.4: no key, channel or command beyond what the page names."""
    rights = ["+@read", "+@write", "+@scripting", "+@pubsub", "+@connection", "+time", "-keys", "-scan"]
    await server.execute_command(
        "ACL", "SETUSER", prefix, "reset", "on", ">secret", f"~{prefix}:*", f"&{prefix}:*", *rights
    )
    place = urlsplit(dsn)
    url = f"redis://{prefix}:secret@{place.hostname}:{place.port}{place.path}"
    async with agentkeep.connect(url, prefix=prefix) as keep:
        await every_verb(keep)
        assert keep.capabilities.durability == "process", "CONFIG is refused, so the worst is taken to be true"
        assert "CONFIG" in (await keep.health()).warnings[0]
    with pytest.raises(ConfigurationError):
        await agentkeep.connect(url, prefix=f"{prefix}x").open()
    await server.execute_command("ACL", "DELUSER", prefix)


async def test_scripts_that_the_server_forgot_are_sent_again(keep: Keep, server: Any) -> None:
    await keep.sessions.create("s")
    await server.script_flush()
    assert (await keep.messages.append("s", [NewMessage(role="user")]))[0].seq == 1
    await server.script_flush()
    assert len((await keep.sessions.list()).items) == 1


async def test_all_keys_of_a_session_expire_at_one_instant(keep: Keep, server: Any, prefix: str) -> None:
    """TTL-1: also those keys that came later, and after each way that the instant moves."""
    await keep.sessions.create("s", ttl=timedelta(hours=1))

    async def instants() -> list[int]:
        keys = [key async for key in server.scan_iter(match=f"{prefix}:*", count=10_000)]
        return [at for key in keys if (at := await server.pexpiretime(key)) > 0]

    assert len(await instants()) == 1
    await keep.messages.append("s", [NewMessage(role="user")])
    assert len(await instants()) == 3
    await keep.messages.clear("s")
    await keep.messages.append("s", [NewMessage(role="user")])
    before = await instants()
    assert len(before) == 3
    assert len(set(before)) == 1
    await keep.sessions.touch("s", ttl=timedelta(hours=2))
    after = await instants()
    assert len(after) == 3
    assert len(set(after)) == 1
    assert after[0] >= before[0] + 3_500_000


async def test_the_log_keeps_its_order_over_gaps(keep: Keep) -> None:
    """ORD-1, READ-3: seqs that are gone stay gone, and every cursor is found between those that are left."""
    await keep.sessions.create("s")
    for _ in range(30):
        await keep.messages.append("s", [NewMessage(role="user") for _ in range(3)])
        await keep.messages.pop("s")
    seqs = [message.seq async for message in keep.messages.iterate("s")]
    assert seqs == [seq for seq in range(1, 91) if seq % 3]
    for after in range(91):
        page = await keep.messages.list("s", after=after, before=after + 5, limit=10)
        assert [message.seq for message in page.items] == [seq for seq in range(after + 1, after + 5) if seq in seqs]
    assert await keep.messages.truncate("s", after_seq=45) == 30
    assert await keep.messages.trim("s", keep_last=3) == 27


async def test_compressed_payloads_are_read_by_who_does_not_compress(dsn: str, prefix: str, server: Any) -> None:
    text = "the same words again and again " * 200
    async with agentkeep.connect(dsn, prefix=prefix, compress_above=1_000) as packed:
        await packed.sessions.create("s")
        stored = await packed.messages.append("s", [NewMessage(role="user", content=text, id="long")])
        await packed.messages.append("s", [NewMessage(role="user", content="short", id="short")])
    async with agentkeep.connect(dsn, prefix=prefix) as plain:
        assert (await plain.messages.get("s", "long")).content == text
        again = await plain.messages.append("s", [NewMessage(role="user", content=text, id="long")])
        assert list(again) == list(stored)
        with pytest.raises(Conflict):
            await plain.messages.append("s", [NewMessage(role="user", content=f"{text}!", id="long")])
        assert (await plain.messages.get("s", "short")).content == "short"
    (key,) = [key async for key in server.scan_iter(match=f"{prefix}:*messages", count=10_000)]
    assert [len(value) < 200 for value in await server.hvals(key)] == [True, True]
    assert b"\n{" in await server.hget(key, "short"), "it is below the bound, so it stays as it is"


@pytest.mark.parametrize("found", ["x", "x 1", "1 x", "-1", ""])
async def test_a_schema_version_that_cant_be_read_is_corrupt(keep: Keep, server: Any, prefix: str, found: str) -> None:
    """ERR-1, ERR-4."""
    assert (await keep.health()).schema_version == 1
    await server.set(f"{prefix}:schema", found)
    with pytest.raises(Corrupt, match="contains no version"):
        await keep.health()


async def test_what_a_compressor_wrote_and_nobody_can_read_is_corrupt(keep: Keep, server: Any, prefix: str) -> None:
    """ERR-4."""
    await keep.sessions.create("s")
    await keep.messages.append("s", [NewMessage(role="user", id="m")])
    (key,) = [key async for key in server.scan_iter(match=f"{prefix}:*messages", count=10_000)]
    spoiled = (await server.hget(key, "m")).rpartition(b"\n")[0] + b"\n\x28\xb5\x2f\xfdnone"
    await server.hset(key, "m", spoiled)
    with pytest.raises(Corrupt, match="'m'"):
        await keep.messages.get("s", "m")
    assert await server.hget(key, "m") == spoiled


async def test_a_message_that_is_lost_from_its_hash_is_corrupt(keep: Keep, server: Any, prefix: str) -> None:
    """ERR-4: the log still names it, so nobody may pass it over."""
    await keep.sessions.create("s")
    await keep.messages.append("s", [NewMessage(role="user", id=f"m{number}") for number in range(3)])
    (key,) = [key async for key in server.scan_iter(match=f"{prefix}:*messages", count=10_000)]
    await server.hdel(key, "m1")
    for call in (keep.messages.list("s"), keep.messages.tail("s", 3), keep.sessions.resume("s")):
        with pytest.raises(Corrupt, match="'m1'"):
            await call
    assert (await keep.messages.get("s", "m2")).seq == 3


@pytest.mark.parametrize("kind", ["session", "log", "messages"])
async def test_a_key_of_another_kind_is_corrupt_and_stays(keep: Keep, server: Any, prefix: str, kind: str) -> None:
    """ERR-4."""
    await keep.sessions.create("s")
    await keep.messages.append("s", [NewMessage(role="user", id="m")])
    (key,) = [key async for key in server.scan_iter(match=f"{prefix}:*:{kind}", count=10_000)]
    await server.set(key, "foreign")
    for call in (keep.messages.tail("s", 5), keep.messages.append("s", [NewMessage(role="user", id="n")])):
        with pytest.raises(Corrupt, match="'s'"):
            await call
    assert await server.get(key) == b"foreign"


async def test_a_listing_never_leaves_out_a_session_that_moves_under_it(keep: Keep, dsn: str, prefix: str) -> None:
    """ORD-5, READ-2: each session is written to without pause; a whole listing holds them all, once, in both orders."""
    for number in range(12):
        await keep.sessions.create(f"s{number}")
    stop = asyncio.Event()

    async def write(number: int) -> None:
        while not stop.is_set():
            await keep.messages.append(f"s{number}", [NewMessage(role="user")], keep_last=2)

    writers = [asyncio.create_task(write(number)) for number in range(6)]
    try:
        for _ in range(40):
            newest = [session.id for session in (await keep.sessions.list(limit=50)).items]
            assert sorted(newest) == sorted(f"s{number}" for number in range(12))
            oldest = [session.id for session in (await keep.sessions.list(order="updated_at", limit=50)).items]
            assert sorted(oldest) == sorted(newest)
            assert await keep.sessions.count() == 12
            assert await keep.sessions.count(status="active", metadata={}) == 12
    finally:
        stop.set()
        await asyncio.gather(*writers)


async def test_delete_many_spares_what_stopped_matching(keep: Keep) -> None:
    """A session that was reopened while completed ones are being deleted stays."""
    for number in range(20):
        await keep.sessions.create(f"s{number}")
        await keep.sessions.update(f"s{number}", status="completed")

    async def reopen() -> list[str]:
        reopened: list[str] = []
        for number in reversed(range(20)):
            try:
                await keep.sessions.update(f"s{number}", status="active")
            except SessionNotFound:
                continue
            reopened.append(f"s{number}")
        return sorted(reopened)

    deleted, reopened = await asyncio.gather(keep.sessions.delete_many(status="completed"), reopen())
    left = sorted([session.id async for session in keep.sessions.iterate()])
    assert left == reopened
    assert deleted == 20 - len(left)


DAMAGES: dict[str, list[tuple[str, ...]]] = {
    "no row": [("HDEL", "session", "row")],
    "a row cut short": [("HSET", "session", "row", "0000")],
    "a row of something else": [("HSET", "session", "row", "x" * 200)],
    "no counts": [("HDEL", "session", "counts")],
    "counts of something else": [("HSET", "session", "counts", "many")],
    "no version": [("HDEL", "session", "version")],
    "a log of something else": [("LSET", "log", "-1", "x")],
    "a message that is gone": [("HDEL", "messages", "m")],
    "a message of something else": [("HSET", "messages", "m", "x")],
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_record_is_corrupt_and_never_overwritten(
    keep: Keep, server: Any, prefix: str, damage: str
) -> None:
    """ERR-4: named by whatever reads it, and by a create of its id; what is left stays as it is."""
    await keep.sessions.create("s")
    await keep.messages.append("s", [NewMessage(role="user", id="m")])
    keys = {key.decode().rpartition(":")[2]: key async for key in server.scan_iter(match=f"{prefix}:*", count=10_000)}
    for command, kind, *rest in DAMAGES[damage]:
        assert await server.execute_command(command, keys[kind], *rest) in (0, 1, True)
    before = [await server.dump(keys[kind]) for kind in ("session", "log", "messages")]

    async def seen(call: Any) -> bool:
        try:
            await call
        except Corrupt as corrupt:
            return "'s'" in str(corrupt)
        return False

    if damage.startswith(("no ", "a row", "counts")):
        assert await seen(keep.sessions.get("s"))
        assert await seen(keep.messages.append("s", [NewMessage(role="user")]))
        assert await seen(keep.sessions.list())
    else:
        assert await seen(keep.messages.tail("s", 2)) or await seen(keep.messages.list("s", after=1))
    if damage in ("no row", "a row cut short"):
        assert await seen(keep.sessions.create("s"))
        assert await seen(keep.sessions.delete("s"))
    assert [await server.dump(keys[kind]) for kind in ("session", "log", "messages")] == before
