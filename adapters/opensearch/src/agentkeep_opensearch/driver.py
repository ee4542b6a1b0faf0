"""One request through opensearch-py's transport, once, and without its logs."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, NamedTuple, cast

import aiohttp
import aiohttp.payload
from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import ConnectionError, TransportError

from agentkeep_opensearch.errors import server_error

CONFLICT = 409
ABSENT = 404
_LONGER_THAN_ANY_CALL = 86_400
"""Seconds for opensearch-py, whose own timeouts are not used: `client.py` has a deadline for each call."""
_LARGE = 1024 * 1024

_is_ours: ContextVar[bool] = ContextVar("agentkeep_opensearch_is_ours", default=False)

Reply = dict[str, Any]


class _Large(bytes):
    """A body over 1 MiB. aiohttp warns of plain bytes of that size, and reads a stream in parts."""


class _LargePayload(aiohttp.BytesIOPayload):
    def __init__(self, value: bytes, *args: Any, **kwargs: Any) -> None:
        super().__init__(io.BytesIO(value), *args, **kwargs)


aiohttp.payload.PAYLOAD_REGISTRY.register(_LargePayload, _Large, order=aiohttp.payload.Order.try_first)


def _not_ours(record: logging.LogRecord) -> bool:
    """opensearch-py logs bodies, so the content of messages; nothing of our requests may be logged (ERR-3)."""
    return not _is_ours.get()


for _name in ("opensearch", "opensearchpy.trace"):
    logging.getLogger(_name).addFilter(_not_ours)


class DriverClient(NamedTuple):
    """A client of opensearch-py, and whether we made it."""

    client: AsyncOpenSearch
    server: str
    """Names the server in errors, without a password."""
    limit: int
    """Requests at a time."""
    owned: bool = False


async def perform(
    client: AsyncOpenSearch,
    method: str,
    path: str,
    body: bytes | None,
    params: Mapping[str, Any] | None,
    *,
    instead: Callable[[], DriverClient] | None = None,
) -> Reply:
    """Once, whatever the driver's own settings for retries are.

    `instead`: makes a client for this request alone. A connection of `client` died unheard, so its other idle ones may
    have died too, and aiohttp takes one of them as long as there is one.
    """
    data = _Large(body) if body is not None and len(body) > _LARGE else body
    if instead is None:
        return await _perform(client, method, path, data, params)
    fresh = instead().client
    try:
        return await _perform(fresh, method, path, data, params)
    finally:
        await close_client(fresh)


async def _perform(
    client: AsyncOpenSearch, method: str, path: str, body: bytes | None, params: Mapping[str, Any] | None
) -> Reply:
    given: dict[str, Any] = {**(params or {}), "request_timeout": _LONGER_THAN_ANY_CALL, "ignore": (ABSENT, CONFLICT)}
    kind = "application/x-ndjson" if path.endswith(("_bulk", "_msearch")) else "application/json"
    token = _is_ours.set(True)
    try:
        reply = await client.transport.perform_request(
            method, path, params=given, body=body, headers={"content-type": kind}
        )
    except ConnectionError:
        raise
    except TransportError as error:
        failed = server_error(error)
        raise failed from None
    finally:
        _is_ours.reset(token)
    return cast("Reply", reply) if isinstance(reply, dict) else {}


async def close_client(client: AsyncOpenSearch) -> None:
    with suppress(Exception):
        await client.close()
    # opensearch-py 3.2 closes only the connections to hosts that it believes to be alive
    for connection in getattr(client.transport.connection_pool, "orig_connections", ()):
        with suppress(Exception):
            await connection.close()
