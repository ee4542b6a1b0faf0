"""The PostgreSQL adapter's append against the least that stores the same rows: one statement on a held connection.

    .venv/bin/python benchmarks/postgres_append.py

It starts a PostgreSQL of its own (or takes AGENTKEEP_TEST_POSTGRES_URL), fsync on. Turns are short and interleaved,
so that a busy machine slows all alike; medians are of all turns. Only the ratios carry over to another machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, cast
from uuid import uuid4

import agentkeep
import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from agentkeep import NewMessage
from agentkeep_conformance.servers import POSTGRES
from agentkeep_postgres.statements import Names, load_statements
from interleaved import compare

CONTENT = "A window seat to Oslo, please, and a vegetarian meal if there is one. " * 6
PAYLOAD = f'{{"content":"{CONTENT}"}}'
FLOOR = """
WITH counted AS (
    UPDATE {p}sessions SET last_seq = last_seq + $3, message_count = message_count + $3, updated_at = clock_timestamp(),
        last_message_at = clock_timestamp()
    WHERE tenant = 'default' AND id = $1 AND (expires_at IS NULL OR expires_at > clock_timestamp())
    RETURNING last_seq - $3 AS before
)
INSERT INTO {p}messages (tenant, session_id, seq, id, role, created_at, payload, content_key, version, search)
SELECT 'default', $1, before + n, id, 'user', clock_timestamp(), $4, 'AAAAAAAAAAAAAAAAAAAAAA', 1, $5
FROM counted, unnest($2::text[]) WITH ORDINALITY AS new (id, n)
RETURNING seq, created_at
"""


async def main() -> None:
    prefix = f"bench{uuid4().hex[:8]}_"
    statements = load_statements(Names(None, prefix))
    floor = FLOOR.replace("{p}", prefix)
    held = cast("Any", await asyncpg.connect(POSTGRES.dsn, statement_cache_size=512))  # pyright: ignore[reportUnknownMemberType]
    other = agentkeep.connect(POSTGRES.dsn.replace("postgresql://", "postgresql+psycopg://"), prefix=prefix)
    async with agentkeep.connect(POSTGRES.dsn, prefix=prefix) as keep, other:
        for name in ("floor", "function", "asyncpg", "psycopg"):
            await keep.sessions.create(name, user_id="u", agent_name="a", metadata={"k": "v"})
        append = statements["append"]
        values = cast("dict[str, object]", dict.fromkeys(append.parameters))
        values |= {"tenant": "default", "session_id": "function", "roles": ["user"], "payloads": [PAYLOAD]}
        values |= {"may_be_stored": False, "skip": False, "keys": ["A" * 22], "searches": [CONTENT.casefold()]}

        def called(_: int) -> Awaitable[Any]:
            return held.fetch(append.text, *append.arguments(values | {"ids": [uuid4().hex]}))

        print(f"PostgreSQL {POSTGRES.version()}\n\n| | | µs an append | of the floor |\n|---|---|---|---|")
        await compare(
            "one writer",
            {
                "one statement, held connection": lambda _: held.fetch(
                    floor, "floor", [uuid4().hex], 1, PAYLOAD, CONTENT.casefold()
                ),
                "our function, held connection": called,
                "append, asyncpg": lambda _: keep.messages.append(
                    "asyncpg", [NewMessage(role="user", content=CONTENT)]
                ),
                "append, psycopg": lambda _: other.messages.append(
                    "psycopg", [NewMessage(role="user", content=CONTENT)]
                ),
            },
        )
    await held.execute(f"DROP TABLE {prefix}sessions, {prefix}labels, {prefix}messages, {prefix}schema_version CASCADE")
    await held.close()


if __name__ == "__main__":
    asyncio.run(main())
