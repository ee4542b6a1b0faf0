"""`migrate`."""

from __future__ import annotations

from collections.abc import Callable

from agentkeep.cli.failures import CommandError
from agentkeep.cli.output import Output, say
from agentkeep.cli.settings import Settings
from agentkeep.errors import InvalidInput
from agentkeep.protocol import SupportsMigrations
from agentkeep.wrappers import find_ability


async def print_sql(settings: Callable[[], Settings], out: Output, *, after: int) -> int:
    """Print what the database's owner runs; no I/O. Raises `CommandError` if the adapter has no such script."""
    adapter = settings().adapter()
    migrations = find_ability(adapter, SupportsMigrations)
    if migrations is None:
        raise CommandError(f"{adapter.name} has no SQL to print: `agentkeep migrate` brings it up to date by itself")
    script = migrations.migrations_sql(after=after)
    if _is_newest(migrations, after):
        say(f"version {after} is the newest schema: nothing to do")
        script = ""
    if out.as_json:
        out.record({"after": after, "sql": script})
    elif script:
        out.line(script.rstrip("\n"))
    return 0


def _is_newest(adapter: SupportsMigrations, version: int) -> bool:
    """Whether there is no later version, so that the script would be an empty transaction."""
    try:
        adapter.migrations_sql(after=version + 1)
    except InvalidInput:
        return True
    return False


async def migrate(settings: Callable[[], Settings], out: Output) -> int:
    """Open the database, which brings its schema up to date, and say what was found and what is there now."""
    wanted = settings()
    adapter = wanted.adapter()
    wanted.make_room()
    try:
        await adapter.open()
        now = (await adapter.health()).schema_version
        migrations = find_ability(adapter, SupportsMigrations)
        before = None if migrations is None else migrations.migrated_from
    finally:
        await adapter.close()
    if out.as_json:
        out.record({"from": before, "to": now})
    else:
        out.line(_sentence(before, now))
    return 0


def _sentence(before: int | None, now: int | None) -> str:
    if now is None:
        return "this database has no schema: nothing to do"
    if before is None or before == now:  # most adapters do not say what they found
        return f"the schema is up to date: version {now}"
    return (
        f"the schema had version {before} and has version {now} now"
        if before
        else f"a schema of version {now} was made"
    )
