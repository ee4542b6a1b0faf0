"""What the SQLite adapter's own tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from agentkeep import Keep
from agentkeep_conformance.outcomes import REQUIRED, TIER
from agentkeep_sqlite import SQLiteAdapter

_IN_THE_GATE = ("TestSqliteEngine", "TestSqliteMemory")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The suite runs on a file every day. Through engines it runs in the gate, in the nightly tier, and when named."""
    named = any(suite in argument for suite in _IN_THE_GATE for argument in config.args)
    if named or config.stash[REQUIRED] or config.stash[TIER] == "nightly":
        return
    left_out = [item for item in items if any(f"::{suite}::" in item.nodeid for suite in _IN_THE_GATE)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keep.db"


@pytest.fixture
async def keep(file: Path) -> AsyncIterator[Keep]:
    async with Keep(SQLiteAdapter(file)) as keep:
        yield keep
