"""An adapter over an SQLAlchemy engine that belongs to the caller."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from agentkeep import PersistenceAdapter
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import Pool, QueuePool

from agentkeep_conformance.enrolment import OverClient


def _taken(pool: Pool) -> Callable[[], int] | None:
    return pool.checkedout if isinstance(pool, QueuePool) else None


async def _rolls_back(connection: AsyncConnection) -> bool:
    """Whether the caller's own transactions on this connection are still transactions."""
    await connection.exec_driver_sql("CREATE TEMPORARY TABLE IF NOT EXISTS callers (n INTEGER)")
    await connection.commit()
    await connection.exec_driver_sql("INSERT INTO callers VALUES (1)")
    await connection.rollback()
    return (await connection.exec_driver_sql("SELECT count(*) FROM callers")).scalar_one() == 0


@asynccontextmanager
async def over_engine(
    url: str, adapter_of: Callable[[Any], PersistenceAdapter], **arguments: Any
) -> AsyncGenerator[OverClient]:
    """For an enrolment's `over_client`. `arguments`: of `create_async_engine`."""
    engine = create_async_engine(url, **arguments)
    pool = engine.pool

    async def client_works() -> bool:
        async with AsyncExitStack() as taken:
            idle = pool.checkedin() if isinstance(pool, QueuePool) else 0
            connections = [await taken.enter_async_context(engine.connect()) for _ in range(max(idle, 1))]
            return engine.pool is pool and all([await _rolls_back(connection) for connection in connections])

    try:
        yield OverClient(adapter_of(engine), client_works, _taken(pool))
    finally:
        await engine.dispose()
