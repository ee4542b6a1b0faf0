"""The schema: its version, which `open` writes or checks, and the scripts, which the server should know beforehand."""

from __future__ import annotations

from collections.abc import Sequence

from agentkeep.errors import Corrupt, SchemaMissing, SchemaTooNew
from agentkeep.spi.resend import Effect

from agentkeep_redis.client import RedisClient, checked
from agentkeep_redis.driver import Command, Reply
from agentkeep_redis.keys import Keys
from agentkeep_redis.statements import SCRIPTS, load_script

SCHEMA_VERSION = 1


async def prepare(client: RedisClient, keys: Keys, settings: Sequence[Command], *, manage: bool) -> list[Reply]:
    """Check the schema's version, and have the server know the scripts (LIFE-1). Returns the replies to `settings`.

    One exchange, and one more if the server lacks scripts. `manage`: write the version if there is none.
    Raises `SchemaMissing`, `SchemaTooNew`.
    """
    key = keys.schema()
    script: Command = ("EVAL", load_script("open").text, 1, key, str(SCHEMA_VERSION), "1" if manage else "0")
    known_scripts: Command = ("SCRIPT", "EXISTS", *(load_script(name).sha for name in SCRIPTS))
    found, known, *replies = await client.commands(key, [script, known_scripts, *settings], Effect.REPEATABLE)
    _check(version_of(checked(found, client.server), keys.prefix), keys.prefix)
    await _load_scripts(client, key, checked(known, client.server))
    return replies


async def _load_scripts(client: RedisClient, key: bytes, known: Sequence[int]) -> None:
    """So that first calls need not be sent twice. What another node lacks, or a server forgets, is sent with a call."""
    missing = [load_script(name).text for name, is_known in zip(SCRIPTS, known, strict=True) if not is_known]
    if missing:
        for reply in await client.commands(key, [("SCRIPT", "LOAD", text) for text in missing], Effect.REPEATABLE):
            checked(reply, client.server)


def version_of(found: bytes | None, prefix: str) -> int | None:
    """Raises `Corrupt` (ERR-4)."""
    if found is None or found.isdigit():
        return None if found is None else int(found)
    raise Corrupt(f"{prefix}:schema", "it contains no version")


def _check(version: int | None, prefix: str) -> None:
    if version is None:
        raise SchemaMissing(f"prefix {prefix!r} has no Agentkeep schema, and manage_schema is off")
    if version > SCHEMA_VERSION:
        raise SchemaTooNew(found=version, known=SCHEMA_VERSION)
