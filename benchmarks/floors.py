"""For each backend the least that its driver alone needs to keep the same messages.

Each floor stores a message's role, content, id and time, gives the seq inside the append, keeps a session's counts, and
returns the fields that a caller reads. It has no idempotency, no time to live, no tenants, no search and no errors.
"""

from __future__ import annotations

import json
import sqlite3
import time
from asyncio import TaskGroup
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from bson import Int64
from candidate import LISTED, USER, Candidate
from columns import COLUMNS, TIMES, new_session, whole
from floor_of_opensearch import OpenSearchFloor
from pymongo import AsyncMongoClient, ReturnDocument, WriteConcern
from redis.asyncio import Redis


class SQLiteFloor:
    """One connection on the event loop's thread, which is the floor for one caller; write-ahead log, FULL."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def open(self) -> None:
        db = self._db = sqlite3.connect(self._path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"CREATE TABLE IF NOT EXISTS s ({', '.join(COLUMNS)}, PRIMARY KEY (id))")
        db.execute("CREATE INDEX IF NOT EXISTS by_user ON s (user_id, updated_at)")
        db.execute(
            "CREATE TABLE IF NOT EXISTS m (session TEXT, seq INT, id TEXT, role TEXT, payload TEXT, created INT, "
            "PRIMARY KEY (session, seq), UNIQUE (session, id)) WITHOUT ROWID"
        )

    async def close(self) -> None:
        self._db.close()

    async def create(self, session: str) -> None:
        row = tuple(new_session(session, time.time_ns() // 1000).values())
        self._db.execute(f"INSERT INTO s VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608 - places for values

    async def append(self, session: str, texts: Sequence[str]) -> None:
        db, now = self._db, time.time_ns() // 1000
        db.execute("BEGIN IMMEDIATE")
        update = (
            "UPDATE s SET last_seq = last_seq + ?1, message_count = message_count + ?1, updated_at = ?2 "
            "WHERE id = ?3 RETURNING last_seq"
        )
        (last,) = db.execute(update, (len(texts), now, session)).fetchone()
        first = last - len(texts) + 1
        rows = [
            (session, seq, uuid4().hex, "user", json.dumps({"content": text}), now)
            for seq, text in enumerate(texts, first)
        ]
        db.executemany("INSERT INTO m VALUES (?, ?, ?, ?, ?, ?)", rows)
        db.execute("COMMIT")

    async def newest(self, session: str, limit: int) -> list[str]:
        select = "SELECT id, seq, role, payload, created FROM m WHERE session = ? ORDER BY seq DESC LIMIT ?"
        rows = self._db.execute(select, (session, limit)).fetchall()
        return [json.loads(row[3])["content"] for row in reversed(rows)]

    async def resume(self, session: str, limit: int) -> list[str]:
        whole(self._db.execute("SELECT * FROM s WHERE id = ?", (session,)).fetchone())
        return await self.newest(session, limit)

    async def listing(self) -> int:
        select = f"SELECT * FROM s WHERE user_id = ? ORDER BY updated_at DESC LIMIT {LISTED}"  # noqa: S608 - a constant
        return len([whole(row) for row in self._db.execute(select, (USER,)).fetchall()])


class RedisFloor:
    """One EVALSHA for an append: the seq and the counts in a hash, the messages in a list."""

    _APPEND = """
