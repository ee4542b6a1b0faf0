"""The two indices of a prefix, their aliases, and the schema's version, which the mapping of the sessions holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from agentkeep.errors import ConfigurationError, Corrupt, SchemaMissing
from agentkeep.spi.schema import SchemaVersion, missing_steps

from agentkeep_opensearch.client import Client
from agentkeep_opensearch.driver import Reply
from agentkeep_opensearch.migrating import Migration, Plan, finish
from agentkeep_opensearch.statements import Names, load_json

VERSION = 1
_PAUSE = 0.05
_CREATION_SECONDS = 60.0
"""New indices may take longer than a call may: each waits for the cluster manager, and for an active shard."""
_MIGRATION_SECONDS = 7 * 86_400.0
"""So long an `open` migrates, or waits for the process that does."""
_NEWEST_FIRST = {"field": ["updated_at", "id"], "order": ["desc", "desc"]}
"""How each segment stores its sessions. A listing in that order stops at the end of its page. Without this it looks at
every session that its filter leaves (READ-5): 87 ms instead of 5 for 20 of 200,000 (3.8.0)."""


class IndexSettings(NamedTuple):
    shards: int = 1
    replicas: int | None = None
    """None: as many as there are other nodes, one at most."""
    refresh_interval: str | None = None
    """None: the server's default."""
    languages: tuple[str, ...] = ()
    """Further ones in which the text of messages is analysed: names of the server's analyzers."""


class Found(NamedTuple):
    version: SchemaVersion | None
    indices: tuple[str, ...]
    """That of the messages, and that of the sessions."""
    is_unfinished: bool
    """A migration to this version has not ended."""
    durability: str
    replicas: int
    primaries: int
    """Shards of both indices, without their copies."""


async def prepare(client: Client, names: Names, settings: IndexSettings, *, manage: bool) -> Found:
    """Check the schema's version, and create the indices if there are none (LIFE-1).

    Raises `SchemaMissing`, `SchemaTooNew`, `Corrupt`.
    """
    found = await look(client, names)
    missing = missing_steps(
        found.version, known=VERSION, manage_schema=manage, name=f"prefix {names.prefix!r}", remedy=""
    )
    is_own = found.version is not None and found.version.version == VERSION
    if found.version is not None and (missing or (found.is_unfinished and is_own and manage)):
        with client.until(asyncio.get_running_loop().time() + _MIGRATION_SECONDS):
            await _migrate(client, names, settings, found.indices)
            return await look(client, names)
    if not missing:
        await _wait_for_shards(client, names, found.primaries)
        return found
    with client.until(max(client.deadline, asyncio.get_running_loop().time() + _CREATION_SECONDS)):
        # The sessions last: their index says that the schema is there.
        for plan in plans_of(names, settings):
            aliases: Reply = {plan.alias: {}, plan.removals: {}}
            await client.create_index(plan.name, {**plan.body, "aliases": aliases})
        found = await look(client, names)
        await _wait_for_shards(client, names, found.primaries)
        return found


async def _migrate(client: Client, names: Names, settings: IndexSettings, old: Sequence[str]) -> None:
    plans = plans_of(names, settings)

    async def is_over() -> bool:
        version = (await look(client, names)).version
        if version is None:
            raise SchemaMissing(f"prefix {names.prefix!r}: its indices were removed during a migration")
        return version.version >= VERSION

    await Migration(client, names, plans, old).run(is_over)
    await finish(client, names, plans)


async def _wait_for_shards(client: Client, names: Names, primaries: int) -> None:
    """An index that another process is creating exists before its shards answer. Raises `Unavailable`.

    The status tells nothing: OpenSearch 3.8 calls an index yellow whose primary is not assigned yet.
    """
    path = f"/_cluster/health/{names.sessions},{names.messages}"
    while True:
        seconds = max(0.0, client.deadline - asyncio.get_running_loop().time())
        params = {"wait_for_active_shards": primaries, "timeout": f"{int(seconds * 900)}ms"}
        reply = await client.request("GET", path, params=params)
        if reply.get("active_primary_shards", 0) >= primaries:
            return
        await asyncio.sleep(_PAUSE)


async def look(client: Client, names: Names) -> Found:
    reply = await client.request("GET", f"/{names.sessions},{names.messages}", may_be_absent=True)
    if "error" in reply:
        return Found(None, (), False, "request", 0, 0)
    if not all(isinstance(index, dict) and "aliases" in index for index in reply.values()) or not reply:
        raise ConfigurationError(f"{client.server} does not answer as OpenSearch does: check the host and the port")
    sessions = next(index for index in reply.values() if names.sessions in index["aliases"])
    settings: Reply = sessions["settings"]["index"]
    durability = str(settings.get("translog", {}).get("durability", "request")).lower()
    primaries = sum(int(index["settings"]["index"]["number_of_shards"]) for index in reply.values())
    by_alias = {alias: index for index, each in reply.items() for alias in each["aliases"]}
    return Found(
        version=_version(sessions, names),
        indices=(by_alias[names.messages], by_alias[names.sessions]),
        is_unfinished=names.unfinished in sessions["aliases"],
        durability=durability,
        replicas=int(settings.get("number_of_replicas", 0)),
        primaries=primaries,
    )


def _with_languages(languages: Sequence[str]) -> dict[str, Any]:
    """The mapping of messages, with a field for each language."""
    mapping = deepcopy(load_json("messages"))
    fields = mapping["properties"]["search_text"]["fields"]
    fields |= {language: {"type": "text", "analyzer": language} for language in languages}
    return mapping


def _version(index: Reply, names: Names) -> SchemaVersion:
    meta: Any = index["mappings"].get("_meta")
    try:
        return SchemaVersion(int(meta["version"]), int(meta["oldest"]))
    except (LookupError, TypeError, ValueError) as error:
        raise Corrupt(f"the mapping of {names.sessions}", "its _meta contains no version") from error


def plans_of(names: Names, settings: IndexSettings) -> tuple[Plan, Plan]:
    """The index of the messages, and that of the sessions."""
    messages, sessions = names.messages, names.sessions
    mapping = _with_languages(settings.languages)
    return (
        Plan(
            name=f"{messages}-{VERSION}",
            alias=messages,
            removals=names.removals_of_messages,
            body={
                "settings": {"index": {**_settings(settings), "analysis": load_json("analysis")}},
                "mappings": mapping,
            },
        ),
        Plan(
            name=f"{sessions}-{VERSION}",
            alias=sessions,
            removals=names.removals_of_sessions,
            body={
                "settings": {"index": {**_settings(settings), "sort": _NEWEST_FIRST}},
                "mappings": load_json("sessions"),
            },
        ),
    )


def _settings(settings: IndexSettings) -> dict[str, Any]:
    index: dict[str, Any] = {
        "number_of_shards": settings.shards,
        "gc_deletes": "10m",
        # For whoever expunges what was deleted. By default a segment stays of which less than 10 % is.
        "merge.policy.expunge_deletes_allowed": 0,
    }
    if settings.replicas is None:
        index["auto_expand_replicas"] = "0-1"
    else:
        index["number_of_replicas"] = settings.replicas
    if settings.refresh_interval is not None:
        index["refresh_interval"] = settings.refresh_interval
    return index
