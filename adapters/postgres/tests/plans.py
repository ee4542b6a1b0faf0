"""What the server does for a statement, in tables that grew: the plan, with the rows that each of its steps met."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from agentkeep_postgres.listing import Call
from agentkeep_postgres.statements import Names, Statement, Statements, load_statements
from psycopg.sql import SQL, Identifier, Literal

if TYPE_CHECKING:
    from .conftest import Database

_GROW = """
INSERT INTO {p}sessions (tenant, id, user_id, agent_name, status, state, metadata, counters, parent_id, version,
    message_count, last_seq, created_at, updated_at, has_labels)
SELECT 't', 's' || n, 'u' || n % 200, 'a' || n % 50, (ARRAY['active', 'completed', 'abandoned'])[1 + n % 3], '{}', '{}',
    '{}', 'p' || n % 300, 1, 5000, 5000, now() - n * interval '1 second', now() - n * interval '1 second', true
FROM generate_series({first}, {last}) AS n ORDER BY md5(n::text);
INSERT INTO {p}labels (tenant, session_id, label, created_at, updated_at)
SELECT 't', 's' || n, label, now() - n * interval '1 second', now() - n * interval '1 second'
FROM generate_series({first}, {last}) AS n,
    unnest(ARRAY['of ' || n % 5, CASE WHEN n > 19990 THEN 'rare' ELSE 'common' END, 'half ' || n % 2]) AS label
ORDER BY md5(n::text);
INSERT INTO {p}messages (tenant, session_id, seq, id, role, created_at, payload, content_key, version, search)
SELECT 't', 's' || 1 + n / 5000, n % 5000 + 1, 'm' || n, 'user', now(), '{"content":"x"}', 'k', 1, 'm' || n || ' filler'
FROM generate_series(3 * ({first} - 1) / 2, 3 * {last} / 2 - 1) AS n;
"""
_EXPLAIN = """
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_analyze = on;
SET auto_explain.log_nested_statements = on;
SET auto_explain.log_format = json;
SET client_min_messages = log;
SET plan_cache_mode = force_generic_plan;
"""
_SMALL, _LARGE = 3_200, 20_000
_USED_OFTEN = """
DO $$
BEGIN
    FOR n IN 1 .. 5000 LOOP
        UPDATE {p}sessions SET updated_at = clock_timestamp(), expires_at = clock_timestamp() + interval '1 day';
        UPDATE {p}labels SET updated_at = clock_timestamp();
        COMMIT;
    END LOOP;
END
$$
"""
"""As 5,000 appends do. An index of a key that they change then has many pages, though the table has one row."""
OF_ONE_ROW = ("of one row, planned for it", "of one row that was used often, planned for it")
STATISTICS = [
    "none",
    "none, planned while small",
    "fresh",
    "fresh, planned for the values",
    *OF_ONE_ROW,
]
_PLANNED_BEFORE = (STATISTICS[0], STATISTICS[1], *OF_ONE_ROW)
_IN_SMALL: dict[str, object] = {
    "s3": "s1",
    "s20000": "s1",
    "u7": "u1",
    "a7": "a1",
    "p7": "p1",
    "completed": "abandoned",
}
"""What a table of one session holds, for what the calls name."""


class Explained:
    """One connection of a process that prepares a statement once. It collects each plan, those in functions too."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self._prepared: dict[str, str] = {}
        self._plans: list[dict[str, Any]] = []
        connection.add_notice_handler(self._collect)

    def _collect(self, notice: psycopg.errors.Diagnostic) -> None:
        _, found, plan = (notice.message_primary or "").partition("plan:\n")
        if found:
            self._plans.append(json.loads(plan)["Plan"])

    async def plans(self, statement: Statement, values: dict[str, object]) -> list[dict[str, Any]]:
        if statement.text not in self._prepared:
            name = self._prepared[statement.text] = f"statement_{len(self._prepared)}"
            await self._run(f"PREPARE {name} AS {statement.text}".encode())
        self._plans.clear()
        arguments = SQL(", ").join(map(Literal, statement.arguments(values)))
        name = Identifier(self._prepared[statement.text])
        await self._run(SQL("EXECUTE {}({})").format(name, arguments))
        return list(self._plans)

    async def _run(self, text: Any) -> None:
        async with self._connection.transaction(force_rollback=True):
            await self._connection.execute(text)


@asynccontextmanager
async def grown(database: Database, calls: list[Call], statistics: str = "none") -> AsyncGenerator[Explained]:
    """Tables that grew. Without statistics, each call has run on the empty tables, so that its plans are kept."""
    async with database.keep(), await psycopg.AsyncConnection.connect(database.dsn, autocommit=True) as connection:
        for table in ("sessions", "labels", "messages"):
            await database.run(f"ALTER TABLE {{p}}{table} SET (autovacuum_enabled = off)")
        for command in _EXPLAIN.strip().split("\n"):
            await connection.execute(command.encode())
        if statistics in OF_ONE_ROW:
            await connection.execute(statements_of(database)["settings"].text.encode())
        explained = Explained(connection)
        first = {STATISTICS[0]: 0, **dict.fromkeys(OF_ONE_ROW, 1)}.get(statistics, _SMALL)
        await _grow(database, 1, first)
        if statistics == OF_ONE_ROW[1]:
            await database.run(_USED_OFTEN)
        if statistics in OF_ONE_ROW:
            await _analyze(database)
        if statistics in _PLANNED_BEFORE:
            for statement, values in calls:
                await explained.plans(statement, values)
                await explained.plans(statement, {name: _IN_SMALL.get(str(v), v) for name, v in values.items()})
        await _grow(database, first + 1, _LARGE)
        if statistics in STATISTICS[2:4]:
            await _analyze(database)
        if statistics == STATISTICS[3]:
            await connection.execute("SET plan_cache_mode = force_custom_plan")
        yield explained


async def _analyze(database: Database) -> None:
    for table in ("sessions", "labels", "messages"):
        await database.run(f"ANALYZE {{p}}{table}")


async def _grow(database: Database, first: int, last: int) -> None:
    await database.run(_GROW.replace("{first}", str(first)).replace("{last}", str(last)))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def check(plans: list[dict[str, Any]], *, most: int) -> None:
    """No scan of a table, and at most so many rows in all of the call's statements."""
    assert plans, "no plan was seen"
    shown = json.dumps(plans, indent=1)
    found = [node for plan in plans for node in nodes(plan)]
    assert "Seq Scan" not in {node["Node Type"] for node in found}, shown
    assert max(plan["Total Cost"] for plan in plans) < 1_000_000, f"`key_in` is called for rows\n{shown}"
    met = sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in found
        if "Relation Name" in node
    )
    assert met <= most, f"{met} rows\n{shown}"


def statements_of(database: Database) -> Statements:
    return load_statements(Names(None, database.prefix))
