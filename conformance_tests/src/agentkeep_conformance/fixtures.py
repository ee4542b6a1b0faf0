"""The fixtures that tests ask for, made from an enrolment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agentkeep import Keep, PersistenceError
from msgspec.structs import asdict

from agentkeep_conformance.database import Database
from agentkeep_conformance.enrolment import Enrolment, name_of
from agentkeep_conformance.items import family_of
from agentkeep_conformance.namespaces import NEED_NEW
from agentkeep_conformance.outcomes import EVIDENCE, FAILED, SEED, TIER, dsn_of


class Fixtures(Enrolment):
    """An enrolment that pytest can run: families of tests are mixed into it."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def dsn(self, tmp_path: Path, request: pytest.FixtureRequest) -> str:
        return str(tmp_path) if self.server.embedded else dsn_of(self.server, request.config)

    @pytest.fixture
    async def database(self, dsn: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
        stash = request.config.stash
        item: pytest.Item = request.node
        database = Database(self, dsn, None, stash[TIER], stash[SEED], reuse=family_of(item) not in NEED_NEW)
        try:
            if database.reuse:
                await database.copy_schema()
            if stash[EVIDENCE].first_of(name_of(type(self))):
                database.notes.append(("agentkeep_declared", await _declared(database)))
            yield database
        finally:
            database.reuse = database.reuse and not item.stash.get(FAILED, False)
            await database.close()
            item.user_properties += database.notes

    @pytest.fixture
    async def keep(self, database: Database) -> Keep:
        return await database.keep()

    @pytest.fixture
    async def twin(self, database: Database) -> Keep:
        """A second instance on the same data."""
        return await database.keep()


async def _declared(database: Database) -> dict[str, Any]:
    """What the adapter declares, and which server it uses."""
    keep = await database.other_namespace().keep()
    try:
        server = (await keep.health()).server
    except PersistenceError as error:
        server = f"unknown: {error}"
    return {"capabilities": asdict(keep.capabilities), "server": server}
