"""Whether this release may use the schema that it finds, and which migrations it must run first.

A schema stores two numbers: its version, and the oldest version whose release may still read and write it. A migration
that only adds something leaves the second number as it is, so that during a rolling deploy a process of the release
before can still restart (LIFE-4).

    VERSION = len(steps)            # what this release knows
    OLDEST = 1                      # the oldest version whose release may use what `steps` make

    found = await self._find()      # a `SchemaVersion`, or None if there is none
    missing = missing_steps(found, known=VERSION, manage_schema=self._manage_schema, name="schema 'agentkeep_'")
    if missing:
        async with self._locked() as db:
            # again, because another process may have migrated while this one waited for the lock
            for number in missing_steps(await self._find(), known=VERSION, manage_schema=True, name=...):
                await db.run(steps[number - 1])
            await db.store(SchemaVersion(VERSION, OLDEST))

(LIFE-1, LIFE-4)
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from agentkeep.errors import SchemaMissing, SchemaTooNew

_log = logging.getLogger("agentkeep")


class SchemaVersion(NamedTuple):
    """What a database stores about its schema."""

    version: int
    oldest: int
    """The oldest version whose release may still use this schema."""


def missing_steps(
    found: SchemaVersion | None, *, known: int, manage_schema: bool, name: str, remedy: str = ""
) -> range:
    """The numbers of the migrations to run, in order; an empty range if the schema can be used as it is.

    `known`: the version that this release makes. `name` says which schema, `remedy` what its owner must do if
    `manage_schema` is off. Raises `SchemaTooNew`, `SchemaMissing`.
    """
    version = 0 if found is None else found.version
    if found is not None and version > known:
        if known < found.oldest:
            raise SchemaTooNew(found=version, known=known, oldest=found.oldest)
        return range(0)
    if version < known and not manage_schema:
        what = f"{name} has version {version}" if version else f"{name} does not exist"
        how = remedy or "open it once with manage_schema=True"
        raise SchemaMissing(f"{what}; this release needs version {known}, and manage_schema is off: {how}")
    if version < known:
        _log.info("%s: version %d was found, version %d is needed: migrating", name, version, known)
    return range(version + 1, known + 1)
