"""The collections and their indexes, made once; and the schema's version (LIFE-1, LIFE-4)."""

from __future__ import annotations

import json
from importlib.resources import files

from agentkeep.errors import Corrupt
from agentkeep.spi.schema import SchemaVersion, missing_steps
from bson import Int64
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Collection, Collections, Document

VERSION = 1
OLDEST = 1
_ID = "schema"


async def is_missing(client: Client, *, manage_schema: bool) -> bool:
    """Whether the schema has to be made. Raises `SchemaMissing`, `SchemaTooNew`."""
    name = f"prefix {client.prefix!r} of database {client.database!r}"
    found = await find(client)
    return bool(missing_steps(found, known=VERSION, manage_schema=manage_schema, name=name))


async def find(client: Client) -> SchemaVersion | None:
    found = await client.read(lambda to: to.schema.find_one({"_id": _ID}))
    if found is None:
        return None
    version, oldest = found.get("version"), found.get("oldest")
    if not isinstance(version, int) or not isinstance(oldest, int):
        raise Corrupt(f"{client.prefix}_schema", "it holds no version")
    return SchemaVersion(int(version), int(oldest))


async def make(client: Client) -> None:
    """Many processes may do it at once: each step may be done twice. The time limit holds for each step alone."""
    for name, indexes in json.loads(files("agentkeep_mongo").joinpath("mappings/indexes.json").read_text()).items():
        models = [_model(each) for each in indexes]
        await client.read(lambda to, name=name, models=models: _collection(to, name).create_indexes(models))
    await client.read(_store_version)


def _collection(to: Collections, name: str) -> Collection:
    found = {"sessions": to.sessions, "messages": to.messages, "search": to.search, "staged": to.staged}
    return found[name]


async def _store_version(to: Collections) -> None:
    version: Document = {"version": Int64(VERSION), "oldest": Int64(OLDEST)}
    try:
        await to.schema.update_one({"_id": _ID}, {"$set": version}, upsert=True)
    except DuplicateKeyError:
        return  # another process was first


def _model(index: Document) -> IndexModel:
    options = {"partialFilterExpression": index["only"]} if "only" in index else {}
    return IndexModel([(key, 1) for key in index["keys"]], name=index["name"], **options)
