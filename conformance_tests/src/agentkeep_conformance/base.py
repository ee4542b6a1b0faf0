"""What an adapter's test module inherits from: six lines enrol it.

from agentkeep_conformance import AdapterConformance
from agentkeep_NAME import NameAdapter

class TestName(AdapterConformance):
    def open(self, dsn, namespace, **options):
        return NameAdapter(dsn, prefix=namespace, **options)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import pytest
from agentkeep import Keep, PersistenceAdapter, PersistenceError
from msgspec.structs import asdict

from agentkeep_conformance.families.archive import Archive
from agentkeep_conformance.families.capabilities import CapabilitiesDeclared
from agentkeep_conformance.families.deep import Deep
from agentkeep_conformance.families.errors import Errors
from agentkeep_conformance.families.fidelity import Fidelity
from agentkeep_conformance.families.forks import Forks
from agentkeep_conformance.families.idempotency import Idempotency
from agentkeep_conformance.families.isolation import Isolation
from agentkeep_conformance.families.lifecycle import LifeCycle
from agentkeep_conformance.families.messages import Messages
from agentkeep_conformance.families.order_paging import OrderAndPaging
from agentkeep_conformance.families.prefixes import Prefixes
from agentkeep_conformance.families.reading import Reading
from agentkeep_conformance.families.searching import Searching
from agentkeep_conformance.families.sessions import Sessions
from agentkeep_conformance.families.ttl import TimeToLive
from agentkeep_conformance.families.watching import Watching
from agentkeep_conformance.hooks import Hooks
from agentkeep_conformance.outcomes import EVIDENCE, SEED, TIER, dsn_of
from agentkeep_conformance.place import Place, fresh_namespace
from agentkeep_conformance.servers import EMBEDDED, Server


@dataclass(frozen=True)
class KnownFailure:
    """A test that is known to fail. Strict: once it passes, or after `expires`, it fails the run."""

    reason: str
    issue: str
    """A link."""
    expires: date


class Enrolment(Hooks):
    """What the suite asks of an adapter's author, and the fixtures made from it."""

    server: ClassVar[Server] = EMBEDDED
    """The database server; none by default, for a database inside the process."""

    known_failures: ClassVar[dict[str, KnownFailure]] = {}
    """By the test's name, with `[parameter]` where it has one."""

    pytestmark = pytest.mark.anyio

    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        """A new adapter, not opened, whose data begins empty for each new `namespace`.

        `dsn`: the server's URL; the path of a fresh directory where `server` is EMBEDDED. `namespace`: short, of
        [a-z0-9_], to be used as the prefix or schema. Two adapters of one namespace see the same data. `options`: the
        suite gives `clock` where `capabilities.server_clock` is False, and nothing that the adapter does not offer.
        """
        raise NotImplementedError

    def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes] | None:
        """Every byte string that the whole database stores, of all namespaces, read behind the adapter's back.

        Write it as `async def … yield`. Without it what must be gone can't be shown to be gone.
        """
        return None

    async def drop(self, dsn: str, namespace: str) -> None:
        """Remove the namespace after a test, where the server outlives the run."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def dsn(self, tmp_path: Path, request: pytest.FixtureRequest) -> str:
        return str(tmp_path) if self.server.embedded else dsn_of(self.server, request.config)

    @pytest.fixture
    async def place(self, dsn: str, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
        stash = request.config.stash
        place = Place(self, dsn, fresh_namespace(), stash[TIER], stash[SEED])
        item: pytest.Item = request.node
        try:
            if stash[EVIDENCE].first_of(name_of(type(self))):
                place.notes.append(("agentkeep_declared", await _declared(place)))
            yield place
        finally:
            await place.close()
            item.user_properties += place.notes

    @pytest.fixture
    async def keep(self, place: Place) -> Keep:
        return await place.keep()

    @pytest.fixture
    async def twin(self, place: Place) -> Keep:
        """A second instance on the same data."""
        return await place.keep()


class AdapterConformance(
    Enrolment,
    LifeCycle,
    Sessions,
    Forks,
    Messages,
    Idempotency,
    OrderAndPaging,
    Fidelity,
    Isolation,
    Prefixes,
    Reading,
    Searching,
    Watching,
    TimeToLive,
    CapabilitiesDeclared,
    Errors,
    Archive,
    Deep,
):
    """The whole suite, for one adapter."""


def name_of(suite: type) -> str:
    """The adapter's name in tables and evidence: `TestSqlite` is sqlite."""
    return suite.__name__.removeprefix("Test").lower()


async def _declared(place: Place) -> dict[str, Any]:
    """What the adapter declares, and which server it meets."""
    keep = await place.elsewhere().keep()
    try:
        server = (await keep.health()).server
    except PersistenceError as error:
        server = f"unknown: {error}"
    return {"capabilities": asdict(keep.capabilities), "server": server}
