"""The schema: its version, which `open` writes or checks, and the scripts, which the server should know beforehand."""

from __future__ import annotations

from collections.abc import Sequence

from agentkeep.errors import Corrupt
from agentkeep.spi.resend import Effect
from agentkeep.spi.schema import SchemaVersion, missing_steps

from agentkeep_redis.client import RedisClient, checked
from agentkeep_redis.driver import Command, Reply
from agentkeep_redis.keys import Keys
from agentkeep_redis.statements import SCRIPTS, load_script

VERSION = 1
OLDEST = 1
"""The oldest version whose release may use what this one stores (LIFE-4)."""


async def prepare(client: RedisClient, keys: Keys, settings: Sequence[Command], *, manage: bool) -> list[Reply]:
    """Check the schema's version, and have the server know the scripts (LIFE-1). Returns the replies to `settings`.

    One exchange, and one more if the server lacks scripts. `manage`: write the version if there is none.
    Raises `SchemaMissing`, `SchemaTooNew`.
    """
    key = keys.schema()
    script: Command = ("EVAL", load_script("open").text, 1, key, f"{VERSION} {OLDEST}", "1" if manage else "0")
    known_scripts: Command = ("SCRIPT", "EXISTS", *(load_script(name).sha for name in SCRIPTS))
    found, known, *replies = await client.commands(key, [script, known_scripts, *settings], Effect.REPEATABLE)
    stored = schema_of(checked(found, client.server), keys.prefix)
    missing_steps(stored, known=VERSION, manage_schema=manage, name=f"prefix {keys.prefix!r}")
    await _load_scripts(client, key, checked(known, client.server))
    return replies


async def _load_scripts(client: RedisClient, key: bytes, known: Sequence[int]) -> None:
    """So that first calls need not be sent twice. What another node lacks, or a server forgets, is sent with a call."""
    missing = [load_script(name).text for name, is_known in zip(SCRIPTS, known, strict=True) if not is_known]
    if missing:
        for reply in await client.commands(key, [("SCRIPT", "LOAD", text) for text in missing], Effect.REPEATABLE):
            checked(reply, client.server)


def schema_of(found: bytes | None, prefix: str) -> SchemaVersion | None:
    """From "VERSION OLDEST". Raises `Corrupt` (ERR-4)."""
    if found is None:
        return None
    version, _, oldest = found.partition(b" ")
    if not (version.isdigit() and (oldest or version).isdigit()):
        raise Corrupt(f"{prefix}:schema", "it contains no version")
    return SchemaVersion(int(version), int(oldest or version))
