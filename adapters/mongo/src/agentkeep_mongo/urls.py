"""From a URL to a client of the driver, with every default of the driver's that matters stated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from agentkeep.errors import ConfigurationError
from agentkeep.spi.options import Reader, as_bool, as_count, as_prefix, as_seconds, read_options
from agentkeep.spi.urls import redact, split_url
from pymongo import AsyncMongoClient
from pymongo import errors as driver

from agentkeep_mongo.concerns import Driver

DATABASE = "agentkeep"
PREFIX = "agentkeep"
TIMEOUT = timedelta(seconds=30)
_CONNECT_SECONDS = 3.0
"""How long a call waits for a single server that is away; for a replica set it is the whole `timeout`."""
_HEARTBEAT_SECONDS = 10.0
"""PyMongo 4.20 uses one option for an attempt to connect and for its heartbeat. If a heartbeat takes longer, the driver
interrupts every call that runs (seen on a busy machine with 1 s: writes that became `OutcomeUnknown`)."""
_MOST_SECONDS = 999_999.0
"""PyMongo 4.20 takes less than a billion milliseconds. A longer `timeout` bounds the call by `client.py` alone."""
_CONNECTIONS = 50


def _as_name(name: str, value: Any) -> str:
    text = str(value)
    if not text or len(text.encode()) > 63 or any(letter in '/\\. "$*<>:|?\0' for letter in text):
        raise ConfigurationError(f"{name} is {value!r}: give a MongoDB database's name, such as agentkeep")
    return text


OPTIONS: Mapping[str, Reader] = {
    "database": _as_name,
    "prefix": as_prefix,
    "manage_schema": as_bool,
    "timeout": as_seconds,
    "connect_timeout": as_seconds,
    "max_connections": as_count,
}

_OF_THE_DRIVER = frozenset(
    {
        "appname",
        "authmechanism",
        "authmechanismproperties",
        "authsource",
        "compressors",
        "directconnection",
        "loadbalanced",
        "replicaset",
        "ssl",
        "srvmaxhosts",
        "srvservicename",
        "tls",
        "tlsallowinvalidcertificates",
        "tlsallowinvalidhostnames",
        "tlscafile",
        "tlscertificatekeyfile",
        "tlscertificatekeyfilepassword",
        "tlsinsecure",
        "zlibcompressionlevel",
    }
)
"""Options of a MongoDB URL that go to the driver as they are; of all others this adapter decides."""


class Settings(NamedTuple):
    """What a URL and its options say."""

    make: Callable[[], Driver]
    server: str
    """The hosts, without user and password."""
    options: dict[str, Any]


def settings_of(adapter: str, url: str, options: Mapping[str, Any]) -> Settings:
    """No I/O. Raises `ConfigurationError`."""
    parts = split_url(url)
    hosts = parts.netloc.rpartition("@")[2]
    if parts.scheme not in ("mongodb", "mongodb+srv") or not hosts or parts.fragment:
        raise _wrong(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    if "@" in parts.path or any("@" in name for name, _ in given):
        raise _wrong(url)  # a password with "/" or "?" that is not encoded: no part of it may be quoted (ERR-3)
    query = [(name, value) for name, value in given if name.lower() in _OF_THE_DRIVER]
    ours = urlencode([(name, value) for name, value in given if name.lower() not in _OF_THE_DRIVER])
    read = read_options(adapter, f"mongodb://{hosts}/?{ours}", options, OPTIONS)
    path = parts.path.strip("/")
    if path and "database" not in read:
        read["database"] = _as_name("database", path)
    # the path stays: a user belongs to the database that it names, unless authSource says another
    target = urlsplit(url)._replace(query=urlencode(query), path=parts.path or "/").geturl()
    connect = read.pop("connect_timeout", None)
    connections = read.pop("max_connections", _CONNECTIONS)

    def make() -> Driver:
        try:
            settings = _driver_options(read, connect, connections, is_set=_is_set(parts.scheme, hosts, query))
            return cast("Driver", AsyncMongoClient(target, **settings))
        except (driver.PyMongoError, ValueError, TypeError) as error:
            raise ConfigurationError(f"{redact(url)!r}: the driver refuses it ({type(error).__name__})") from error

    if parts.scheme == "mongodb":
        _check(url, target)
    return Settings(make, f"mongodb at {hosts}", read)


def _is_set(scheme: str, hosts: str, query: Sequence[tuple[str, str]]) -> bool:
    """Whether another member may become the primary, for which it is worth to wait."""
    return scheme == "mongodb+srv" or "," in hosts or any(name.lower() == "replicaset" for name, _ in query)


def _driver_options(
    read: Mapping[str, Any], connect: timedelta | None, connections: int, *, is_set: bool
) -> dict[str, Any]:
    seconds = min(_MOST_SECONDS, cast("timedelta", read.get("timeout", TIMEOUT)).total_seconds())
    connect_seconds = min(seconds, _CONNECT_SECONDS if connect is None else connect.total_seconds())
    return {
        "connectTimeoutMS": int(max(connect_seconds, _HEARTBEAT_SECONDS) * 1000),
        "serverSelectionTimeoutMS": int((seconds if is_set else connect_seconds) * 1000),
        "waitQueueTimeoutMS": int(seconds * 1000),
        "socketTimeoutMS": None,  # client.py bounds each call, its attempt to connect included
        "maxPoolSize": connections,
        "minPoolSize": 0,
        "retryWrites": False,
        "retryReads": False,
        "tz_aware": True,
    }


def _check(url: str, target: str) -> None:
    from pymongo.uri_parser import parse_uri

    try:
        parse_uri(target, validate=True, warn=False)
    except (driver.PyMongoError, ValueError):
        raise _wrong(url) from None  # the driver's sentence may quote the password


def _wrong(url: str) -> ConfigurationError:
    return ConfigurationError(
        f"{redact(url)!r} is no MongoDB URL: give mongodb://user:password@host:27017/database, with several hosts "
        "host1,host2 and ?replicaSet=name for a replica set, or mongodb+srv://host/database"
    )
