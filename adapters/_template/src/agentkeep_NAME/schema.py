"""The schema's version, and bringing it up to date (LIFE-1, LIFE-4)."""

from __future__ import annotations

from agentkeep.spi.schema import SchemaVersion, missing_steps

from agentkeep_NAME.client import Client
from agentkeep_NAME.statements import migrations

OLDEST = 1
"""The oldest version whose release may use the schema that the newest migration makes. Raise it with a migration that
an older release can't live with."""


async def prepare(client: Client, prefix: str, *, manage_schema: bool) -> None:
    """Raises `SchemaMissing`, `SchemaTooNew`."""
    steps = migrations(prefix)
    name = f"the schema with prefix {prefix!r}"
    missing = missing_steps(await find(client), known=len(steps), manage_schema=manage_schema, name=name)
    if missing:
        # Take the server's lock for migrations here, and ask again: another process may have been first. Then run the
        # missing steps and store `SchemaVersion(len(steps), OLDEST)`, all or nothing.
        raise NotImplementedError


async def find(client: Client) -> SchemaVersion | None:
    """What the database stores of its schema; None if there is none."""
    raise NotImplementedError
