"""How many rows a transaction of PostgreSQL writes: who wants to change one of them waits for its end (COST-3)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

_WRITTEN = """
SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_xact_all_tables
WHERE schemaname !~ '^(pg_|information_)'
"""
"""What the connection's process has not told the others yet: it does so between transactions, once a second."""


@contextmanager
def rows_written(drivers: Sequence[Any]) -> Generator[list[int]]:
    """How many rows each statement wrote that these drivers sent, functions and triggers included.

    Each class has a method `fetch(connection, sql, arguments, *, prepare)`, and its statements are transactions.
    """
    steps: list[int] = []
    with ExitStack() as stack:
        for driver in drivers:
            stack.enter_context(patch.object(driver, "fetch", _fetch_counted(driver.fetch, steps)))
        yield steps


def _fetch_counted(fetch: Any, steps: list[int]) -> Any:
    async def fetch_counted(self: Any, connection: Any, sql: str, arguments: Any, *, prepare: bool) -> Any:
        await connection.execute("BEGIN")
        try:
            ((before,),) = await fetch(self, connection, _WRITTEN, (), prepare=False)
            rows = await fetch(self, connection, sql, arguments, prepare=prepare)
            ((after,),) = await fetch(self, connection, _WRITTEN, (), prepare=False)
        except BaseException:
            await connection.execute("ROLLBACK")
            raise
        await connection.execute("COMMIT")
        steps.append(after - before)
        return rows

    return fetch_counted
