"""An adapter over an SQLAlchemy engine that belongs to the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from agentkeep import PersistenceAdapter
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import Pool, QueuePool

from agentkeep_conformance.enrolment import OverClient


def _taken(pool: Pool) -> Callable[[], int] | None:
    return pool.checkedout if isinstance(pool, QueuePool) else None


@asynccontextmanager
async def over_engine(
    url: str, adapter_of: Callable[[Any], PersistenceAdapter], **arguments: Any
) -> AsyncGenerator[OverClient]:
    """For an enrolment's `over_client`. `arguments`: of `create_async_engine`."""
    engine = create_async_engine(url, **arguments)
    pool = engine.pool

    async def client_works() -> bool:
        async with engine.connect() as connection:
            answer = await connection.exec_driver_sql("SELECT 1")
        return engine.pool is pool and answer.scalar_one() == 1

    try:
        yield OverClient(adapter_of(engine), client_works, _taken(pool))
    finally:
        await engine.dispose()
