"""From a URL to a client of the driver, with every default of the driver's that matters stated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from agentkeep.errors import ConfigurationError
from agentkeep.spi.options import Reader, as_bool, as_count, as_is, as_prefix, as_seconds, one_of
from agentkeep.spi.urls import redact
from redis.asyncio import Redis, RedisCluster, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from agentkeep_redis.link import Client
from agentkeep_redis.pools import PlainPool, PlainSentinelPool

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
    "ssl_ca_certs": as_is,
    "ssl_certfile": as_is,
    "ssl_keyfile": as_is,
}
_PORT = 6379
_SENTINEL_PORT = 26379

Made = tuple[Client, list[Redis]]
"""A client, and what has to be closed besides it."""


class _Place(NamedTuple):
    """What a URL says of where the data is."""

    url: str
    hosts: list[tuple[str, int]]
    path: list[str]
    encrypted: bool


def client_factory(url: str, options: Mapping[str, Any]) -> Callable[[], Made]:
    """Makes a new client for each opening. Raises `ConfigurationError` for a URL that is not understood."""
    parts = urlsplit(url)
    scheme, _, topology = parts.scheme.partition("+")
    makers = {"": _single, "cluster": _cluster, "sentinel": _sentinel}
    if scheme not in ("redis", "rediss") or topology not in makers:
        raise _wrong(url)
    hosts = _hosts(url, _SENTINEL_PORT if topology == "sentinel" else _PORT)
    path = [unquote(part) for part in parts.path.split("/") if part]
    settings = _settings(options) | _credentials(parts.netloc)
    return makers[topology](_Place(url, hosts, path, scheme == "rediss"), settings, options)


def _hosts(url: str, port: int) -> list[tuple[str, int]]:
    places = urlsplit(url).netloc.rpartition("@")[2].split(",")
    try:
        found = [urlsplit(f"//{place}") for place in places]
        hosts = [(place.hostname or "", place.port or port) for place in found]
    except ValueError as error:
        raise _wrong(url) from error
    if not all(host for host, _ in hosts):
        raise _wrong(url)
    return hosts


def _credentials(netloc: str) -> dict[str, str]:
    user, _, password = netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """The driver never sends a command again whose reply was lost (ERR-2); wire.py decides what is tried twice."""
    protocol = options.get("protocol")
    return {
        "socket_timeout": None,  # wire.py bounds each exchange
        "socket_connect_timeout": _seconds(options.get("connect_timeout"), 5.0),
        "socket_keepalive": True,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "protocol": None if protocol is None else int(protocol),
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }


def _seconds(duration: timedelta | None, default: float) -> float:
    return default if duration is None else duration.total_seconds()


def _tls(options: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: options[name] for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile") if name in options}
    for name, path in given.items():
        if not Path(path).is_file():
            raise ConfigurationError(f"{name} is {str(path)!r}: there is no such file")
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **given}


def _limit(options: Mapping[str, Any]) -> int:
    return options.get("max_connections", 50)


def _single(place: _Place, settings: dict[str, Any], options: Mapping[str, Any]) -> Callable[[], Made]:
    if len(place.hosts) != 1:
        raise _wrong(place.url)
    ((host, port),) = place.hosts
    settings |= {"host": host, "port": port, "db": _database(place.url, place.path)}
    if place.encrypted:
        settings |= {"connection_class": SSLConnection, **_tls(options)}

    def make() -> Made:
        pool = PlainPool(max_connections=_limit(options), **settings)
        return Redis.from_pool(pool), []

    return make


def _cluster(place: _Place, settings: dict[str, Any], options: Mapping[str, Any]) -> Callable[[], Made]:
    if _database(place.url, place.path):
        raise ConfigurationError(f"{redact(place.url)!r}: a cluster has database 0 alone")
    del settings["retry_on_error"]
    tls: dict[str, Any] = {"ssl": True, **_tls(options)} if place.encrypted else {}

    def make() -> Made:
        nodes = [ClusterNode(host, port) for host, port in place.hosts]
        return RedisCluster(startup_nodes=nodes, max_connections=_limit(options), **settings, **tls), []

    return make


def _sentinel(place: _Place, settings: dict[str, Any], options: Mapping[str, Any]) -> Callable[[], Made]:
    if not place.path:
        raise ConfigurationError(f"{redact(place.url)!r} names no service: give redis+sentinel://host:26379/SERVICE/0")
    settings |= {"db": _database(place.url, place.path[1:])}
    if place.encrypted:
        settings |= {"ssl": True, **_tls(options)}
    asking = {name: settings[name] for name in ("socket_connect_timeout", "retry", "retry_on_error")}
    asking["socket_timeout"] = settings["socket_connect_timeout"]

    def make() -> Made:
        sentinel: Any = Sentinel(place.hosts, sentinel_kwargs=asking, **settings)
        pool = PlainSentinelPool(place.path[0], sentinel, max_connections=_limit(options), **settings)
        return Redis.from_pool(pool), list(sentinel.sentinels)

    return make


def _database(url: str, path: list[str]) -> int:
    if len(path) > 1 or not all(part.isdecimal() for part in path):
        raise _wrong(url)
    return int(path[0]) if path else 0


def _wrong(url: str) -> ConfigurationError:
    return ConfigurationError(
        f"{redact(url)!r} is no Redis URL: give redis://user:password@host:6379/0, rediss:// for TLS, "
        "redis+cluster://host1:6379,host2:6379, or redis+sentinel://host1:26379,host2:26379/SERVICE/0"
    )
