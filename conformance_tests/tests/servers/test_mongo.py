"""MongoDB starts as a replica set and as a standalone, and keeps what it acknowledged when killed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from agentkeep_conformance import servers
from agentkeep_conformance.servers import ChosenServer
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

pytestmark = pytest.mark.servers

Started = Callable[[ChosenServer], ChosenServer]
Killed = Callable[..., None]


@contextmanager
def smoke(server: ChosenServer) -> Generator[Collection[dict[str, Any]]]:
    client: MongoClient[dict[str, Any]] = MongoClient(server.dsn, serverSelectionTimeoutMS=10_000)
    with client:
        yield client["agentkeep_smoke"].get_collection("smoke", write_concern=WriteConcern(w="majority", j=True))


@pytest.mark.parametrize("server", [servers.MONGO, servers.MONGO_STANDALONE], ids=lambda server: server.name)
def test_it_answers_and_says_its_version(server: ChosenServer, started: Started) -> None:
    with smoke(started(server)) as collection:
        collection.insert_one({"_id": 1, "text": "Grüße, 世界"})
        assert collection.find_one({"_id": 1}) == {"_id": 1, "text": "Grüße, 世界"}
        collection.database.client.drop_database("agentkeep_smoke")
    assert int(server.version().split(".")[0]) >= 6


def test_the_replica_set_has_transactions(started: Started) -> None:
    with smoke(started(servers.MONGO)) as collection:
        collection.insert_one({"_id": "outside"})
        with collection.database.client.start_session() as session:
            with session.start_transaction():
                collection.insert_one({"_id": "inside"}, session=session)
                assert collection.count_documents({}) == 1
            assert collection.count_documents({}) == 2
        collection.database.client.drop_database("agentkeep_smoke")


def test_the_standalone_has_none(started: Started) -> None:
    with smoke(started(servers.MONGO_STANDALONE)) as collection:
        client = collection.database.client
        with pytest.raises(OperationFailure) as caught, client.start_session() as session, session.start_transaction():
            collection.insert_one({"_id": "inside"}, session=session)
        assert caught.value.code == 20


@pytest.mark.parametrize("server", [servers.MONGO, servers.MONGO_STANDALONE], ids=lambda server: server.name)
def test_killed_and_restarted_it_has_what_it_acknowledged(
    server: ChosenServer, started: Started, killed: Killed
) -> None:
    with smoke(started(server)) as collection:
        collection.insert_many([{"_id": number} for number in range(100)])
    killed(server)
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(server.dsn, serverSelectionTimeoutMS=200)
        with client, pytest.raises(ServerSelectionTimeoutError):
            client.admin.command("ping")
    finally:
        server.restart()
    with smoke(server) as collection:
        assert collection.count_documents({}) == 100
        collection.database.client.drop_database("agentkeep_smoke")
