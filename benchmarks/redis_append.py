"""The Redis adapter against the least that stores the same bytes: one EVALSHA by redis-py that counts and pushes.

    .venv/bin/python benchmarks/redis_append.py

It starts a Redis of its own (or takes AGENTKEEP_TEST_REDIS_URL). Turns are short and interleaved, so that a busy
machine slows all alike; medians are of all turns. Only the ratios carry over to another machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import agentkeep
from agentkeep import Keep, NewMessage
from agentkeep_conformance.servers import REDIS
from interleaved import Act, compare
from redis.asyncio import Redis

CONTENT = "x" * 400
PAYLOAD = f'user\n{{"content":"{CONTENT}"}}'
FLOOR = "local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1) redis.call('RPUSH', KEYS[2], ARGV[1]) return seq"
WRITERS = 32


async def compare_appends(keep: Keep, client: Any, prefix: str) -> None:
    digest = await client.script_load(FLOOR)

    def least(session: str) -> Awaitable[Any]:
        return client.evalsha(digest, 2, f"{prefix}:{{{session}}}:n", f"{prefix}:{{{session}}}:log", PAYLOAD)

    def append(session: str) -> Awaitable[Any]:
        return keep.messages.append(session, [NewMessage(role="user", content=CONTENT)])

    for number in range(WRITERS):
        await keep.sessions.create(f"s{number}", user_id="u", agent_name="a", metadata={"k": "v"})
    await keep.sessions.create("expiring", user_id="u", agent_name="a", ttl=timedelta(hours=1))
    acts: dict[str, Act] = {"one EVALSHA by redis-py": lambda _: least("s0"), "append": lambda _: append("s0")}
    expiring: dict[str, Act] = {"append, session with a ttl": lambda _: append("expiring")}
    await compare("one writer", acts | expiring)
    await compare(f"{WRITERS} writers, one session", acts, WRITERS)
    spread: dict[str, Act] = {
        "one EVALSHA by redis-py": lambda writer: least(f"s{writer}"),
        "append": lambda writer: append(f"s{writer}"),
    }
    await compare(f"{WRITERS} writers, a session each", spread, WRITERS)


async def compare_tails(keep: Keep, client: Any, prefix: str) -> None:
    await keep.sessions.create("read")
    await keep.messages.append("read", [NewMessage(role="user", content=CONTENT) for _ in range(200)])
    await client.rpush(f"{prefix}:read", *[PAYLOAD] * 200)
    acts: dict[str, Act] = {
        "LRANGE of 50 by redis-py": lambda _: client.lrange(f"{prefix}:read", -50, -1),
        "tail of 50": lambda _: keep.messages.tail("read", 50),
    }
    await compare("one reader", acts)


async def main() -> None:
    prefix = f"bench{uuid4().hex[:8]}"
    client: Any = Redis.from_url(REDIS.dsn)  # pyright: ignore[reportUnknownMemberType] - untyped by the driver
    async with client, agentkeep.connect(REDIS.dsn, prefix=prefix) as keep:
        print(f"Redis {REDIS.version()}\n\n| | | µs a call | of the floor |\n|---|---|---|---|")
        await compare_appends(keep, client, prefix)
        await compare_tails(keep, client, prefix)
        async for key in client.scan_iter(match=f"{prefix}:*", count=1_000):
            await client.unlink(key)


if __name__ == "__main__":
    asyncio.run(main())
