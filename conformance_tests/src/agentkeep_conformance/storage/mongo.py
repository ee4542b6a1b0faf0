"""What MongoDB stores, in the collections that begin with the namespace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentkeep import PersistenceAdapter
from bson import CodecOptions, encode
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from pymongo.asynchronous.cursor import AsyncCursor

from agentkeep_conformance.enrolment import Enrolment, OverClient
from agentkeep_conformance.storage.names import CORPUS_NAMESPACE

DATABASE = "agentkeep"
"""The adapter's default."""

_THE_SERVERS_OWN = ("admin", "config", "local")
_MOST_DOCUMENTS = 5_000
_PROFILE_BYTES = 256 * 1024 * 1024
_WRITTEN = ("ninserted", "nModified", "upsert", "ndeleted")
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


class MongoStorage(Enrolment):
    """For an enrolment: reads, removes, saves and loads the collections that begin with the namespace."""

    def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        return stored_bytes(dsn)

    async def records(self, dsn: str, namespace: str) -> int:
        async with client_of(dsn) as client:
            names = [name for name in await names_of(client, namespace) if name != f"{namespace}_schema"]
            return sum([await client[DATABASE][name].count_documents({}) for name in names])

    async def settle(self, dsn: str, namespace: str) -> None:
        """A sweep waits for ten minutes until it removes what a call may still be writing."""
        async with client_of(dsn) as client:
            await client[DATABASE][f"{namespace}_staged"].update_many(
                {}, {"$set": {"at": datetime(2000, 1, 1, tzinfo=UTC)}}
            )

    async def drop(self, dsn: str, namespace: str) -> None:
        async with client_of(dsn) as client:
            for name in await names_of(client, namespace):
                await client[DATABASE].drop_collection(name)

    async def empty(self, dsn: str, namespace: str) -> bool:
        return await empty_collections(dsn, namespace)

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await save_documents(dsn, namespace, file)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await load_documents(dsn, namespace, file)

    async def store_schema_version(self, dsn: str, namespace: str, version: int, oldest: int) -> None:
        async with client_of(dsn) as client:
            newer = {"$set": {"version": version, "oldest": oldest}}
            done = await client[DATABASE][f"{namespace}_schema"].update_one({"_id": "schema"}, newer)
            assert done.matched_count == 1

    async def server_work(self, dsn: str, namespace: str) -> int:
        return await documents_read(dsn)

    async def longest_step(self, adapter: PersistenceAdapter, call: Callable[[], Awaitable[Any]]) -> int:
        """The documents that one command writes. Reads hold nobody up: the server lets others in between."""
        async with documents_written(self.server.dsn) as steps:
            await call()
        return max(steps, default=0)


def client_of(dsn: str) -> AsyncMongoClient[dict[str, Any]]:
    """The caller closes it."""
    return AsyncMongoClient(dsn)


@asynccontextmanager
async def documents_written(dsn: str) -> AsyncGenerator[list[int]]:
    """At the end the list has for each command how many documents it wrote, by the server's own account."""
    async with client_of(dsn) as client:
        database = client[DATABASE]
        await database.create_collection("system.profile", capped=True, size=_PROFILE_BYTES)
        steps: list[int] = []
        try:
            await database.command("profile", 2)
            try:
                yield steps
            finally:
                await database.command("profile", 0)
            async for entry in database["system.profile"].find({}, dict.fromkeys(_WRITTEN, 1)):
                steps.append(sum(entry.get(name, 0) for name in _WRITTEN))
        finally:
            await database.drop_collection("system.profile")


@asynccontextmanager
async def over_mongo(
    client: AsyncMongoClient[dict[str, Any]], adapter: PersistenceAdapter
) -> AsyncGenerator[OverClient]:
    """For an enrolment's `over_client`: an adapter over this client, which is closed at the end."""

    async def client_works() -> bool:
        return (await client.admin.command("ping"))["ok"] == 1

    async with client:
        yield OverClient(adapter, client_works)


async def names_of(client: AsyncMongoClient[dict[str, Any]], namespace: str) -> list[str]:
    names = await client[DATABASE].list_collection_names()
    return sorted(name for name in names if name.startswith(f"{namespace}_"))


async def empty_collections(dsn: str, namespace: str) -> bool:
    """Remove every document of the namespace, the schema's version excepted: to make the indexes takes half a second.

    False if that is not worth it: many removed documents slow down what follows.
    """
    removed = 0
    async with client_of(dsn) as client:
        for name in await names_of(client, namespace):
            if name != f"{namespace}_schema":
                removed += (await client[DATABASE][name].delete_many({})).deleted_count
    return removed <= _MOST_DOCUMENTS


def _raw(client: AsyncMongoClient[dict[str, Any]], database: str, name: str) -> AsyncCursor[RawBSONDocument]:
    """All documents of a collection, as they are stored."""
    collection: Any = client[database].get_collection(name, _RAW)
    return collection.find()


async def stored_bytes(dsn: str) -> AsyncIterator[bytes]:
    """Every document of every database but the server's own. The log of a replica set is the server's."""
    async with client_of(dsn) as client:
        for database in await client.list_database_names():
            if database in _THE_SERVERS_OWN:
                continue
            for name in await client[database].list_collection_names():
                async for document in _raw(client, database, name):
                    yield bytes(document.raw)


async def documents_read(dsn: str) -> int:
    """Documents and keys of indexes that the primary has read and written, for whomever."""
    async with client_of(dsn) as client:
        metrics = (await client.admin.command("serverStatus"))["metrics"]
    read = metrics["queryExecutor"]["scanned"] + metrics["queryExecutor"]["scannedObjects"]
    return int(read + sum(metrics["document"].values()))


async def save_documents(dsn: str, namespace: str, file: Path) -> None:
    """Write a corpus: each collection's name with each of its indexes, then with each of its documents, as BSON."""
    indexes: list[str] = []
    documents: list[str] = []
    async with client_of(dsn) as client:
        for name in await names_of(client, namespace):
            stored_as = name.replace(namespace, CORPUS_NAMESPACE)
            async for index in await client[DATABASE][name].list_indexes():
                if index["name"] != "_id_":
                    indexes.append(f"{stored_as} index {encode(index).hex()}")
            async for document in _raw(client, DATABASE, name):
                documents.append(f"{stored_as} document {bytes(document.raw).hex()}")
    await asyncio.to_thread(file.write_text, "\n".join(sorted(indexes) + sorted(documents)) + "\n")


async def load_documents(dsn: str, namespace: str, file: Path) -> None:
    """Put a corpus into a database without it."""
    text = await asyncio.to_thread(file.read_text)
    async with client_of(dsn) as client:
        for line in text.splitlines():
            stored_as, kind, stored = line.split(" ")
            name, value = stored_as.replace(CORPUS_NAMESPACE, namespace), bytes.fromhex(stored)
            collection: Any = client[DATABASE][name]
            if kind == "index":
                await client[DATABASE].command("createIndexes", name, indexes=[RawBSONDocument(value)])
            else:
                await collection.insert_one(RawBSONDocument(value))
