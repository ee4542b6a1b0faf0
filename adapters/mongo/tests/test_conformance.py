"""The MongoDB adapter keeps every clause, on a standalone server and on replica sets of one and of three."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, ClassVar

from agentkeep_conformance import AdapterConformance, OverClient, released, servers
from agentkeep_conformance.storage.mongo import MongoStorage, client_of, over_mongo
from agentkeep_conformance.storage.mongo_troubles import MongoTroubles
from agentkeep_mongo import MongoAdapter


class TestMongo(MongoTroubles, MongoStorage, AdapterConformance):  # what `docker run mongo` starts
    server = servers.MONGO_STANDALONE
    one_connection: ClassVar[dict[str, Any]] = {"max_connections": 1}
    short_timeout: ClassVar[dict[str, Any]] = {"timeout": 0.5}
    round_trips: ClassVar[dict[str, int]] = {"append": 2, "append with ids": 3, "greeting": 4}
    has_schema, corpora = True, released(Path(__file__).parent / "corpora")
    small_steps: ClassVar[dict[str, int]] = {
        "agentkeep_mongo.moving._MANY_BATCHES": 4,
        "agentkeep_mongo.moving._KEPT_BATCHES": 2,
        "agentkeep_mongo.moving._MANY_MESSAGES": 6,
        "agentkeep_mongo.moving._MANY_BYTES": 2_000,
        "agentkeep_mongo.appending.STAGE_ABOVE_BYTES": 500,
        "agentkeep_mongo.messages.STAGE_ABOVE_BYTES": 500,
        "agentkeep_mongo.listing._COUNTED": 2,
        "agentkeep_mongo.listing._UNLISTED_AT_ONCE": 2,
        "agentkeep_mongo.search._MOVED_FIRST": 1,
        "agentkeep_mongo.sweep._AT_A_TIME": 2,
    }

    def open(self, dsn: str, namespace: str, **options: Any) -> MongoAdapter:
        # by default calls wait 3 seconds for a server that is away, which many tests take away
        return MongoAdapter.from_url(dsn, prefix=namespace, **{"connect_timeout": 1, **options})

    def over_client(self, dsn: str, namespace: str) -> AbstractAsyncContextManager[OverClient]:
        client = client_of(dsn)
        return over_mongo(client, MongoAdapter(client, prefix=namespace))


class TestMongoReplicaSet(TestMongo):  # of one member: change streams, and reads of what a majority has
    one_in, server, draws_long_tests = 24, servers.MONGO, False


class TestMongoSet(TestMongo):  # three members tell their own addresses, so a proxy can't stand before them
    one_in, server, draws_long_tests, wire = 24, servers.MONGO_SET, False, "without"