local seq = redis.call('HINCRBY', KEYS[1], 'last_seq', #ARGV - 2)
local rows = {}
for n = 3, #ARGV do rows[n - 2] = (seq - #ARGV + n) .. '\\n' .. ARGV[n] end
redis.call('RPUSH', KEYS[2], unpack(rows))
redis.call('HSET', KEYS[1], 'updated_at', ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[1], ARGV[2])
return seq"""

    def __init__(self, url: str, prefix: str) -> None:
        self._client: Any = Redis.from_url(url)  # pyright: ignore[reportUnknownMemberType] - untyped by the driver
        self._prefix = prefix

    async def open(self) -> None:
        self._digest = await self._client.script_load(self._APPEND)

    async def close(self) -> None:
        await self._client.aclose()

    def _session(self, session: str) -> str:
        return f"{self._prefix}:s:{session}"

    def _log(self, session: str) -> str:
        return f"{self._prefix}:m:{session}"

    async def create(self, session: str) -> None:
        fields = new_session(session, time.time_ns() // 1000)
        stored = {name: value for name, value in fields.items() if value is not None}
        await self._client.hset(self._session(session), mapping=stored)
        await self._client.zadd(f"{self._prefix}:u:{USER}", {session: time.time()})

    async def append(self, session: str, texts: Sequence[str]) -> None:
        now = str(time.time_ns() // 1000)
        bodies = [f"{uuid4().hex}\nuser\n{now}\n{json.dumps({'content': text})}" for text in texts]
        keys = (self._session(session), self._log(session), f"{self._prefix}:u:{USER}")
        await self._client.evalsha(self._digest, 3, *keys, now, session, *bodies)

    async def newest(self, session: str, limit: int) -> list[str]:
        return _contents(await self._client.lrange(self._log(session), -limit, -1))

    async def resume(self, session: str, limit: int) -> list[str]:
        reading = self._client.pipeline(transaction=False)
        reading.hgetall(self._session(session))
        reading.lrange(self._log(session), -limit, -1)
        fields, rows = await reading.execute()
        whole(_columns(fields))
        return _contents(rows)

    async def listing(self) -> int:
        ids = await self._client.zrevrange(f"{self._prefix}:u:{USER}", 0, LISTED - 1)
        reading = self._client.pipeline(transaction=False)
        for id in ids:
            reading.hgetall(self._session(id.decode()))
        return len([whole(_columns(found)) for found in await reading.execute()])


def _contents(rows: list[bytes]) -> list[str]:
    return [json.loads(row.split(b"\n", 4)[4])["content"] for row in rows]


def _columns(stored: dict[bytes, bytes]) -> list[Any]:
    found = {name.decode(): value.decode() for name, value in stored.items()}
    return [found.get(name) for name in COLUMNS]


class PostgresFloor:
    """asyncpg's pool; an append is one statement."""

    _APPEND = """
WITH counted AS (
    UPDATE {s}.s SET last_seq = last_seq + $2, message_count = message_count + $2, updated_at = clock_timestamp()
    WHERE id = $1 RETURNING last_seq - $2 AS before
)
INSERT INTO {s}.m SELECT $1, before + n, new.id, 'user', payload, clock_timestamp()
FROM counted, unnest($3::text[], $4::text[]) WITH ORDINALITY AS new (id, payload, n)
RETURNING seq, created"""

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema

    async def open(self) -> None:
        pool: Any = await asyncpg.create_pool(self._url, min_size=1, max_size=10)  # pyright: ignore
        self._pool = pool
        numbers = ("forked_at_seq", "version", "schema_version", "message_count", "last_seq", "idle_ttl")
        types = dict.fromkeys(COLUMNS, "text") | dict.fromkeys(numbers, "bigint") | dict.fromkeys(TIMES, "timestamptz")
        columns = ", ".join(f"{name} {type}" for name, type in types.items() if name != "id")
        await pool.execute(
            f'CREATE TABLE IF NOT EXISTS {self._schema}.s (id text COLLATE "C" PRIMARY KEY, {columns}) '
            "WITH (fillfactor = 80)"
        )
        await pool.execute(f"CREATE INDEX IF NOT EXISTS by_user ON {self._schema}.s (user_id, updated_at)")
        await pool.execute(
            f'CREATE TABLE IF NOT EXISTS {self._schema}.m (session text COLLATE "C", seq bigint, id text COLLATE "C", '
            "role text, payload text, created timestamptz, PRIMARY KEY (session, seq), UNIQUE (session, id))"
        )

    async def close(self) -> None:
        await self._pool.close()

    async def create(self, session: str) -> None:
        row = tuple(new_session(session, datetime.now(UTC)).values())
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        await self._pool.execute(f"INSERT INTO {self._schema}.s VALUES ({places})", *row)  # noqa: S608 - places for values

    async def append(self, session: str, texts: Sequence[str]) -> None:
        ids = [uuid4().hex for _ in texts]
        payloads = [json.dumps({"content": text}) for text in texts]
        await self._pool.fetch(self._APPEND.replace("{s}", self._schema), session, len(texts), ids, payloads)

    async def newest(self, session: str, limit: int) -> list[str]:
        select = f"SELECT * FROM {self._schema}.m WHERE session = $1 ORDER BY seq DESC LIMIT $2"  # noqa: S608
        rows = await self._pool.fetch(select, session, limit)
        return [json.loads(row[4])["content"] for row in reversed(rows)]

    async def resume(self, session: str, limit: int) -> list[str]:
        newest = f"SELECT * FROM {self._schema}.m WHERE session = $1 ORDER BY seq DESC LIMIT $2"  # noqa: S608
        select = f"SELECT s.*, ARRAY({newest.replace('*', 'm', 1)}) FROM {self._schema}.s s WHERE id = $1"  # noqa: S608
        row = await self._pool.fetchrow(select, session, limit)
        _session(row)
        return [json.loads(message[4])["content"] for message in reversed(row[len(COLUMNS)])]

    async def listing(self) -> int:
        select = f"SELECT * FROM {self._schema}.s WHERE user_id = $1 ORDER BY updated_at DESC LIMIT {LISTED}"  # noqa: S608
        rows = await self._pool.fetch(select, USER)
        return len([_session(row) for row in rows])


def _session(row: Any) -> list[Any]:
    return [*row[:14], *map(json.loads, row[14:17]), *row[17 : len(COLUMNS)]]


class MongoFloor:
    """pymongo, writes journalled by a majority. A message is a document; so an append reserves its seqs, then inserts.

    That is the fewest trips without transactions. `mongo_append.py` compares with one update of one document.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._client: Any = AsyncMongoClient(url, retryWrites=False, retryReads=False)
        database = self._client.get_database("agentkeep", write_concern=WriteConcern(w="majority", j=True))
        self._sessions, self._messages = database[f"{prefix}_s"], database[f"{prefix}_m"]

    async def open(self) -> None:
        await self._sessions.create_index(["user_id", "updated_at"])
        await self._messages.create_index(["_id.s", "id"], unique=True)

    async def close(self) -> None:
        await self._client.close()

    async def create(self, session: str) -> None:
        now = Int64(time.time_ns() // 1000)
        fields = {name: value for name, value in new_session(session, now).items() if value is not None}
        await self._sessions.insert_one({"_id": session, **fields})

    async def append(self, session: str, texts: Sequence[str]) -> None:
        now, count = Int64(time.time_ns() // 1000), len(texts)
        counted = await self._sessions.find_one_and_update(
            {"_id": session},
            {"$inc": {"last_seq": count, "message_count": count}, "$set": {"updated_at": now}},
            {"last_seq": 1},
            return_document=ReturnDocument.AFTER,
        )
        bodies = [{"id": uuid4().hex, "payload": json.dumps({"content": text}), "role": "user"} for text in texts]
        first = counted["last_seq"] - count + 1
        await self._messages.insert_many(
            [{"_id": {"s": session, "q": Int64(seq)}, "at": now, **body} for seq, body in enumerate(bodies, first)]
        )

    async def newest(self, session: str, limit: int) -> list[str]:
        wanted = {"_id": {"$gt": {"s": session}, "$lt": {"s": session, "q": Int64(2**62)}}}
        rows = await self._messages.find(wanted, batch_size=limit + 1).sort("_id", -1).limit(limit).to_list()
        return [json.loads(row["payload"])["content"] for row in reversed(rows)]

    async def resume(self, session: str, limit: int) -> list[str]:
        """Two requests at the same time: one of both (`$lookup`) takes the server longer."""
        async with TaskGroup() as group:
            messages = group.create_task(self.newest(session, limit))
            found: Any = group.create_task(self._sessions.find_one({"_id": session}))
        whole([found.result().get(name) for name in COLUMNS])
        return messages.result()

    async def listing(self) -> int:
        rows = await self._sessions.find({"user_id": USER}).sort("updated_at", -1).limit(LISTED).to_list()
        return len([whole([row.get(name) for name in COLUMNS]) for row in rows])


def make(backend: str, url: str, namespace: str) -> Candidate:
    """The floor of a backend. `url` is that of the server, or a folder for SQLite."""
    if backend == "sqlite":
        return SQLiteFloor(f"{url}/{namespace}.db")
    kinds: dict[str, type[MongoFloor | OpenSearchFloor | PostgresFloor | RedisFloor]]
    kinds = {"mongo": MongoFloor, "opensearch": OpenSearchFloor, "postgres": PostgresFloor, "redis": RedisFloor}
    return kinds[backend](url, namespace)
