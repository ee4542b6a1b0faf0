"""Where the suite's databases come from: each by a URL from the user, in a container, or from programs of this machine.

`AGENTKEEP_TEST_POSTGRES_URL` and its like name a server (then nothing else is tried); `AGENTKEEP_TEST_POSTGRES_IMAGE`
and its like name a container's image; `AGENTKEEP_TEST_SERVERS` = url, containers or native forces one way. A server is
started at its first use, once a test run, and gone when the run's process is, however that ended.
"""

from agentkeep_conformance.servers.chosen import ChosenServer, Recipe
from agentkeep_conformance.servers.model import EMBEDDED, NotRun, Server, Source


def _postgres() -> Recipe:
    from agentkeep_conformance.servers.postgres import Postgres

    return Postgres()


def _postgres_oldest() -> Recipe:
    from agentkeep_conformance.servers.postgres import OLDEST, Postgres

    return Postgres("postgres_oldest", image="postgres:14.19", version=OLDEST)


def _postgres_newest() -> Recipe:
    from agentkeep_conformance.servers.postgres import NEWEST, Postgres

    return Postgres("postgres_newest", version=NEWEST)


def _pgbouncer() -> Recipe:
    from agentkeep_conformance.servers.postgres import PgBouncer

    return PgBouncer(POSTGRES)


def _redis(name: str, appendonly: str, appendfsync: str) -> ChosenServer:
    def load() -> Recipe:
        from agentkeep_conformance.servers.redis import Redis

        return Redis(name, appendonly=appendonly, appendfsync=appendfsync)

    return ChosenServer(name, load)


def _redis_cluster() -> Recipe:
    from agentkeep_conformance.servers.redis import RedisCluster

    return RedisCluster()


def _redis_cluster_of_one() -> Recipe:
    from agentkeep_conformance.servers.redis_cluster_of_one import RedisClusterOfOne

    return RedisClusterOfOne()


def _redis_sentinel() -> Recipe:
    from agentkeep_conformance.servers.redis_sentinel import RedisSentinel

    return RedisSentinel()


def _redis_tls() -> Recipe:
    from agentkeep_conformance.servers.redis_tls import RedisTls

    return RedisTls()


def _mongo(name: str, *, replica_set: bool) -> ChosenServer:
    def load() -> Recipe:
        from agentkeep_conformance.servers.mongo import Mongo

        return Mongo(name, replica_set=replica_set)

    return ChosenServer(name, load)


def _mongo_set() -> Recipe:
    from agentkeep_conformance.servers.mongo import MongoSet

    return MongoSet()


def _mongo_tls() -> Recipe:
    from agentkeep_conformance.servers.mongo_tls import MongoTls

    return MongoTls()


def _opensearch(name: str, *, nodes: int = 1, oldest: bool = False, longest_request: str = "100mb") -> ChosenServer:
    def load() -> Recipe:
        from agentkeep_conformance.servers.opensearch import NEWEST, OLDEST, OpenSearch

        version = OLDEST if oldest else NEWEST
        return OpenSearch(name, nodes=nodes, version=version, longest_request=longest_request)

    return ChosenServer(name, load)


POSTGRES = ChosenServer("postgres", _postgres)
POSTGRES_OLDEST = ChosenServer("postgres_oldest", _postgres_oldest)
"""The oldest line that is supported, 14."""
POSTGRES_NEWEST = ChosenServer("postgres_newest", _postgres_newest)
"""The newest line, 18."""
PGBOUNCER = ChosenServer("pgbouncer", _pgbouncer)
"""Transaction mode, in front of POSTGRES."""

REDIS = _redis("redis", "yes", "everysec")
"""Append-only file, forced to the disk every second."""
REDIS_ALWAYS = _redis("redis_always", "yes", "always")
"""Forced to the disk before each answer."""
REDIS_NO_FSYNC = _redis("redis_no_fsync", "yes", "no")
"""Forced to the disk when the system likes."""
REDIS_MEMORY = _redis("redis_memory", "no", "no")
"""Nothing on the disk: a killed server comes back empty."""
REDIS_CLUSTER = ChosenServer("redis_cluster", _redis_cluster)
"""Three masters, each with a replica."""
REDIS_CLUSTER_OF_ONE = ChosenServer("redis_cluster_of_one", _redis_cluster_of_one)
"""One node with all slots: a proxy can stand before it."""
REDIS_SENTINEL = ChosenServer("redis_sentinel", _redis_sentinel)
"""A primary and its replica under three Sentinels; both force each write to the disk before they answer."""
REDIS_TLS = ChosenServer("redis_tls", _redis_tls)
"""TLS alone, with an authority of its own; nothing on the disk."""

MONGO = _mongo("mongo", replica_set=True)
"""A replica set of one: it has transactions and change streams."""
MONGO_STANDALONE = _mongo("mongo_standalone", replica_set=False)
"""Without them."""
MONGO_SET = ChosenServer("mongo_set", _mongo_set)
"""A replica set of three, each a process of its own."""
MONGO_TLS = ChosenServer("mongo_tls", _mongo_tls)
"""TLS alone, with an authority of its own."""

OPENSEARCH = _opensearch("opensearch")
OPENSEARCH_OLDEST = _opensearch("opensearch_oldest", oldest=True)
"""One node of the 2 line."""
OPENSEARCH_CLUSTER = _opensearch("opensearch_cluster", nodes=3)
"""Three nodes, each a process of its own."""
OPENSEARCH_SMALL = _opensearch("opensearch_small", longest_request="1mb")
"""One node that refuses requests over 1 MiB."""

__all__ = [
    "EMBEDDED",
    "MONGO",
    "MONGO_SET",
    "MONGO_STANDALONE",
    "MONGO_TLS",
    "OPENSEARCH",
    "OPENSEARCH_CLUSTER",
    "OPENSEARCH_OLDEST",
    "OPENSEARCH_SMALL",
    "PGBOUNCER",
    "POSTGRES",
    "POSTGRES_NEWEST",
    "POSTGRES_OLDEST",
    "REDIS",
    "REDIS_ALWAYS",
    "REDIS_CLUSTER",
    "REDIS_CLUSTER_OF_ONE",
    "REDIS_MEMORY",
    "REDIS_NO_FSYNC",
    "REDIS_SENTINEL",
    "REDIS_TLS",
    "ChosenServer",
    "NotRun",
    "Server",
    "Source",
]
