"""From a URL and its options to a client of opensearch-py, with every default of it that matters stated."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from agentkeep.errors import ConfigurationError
from agentkeep.spi.options import (
    Reader,
    as_bool,
    as_count,
    as_count_from_zero,
    as_file,
    as_is,
    as_prefix,
    as_seconds,
    one_of,
)
from agentkeep.spi.urls import redact, split_url
from opensearchpy import AsyncHttpConnection, AsyncOpenSearch, AWSV4SignerAsyncAuth
from opensearchpy.exceptions import SerializationError
from opensearchpy.serializer import JSONSerializer

from agentkeep_opensearch.driver import DriverClient


def _as_text(name: str, value: Any) -> str:
    return str(value)


def _as_languages(name: str, value: Any) -> tuple[str, ...]:
    found: list[Any] = value.split(",") if isinstance(value, str) else list(value)
    for language in found:
        if not (isinstance(language, str) and language.isascii() and language.isalpha() and language.islower()):
            raise ConfigurationError(f"{name} holds {language!r}: give names of analyzers, such as english,german")
    return tuple(found)


ADAPTER_OPTIONS: Mapping[str, Reader] = {
    "prefix": as_prefix,
    "manage_schema": as_bool,
    "timeout": as_seconds,
    "clock": as_is,
    "shards": as_count,
    "replicas": as_count_from_zero,
    "refresh_interval": _as_text,
    "languages": _as_languages,
}
CLIENT_OPTIONS: Mapping[str, Reader] = {
    "max_connections": as_count,
    "ca_certs": as_file,
    "client_cert": as_file,
    "client_key": as_file,
    "aws_region": _as_text,
    "aws_service": one_of("es", "aoss"),
    "aws_credentials": as_is,
}
_PORT = 9200
_CONNECTIONS = 20


class _Serializer(JSONSerializer):
    """Reads a reply in half the time of the driver's own."""

    def loads(self, s: str) -> Any:
        try:
            return msgspec.json.decode(s)
        except msgspec.DecodeError as error:
            raise SerializationError(s, error) from error


def client_factory(url: str, options: Mapping[str, Any]) -> Callable[[], DriverClient]:
    """Makes a new client for each opening. Raises `ConfigurationError` for a URL that is not understood."""
    parts = split_url(url)
    if parts.scheme not in ("opensearch", "opensearchs") or parts.path.strip("/") or parts.fragment:
        raise _wrong(url)
    hosts = _hosts(url)
    limit = options.get("max_connections", _CONNECTIONS)
    settings: dict[str, Any] = {
        "hosts": hosts,
        "connection_class": AsyncHttpConnection,
        "serializer": _Serializer(),
        "use_ssl": parts.scheme == "opensearchs",
        "max_retries": 0,  # client.py decides what is sent again
        "retry_on_timeout": False,
        "sniff_on_start": False,
        "pool_maxsize": limit,
        **_credentials(url, options),
        **{name: options[name] for name in ("ca_certs", "client_cert", "client_key") if name in options},
    }
    named = ",".join(f"{host['host']}:{host['port']}" for host in hosts)

    def make() -> DriverClient:
        return DriverClient(AsyncOpenSearch(**settings), f"opensearch at {named}", limit, owned=True)

    return make


def over(client: AsyncOpenSearch) -> DriverClient:
    """The caller's own client."""
    connections = client.transport.hosts
    named = ",".join(f"{host.get('host')}:{host.get('port', _PORT)}" for host in connections)
    return DriverClient(client, f"opensearch at {named}", _CONNECTIONS)


def _hosts(url: str) -> list[dict[str, Any]]:
    addresses = urlsplit(url).netloc.rpartition("@")[2].split(",")
    try:
        found = [urlsplit(f"//{address}") for address in addresses]
        hosts = [{"host": address.hostname or "", "port": address.port or _PORT} for address in found]
    except ValueError as error:
        raise _wrong(url) from error
    if not all(host["host"] for host in hosts):
        raise _wrong(url)
    return hosts


def _credentials(url: str, options: Mapping[str, Any]) -> dict[str, Any]:
    region, credentials = options.get("aws_region"), options.get("aws_credentials")
    if options.get("aws_service") == "aoss":
        raise ConfigurationError(
            "aws_service is 'aoss': OpenSearch Serverless refreshes no index on request, so a listing would miss "
            "writes (ORD-5); use a domain of the OpenSearch Service, 'es'"
        )
    if (region is None) != (credentials is None):
        raise ConfigurationError("aws_region and aws_credentials belong together: give both or none")
    if region is not None:
        signer = AWSV4SignerAsyncAuth(credentials, region, "es")
        return {"http_auth": signer}
    user, _, password = urlsplit(url).netloc.rpartition("@")[0].partition(":")
    # Not http_auth: opensearch-py 3.2 makes it aiohttp's BasicAuth, which warns in aiohttp 3.14 that it will go
    both = f"{unquote(user)}:{unquote(password)}".encode()
    return {"headers": {"authorization": f"Basic {b64encode(both).decode()}"}} if user else {}


def _wrong(url: str) -> ConfigurationError:
    return ConfigurationError(
        f"{redact(url)!r} is not an OpenSearch URL; use opensearch://user:password@host:9200, opensearchs:// for TLS, "
        "or opensearch://host1:9200,host2:9200"
    )
