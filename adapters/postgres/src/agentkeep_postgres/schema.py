"""Creates and migrates the schema: ordered scripts, one process at a time (LIFE-1).

A step must not disturb the release before it. Its new columns may be NULL, because functions store whole rows. It
replaces a function only by one with the same parameters and result.
"""

from __future__ import annotations

from typing import Any

from agentkeep.errors import InvalidInput, SchemaMissing, SchemaTooNew
from sqlalchemy.util import await_only

from agentkeep_postgres.client import Client
from agentkeep_postgres.statements import Names, load_migrations, load_statements


def known_version(names: Names) -> int:
    return len(load_migrations(names))


def check_version(names: Names, found: int) -> None:
    """Raises `SchemaMissing`, `SchemaTooNew`."""
    known = known_version(names)
    if found > known:
        raise SchemaTooNew(found=found, known=known)
    if found < known:
        raise SchemaMissing(
            f"the schema under {names.qualified!r} has version {found} of {known} and manage_schema is off: "
            f"have its owner run what `agentkeep migrate --sql{f' --after {found}' if found else ''}` prints"
        )


async def migrate(client: Client, names: Names) -> int:
    """Apply what is missing, all or nothing. Returns the version that was found.

    Raises `SchemaTooNew`, `ConfigurationError` if the role lacks a right.
    """
    statements = load_statements(names)
    driver = client.driver

    def work(connection: Any) -> int:
        await_only(driver.script(connection, "BEGIN"))
        try:
            await_only(driver.script(connection, statements["lock"].text))
            if names.schema is not None:
                await_only(driver.script(connection, statements["create_schema"].text))
            await_only(driver.script(connection, statements["create_versions"].text))
            rows = await_only(driver.fetch(connection, statements["version"].text, (), prepare=False))
            found = int(rows[0][0])
            if found > known_version(names):
                raise SchemaTooNew(found=found, known=known_version(names))
            if found < known_version(names):  # else another process was first
                await_only(driver.script(connection, _steps(names, after=found)))
        except BaseException:
            await_only(driver.script(connection, "ROLLBACK"))
            raise
        await_only(driver.script(connection, "COMMIT"))
        return found

    return await client.call(work, is_bounded=False)


def migrations_sql(names: Names, *, after: int = 0) -> str:
    """The script that brings version `after` to the newest, in one transaction, for the owner of the schema.

    Raises `InvalidInput`.
    """
    if not 0 <= after <= known_version(names):
        raise InvalidInput(f"there is no schema of version {after}: give 0 to {known_version(names)}")
    statements = load_statements(names)
    opening = ["lock", *(["create_schema"] if names.schema is not None else []), "create_versions"]
    head = [f"{statements[name].text};" for name in opening]
    return "\n".join(["BEGIN;", *head, _steps(names, after=after), "COMMIT;", ""])


def _steps(names: Names, *, after: int) -> str:
    added = load_statements(names)["add_version"].text
    steps = load_migrations(names)[after:]
    return "\n".join(f"{step}\n{added.replace('$1', str(number))};" for number, step in enumerate(steps, after + 1))
