"""Creates and migrates the schema: ordered steps, one process at a time (LIFE-1).

A step must not disturb the release before it. Its new columns may be NULL, because functions store whole rows. It
replaces a function only by one with the same parameters and result.
"""

from __future__ import annotations

from typing import Any

from agentkeep.errors import ConfigurationError, InvalidInput, Refused
from agentkeep.spi.schema import SchemaVersion, missing_steps
from sqlalchemy.util import await_only

from agentkeep_postgres.client import Client
from agentkeep_postgres.errors import lacks_right
from agentkeep_postgres.statements import Names, load_migrations, load_statements

OLDEST = 1
"""The oldest version whose release may use what the newest step leaves (LIFE-4)."""


def known_version(names: Names) -> int:
    return len(load_migrations(names))


def steps_to_run(names: Names, found: SchemaVersion | None, *, manage_schema: bool) -> range:
    """The steps that are missing. Raises `SchemaMissing`, `SchemaTooNew`."""
    command = f"agentkeep migrate --sql{f' --after {found.version}' if found else ''}"
    return missing_steps(
        found,
        known=known_version(names),
        manage_schema=manage_schema,
        name=f"the schema under {names.qualified!r}",
        remedy=f"its owner must run what `{command}` prints",
    )


async def migrate(client: Client, names: Names) -> SchemaVersion | None:
    """Apply what is missing, all or nothing. Returns the version that was found.

    Raises `SchemaTooNew`, `ConfigurationError` if the role lacks a right.
    """
    statements = load_statements(names)
    driver = client.driver

    def work(connection: Any) -> SchemaVersion | None:
        await_only(driver.script(connection, "BEGIN"))
        try:
            await_only(driver.script(connection, statements["lock"].text))
            if names.schema is not None:
                await_only(driver.script(connection, statements["create_schema"].text))
            await_only(driver.script(connection, statements["create_versions"].text))
            rows = await_only(driver.fetch(connection, statements["version"].text, (), prepare=False))
            found = SchemaVersion(*rows[0]) if rows else None
            missing = steps_to_run(names, found, manage_schema=True)
            if missing:  # else another process was first
                await_only(driver.script(connection, _script(names, missing)))
        except BaseException:
            await_only(driver.script(connection, "ROLLBACK"))
            raise
        await_only(driver.script(connection, "COMMIT"))
        return found

    try:
        return await client.call(work, is_bounded=False)
    except Refused as error:
        if not lacks_right(error):
            raise
        raise ConfigurationError(
            f"{error}: give the role the right, or open with manage_schema=False after the owner of the schema has run "
            "what `agentkeep migrate --sql` prints"
        ) from error.__cause__


def migrations_sql(names: Names, *, after: int = 0) -> str:
    """The script that brings version `after` to the newest, in one transaction, for the owner of the schema.

    Raises `InvalidInput`.
    """
    known = known_version(names)
    if not 0 <= after <= known:
        raise InvalidInput(f"there is no schema of version {after}: give 0 to {known}")
    statements = load_statements(names)
    opening = ["lock", *(["create_schema"] if names.schema is not None else []), "create_versions"]
    head = [f"{statements[name].text};" for name in opening]
    return "\n".join(["BEGIN;", *head, _script(names, range(after + 1, known + 1)), "COMMIT;", ""])


def _script(names: Names, numbers: range) -> str:
    steps = load_migrations(names)
    added = load_statements(names)["add_version"].text
    return "\n".join(
        f"{steps[number - 1]}\n{added.replace('$1', str(number)).replace('$2', str(OLDEST))};" for number in numbers
    )
