"""The OpenSearch adapter: the session's document is the commit point (docs/adr/0008)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import perf_counter
from typing import Any, Self

from agentkeep.capabilities import Capabilities
from agentkeep.models import Health
from agentkeep.records import Scope
from agentkeep.spi.clock import Clock, never_back, utc_now
from agentkeep.spi.options import as_prefix, read_options
from msgspec.structs import replace
from opensearchpy import AsyncOpenSearch

from agentkeep_opensearch.analysis import Analysis
from agentkeep_opensearch.client import Client
from agentkeep_opensearch.commit import Store
from agentkeep_opensearch.driver import DriverClient
from agentkeep_opensearch.listing import Listing, Refresher
from agentkeep_opensearch.messages import OpenSearchMessages
from agentkeep_opensearch.migrating import is_migrating
from agentkeep_opensearch.notify import SessionNotifier
from agentkeep_opensearch.removal import Remover
from agentkeep_opensearch.schema import IndexSettings, look, prepare
from agentkeep_opensearch.search import Search
from agentkeep_opensearch.server import durability_of, longest_body, version_of, warnings_of
from agentkeep_opensearch.sessions import OpenSearchSessions
from agentkeep_opensearch.statements import Names
from agentkeep_opensearch.sweep import Sweeper
from agentkeep_opensearch.urls import ADAPTER_OPTIONS, CLIENT_OPTIONS, client_factory, over

_TIMEOUT = timedelta(seconds=30)


class OpenSearchAdapter:
    """Sessions and messages in OpenSearch, in two indices below one prefix.

    `OpenSearchAdapter(client)` works over the caller's `AsyncOpenSearch`, and never closes it (LIFE-2).
    `manage_schema=False`: `open` creates nothing, and raises `SchemaMissing` if there are no indices.
    `timeout`: how long a call may take, waiting for a connection included (FLT-5).
    `clock`: decides expiry and sets times, in aware UTC; by default this machine's.
    `shards`, `replicas`, `refresh_interval`, `languages`: of indices that `open` creates.
    `analysis` is this adapter's own verb: analysed search with counts, see `agentkeep_opensearch.analysis`.
    One opened adapter belongs to the event loop that opened it (LIFE-3).
    """

    name = "opensearch"

    def __init__(
        self,
        client: AsyncOpenSearch,
        *,
        prefix: str = "agentkeep",
        manage_schema: bool = True,
        timeout: timedelta = _TIMEOUT,
        clock: Clock = utc_now,
        shards: int = 1,
        replicas: int | None = None,
        refresh_interval: str | None = None,
        languages: tuple[str, ...] = (),
    ) -> None:
        self._set_up(
            lambda: over(client),
            prefix=prefix,
            manage_schema=manage_schema,
            timeout=timeout,
            clock=clock,
            shards=shards,
            replicas=replicas,
            refresh_interval=refresh_interval,
            languages=languages,
        )

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """`opensearch://user:password@host:9200`, `opensearchs://` for TLS, several hosts with commas.

        Options: those of the constructor, `max_connections`, `ca_certs`, `client_cert`, `client_key` (paths),
        `aws_region`, `aws_service` ("es" or "aoss") and `aws_credentials` (botocore's). Raises `ConfigurationError`.
        """
        values = read_options(cls.name, url, options, {**ADAPTER_OPTIONS, **CLIENT_OPTIONS})
        own = {name: values.pop(name) for name in ADAPTER_OPTIONS if name in values}
        adapter = cls.__new__(cls)
        adapter._set_up(client_factory(url, values), **own)
        return adapter

    def _set_up(
        self,
        make: Callable[[], DriverClient],
        *,
        prefix: str = "agentkeep",
        manage_schema: bool = True,
        timeout: timedelta = _TIMEOUT,
        clock: Clock = utc_now,
        shards: int = 1,
        replicas: int | None = None,
        refresh_interval: str | None = None,
        languages: tuple[str, ...] = (),
    ) -> None:
        self.capabilities = Capabilities(search=True, watch=True, durability="fsync")
        self._manage_schema = manage_schema
        self._settings = IndexSettings(shards, replicas, refresh_interval, languages)
        self._is_open = False
        names = self._names = Names(as_prefix("prefix", prefix))
        now = never_back(clock)
        client = self._client = Client(make, timeout.total_seconds())
        client.is_migrating = partial(is_migrating, client, names)
        store = Store(client, names, now)
        listing = Listing(store, Refresher(client, names.sessions))
        notifier = self._notifier = SessionNotifier(client, names)
        remover = Remover(store, listing, notifier)
        refresher = Refresher(client, names.messages)
        search = Search(client, store, refresher)
        self.analysis = Analysis(client, store, refresher, languages)
        self._sweeper = Sweeper(store, listing, remover)
        self.sessions = OpenSearchSessions(client, store, listing, remover, notifier)
        self.messages = OpenSearchMessages(client, store, search, notifier)

    async def open(self) -> None:
        if self._is_open:
            return
        await self._client.open()
        try:
            with self._client.call():
                found = await prepare(self._client, self._names, self._settings, manage=self._manage_schema)
            with self._client.call():  # with a time of its own: a migration may have taken hours
                self._client.longest_body = await longest_body(self._client)
        except BaseException:
            await self._client.close()
            raise
        self.capabilities = replace(self.capabilities, durability=durability_of(found))
        self._notifier.notifier.open()
        self._is_open = True

    async def close(self) -> None:
        self._notifier.notifier.close()
        self._is_open = False
        await self._client.close()
        await self._notifier.notifier.stopped()

    async def health(self) -> Health:
        with self._client.call():
            started = perf_counter()
            server = await version_of(self._client)
            latency = timedelta(seconds=perf_counter() - started)
            found = await look(self._client, self._names)
        return Health(
            adapter=self.name,
            server=server,
            schema_version=None if found.version is None else found.version.version,
            durability=durability_of(found),
            latency=latency,
            warnings=warnings_of(found),
        )

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        with self._client.call():
            return await self._sweeper.sweep(scope, limit=limit)
