"""The MongoDB adapter against the least that stores the same bytes: one findAndModify by pymongo.

    .venv/bin/python benchmarks/mongo_append.py

The floor pushes a message into the session's own document, counts it, and forgets all but the newest 64; so it could
not serve as a store. It starts a standalone server of its own (or takes AGENTKEEP_TEST_MONGO_STANDALONE_URL). Turns are
short and interleaved, so that a busy machine slows all alike; medians are of all turns. Only the ratios carry over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any
from uuid import uuid4

import agentkeep
from agentkeep import Keep, NewMessage
from agentkeep_conformance.servers import MONGO_STANDALONE
from bson import Int64
from interleaved import Act, compare
from pymongo import AsyncMongoClient, ReturnDocument, WriteConcern

CONTENT = "x" * 400
PAYLOAD = f'{{"content":"{CONTENT}"}}'
KEPT = 64
WRITERS = 32


async def compare_appends(keep: Keep, sessions: Any) -> None:
    def least(session: str) -> Awaitable[Any]:
        message = {"id": uuid4().hex, "role": "user", "payload": PAYLOAD, "at": Int64(time.time_ns() // 1000)}
        return sessions.find_one_and_update(
            {"_id": session},
            {
                "$inc": {"last_seq": Int64(1), "count": 1},
                "$push": {"messages": {"$each": [message], "$slice": -KEPT}},
                "$currentDate": {"updated": True},
            },
            {"last_seq": 1, "updated": 1},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )

    def append(session: str) -> Awaitable[Any]:
        return keep.messages.append(session, [NewMessage(role="user", content=CONTENT)])

    for number in range(WRITERS):
        await keep.sessions.create(f"s{number}", user_id="u", agent_name="a", metadata={"k": "v"})
        await least(f"s{number}")
    one: dict[str, Act] = {"one findAndModify by pymongo": lambda _: least("s0"), "append": lambda _: append("s0")}
    await compare("one writer", one)
    await compare(f"{WRITERS} writers, one session", one, WRITERS)
    spread: dict[str, Act] = {
        "one findAndModify by pymongo": lambda writer: least(f"s{writer}"),
        "append": lambda writer: append(f"s{writer}"),
    }
    await compare(f"{WRITERS} writers, a session each", spread, WRITERS)


async def compare_tails(keep: Keep, messages: Any) -> None:
    await keep.sessions.create("read")
    for _ in range(200):
        await keep.messages.append("read", [NewMessage(role="user", content=CONTENT)])
    rows = [{"_id": {"s": "read", "q": Int64(n)}, "id": str(n), "role": "user", "payload": PAYLOAD} for n in range(200)]
    await messages.insert_many(rows)
    wanted = {"_id": {"$gt": {"s": "read"}, "$lt": {"s": "read", "q": Int64(2**62)}}}
    acts: dict[str, Act] = {
        "find of 50 by pymongo": lambda _: messages.find(wanted, batch_size=51).sort("_id", -1).limit(50).to_list(),
        "tail of 50": lambda _: keep.messages.tail("read", 50),
    }
    await compare("one reader", acts)


async def main() -> None:
    prefix = f"bench{uuid4().hex[:8]}"
    client = AsyncMongoClient[dict[str, Any]](MONGO_STANDALONE.dsn, retryWrites=False, retryReads=False)
    async with client, agentkeep.connect(MONGO_STANDALONE.dsn, prefix=prefix) as keep:
        print(f"MongoDB {MONGO_STANDALONE.version()}\n\n| | | µs a call | of the floor |\n|---|---|---|---|")
        database = client.get_database("agentkeep", write_concern=WriteConcern(w="majority", j=True))
        await compare_appends(keep, database[f"{prefix}_floor_s"])
        await compare_tails(keep, database[f"{prefix}_floor_m"])
        for name in await database.list_collection_names():
            if name.startswith(f"{prefix}_"):
                await database.drop_collection(name)


if __name__ == "__main__":
    asyncio.run(main())
