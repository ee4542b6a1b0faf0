"""What the SQLite adapter's own tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from agentkeep import Keep
from agentkeep_sqlite import SQLiteAdapter


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
