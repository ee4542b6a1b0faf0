"""From a URL and its options to a client of redis-py, with every default of redis-py that matters stated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from agentkeep.errors import ConfigurationError
from agentkeep.spi.options import Reader, as_bool, as_count, as_file, as_prefix, as_seconds, one_of
from agentkeep.spi.urls import redact
from redis.asyncio import ConnectionPool, Redis, RedisCluster, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff

from agentkeep_redis.client import DriverClient
from agentkeep_redis.driver import SILENT

ADAPTER_OPTIONS: Mapping[str, Reader] = {
    "prefix": as_prefix,
    "manage_schema": as_bool,
    "compress_above": as_count,
    "timeout": as_seconds,
}
CLIENT_OPTIONS: Mapping[str, Reader] = {
    "connect_timeout": as_seconds,
    "max_connections": as_count,
    "protocol": one_of("2", "3"),
    "ssl_ca_certs": as_file,
    "ssl_certfile": as_file,
    "ssl_keyfile": as_file,
}
_PORT = 6379
_SENTINEL_PORT = 26379


class _Location(NamedTuple):
    """Where the data is, as a URL says it."""

    url: str
    hosts: list[tuple[str, int]]
    path: list[str]
    encrypted: bool


def client_factory(url: str, options: Mapping[str, Any]) -> Callable[[], DriverClient]:
    """Makes a new client for each opening. Raises `ConfigurationError` for a URL that is not understood."""
    parts = urlsplit(url)
    scheme, _, topology = parts.scheme.partition("+")
    makers = {"": _single, "cluster": _cluster, "sentinel": _sentinel}
    if scheme not in ("redis", "rediss") or topology not in makers:
        raise _wrong(url)
    hosts = _hosts(url, _SENTINEL_PORT if topology == "sentinel" else _PORT)
    path = [unquote(part) for part in parts.path.split("/") if part]
    settings = _settings(options) | _credentials(parts.netloc)
    return makers[topology](_Location(url, hosts, path, scheme == "rediss"), settings, options)


def is_cluster_url(url: str) -> bool:
    return urlsplit(url).scheme.endswith("+cluster")


def _hosts(url: str, port: int) -> list[tuple[str, int]]:
    addresses = urlsplit(url).netloc.rpartition("@")[2].split(",")
    try:
        found = [urlsplit(f"//{address}") for address in addresses]
        hosts = [(address.hostname or "", address.port or port) for address in found]
    except ValueError:
        raise _wrong(url) from None  # its text quotes the port, which may be a part of a password (ERR-3)
    if not all(host for host, _ in hosts):
        raise _wrong(url)
    return hosts


def _credentials(netloc: str) -> dict[str, str]:
    user, _, password = netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """redis-py never sends a command again if the reply was lost (ERR-2); client.py decides what is sent again."""
    protocol = {"protocol": int(options["protocol"])} if "protocol" in options else {}
    return {
        "socket_timeout": None,  # client.py bounds each call
        "socket_connect_timeout": _seconds(options.get("connect_timeout"), 5.0),
        "socket_keepalive": True,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        **protocol,
        **SILENT,
    }


def _seconds(duration: timedelta | None, default: float) -> float:
    return default if duration is None else duration.total_seconds()


def _tls(options: Mapping[str, Any]) -> dict[str, Any]:
    files = {name: options[name] for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile") if name in options}
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **files}


def _limit(options: Mapping[str, Any]) -> int:
    return options.get("max_connections", 50)


def _single(location: _Location, settings: dict[str, Any], options: Mapping[str, Any]) -> Callable[[], DriverClient]:
    if len(location.hosts) != 1:
        raise _wrong(location.url)
    ((host, port),) = location.hosts
    settings |= {"host": host, "port": port, "db": _database(location.url, location.path)}
    if location.encrypted:
        settings |= {"connection_class": SSLConnection, **_tls(options)}

    def make() -> DriverClient:
        pool = ConnectionPool(max_connections=_limit(options), **settings)
        return DriverClient(Redis.from_pool(pool), owned=True)

    return make


def _cluster(location: _Location, settings: dict[str, Any], options: Mapping[str, Any]) -> Callable[[], DriverClient]:
    if _database(location.url, location.path):
        raise ConfigurationError(f"{redact(location.url)!r}: a cluster has only database 0; leave the path out")
    del settings["retry_on_error"]
    tls: dict[str, Any] = {"ssl": True, **_tls(options)} if location.encrypted else {}

    def make() -> DriverClient:
        nodes = [ClusterNode(host, port) for host, port in location.hosts]
        # One more than calls may use, so that redis-py can always ask a node where the slots are.
        most = _limit(options) + 1
        cluster = RedisCluster(startup_nodes=nodes, max_connections=most, **settings, **tls)
        return DriverClient(cluster, owned=True)

    return make


def _sentinel(location: _Location, settings: dict[str, Any], options: Mapping[str, Any]) -> Callable[[], DriverClient]:
    if not location.path:
        raise ConfigurationError(
            f"{redact(location.url)!r} names no service; use redis+sentinel://host:26379/SERVICE/0"
        )
    settings |= {"db": _database(location.url, location.path[1:])}
    if location.encrypted:
        settings |= {"ssl": True, **_tls(options)}
    asking = {name: settings[name] for name in ("socket_connect_timeout", "retry", "retry_on_error")}
    asking["socket_timeout"] = settings["socket_connect_timeout"]

    def make() -> DriverClient:
        sentinel: Any = Sentinel(location.hosts, sentinel_kwargs=asking, **settings)
        pool = SentinelConnectionPool(location.path[0], sentinel, max_connections=_limit(options), **settings)
        return DriverClient(Redis.from_pool(pool), list(sentinel.sentinels), owned=True)

    return make


def _database(url: str, path: list[str]) -> int:
    if len(path) > 1 or not all(part.isdecimal() for part in path):
        raise _wrong(url)
    return int(path[0]) if path else 0


def _wrong(url: str) -> ConfigurationError:
    return ConfigurationError(
        f"{redact(url)!r} is not a Redis URL; use redis://user:password@host:6379/0, rediss:// for TLS, "
        "redis+cluster://host1:6379,host2:6379, or redis+sentinel://host1:26379,host2:26379/SERVICE/0"
    )
