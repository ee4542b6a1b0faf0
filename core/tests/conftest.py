from __future__ import annotations

import pytest
from agentkeep import PersistenceAdapter
from agentkeep_memory import MemoryAdapter
from agentkeep_memory.sessions import MemorySessions


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


class _MadeInOpen(MemoryAdapter):
    def __init__(self) -> None:
        super().__init__()
        self.made: MemorySessions = self.__dict__.pop("sessions")

    async def open(self) -> None:
        await super().open()
        self.sessions: MemorySessions = self.made


@pytest.fixture
def made_in_open() -> PersistenceAdapter:
    """An adapter that has no sessions before it is opened."""
    return _MadeInOpen()
