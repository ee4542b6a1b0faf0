"""The two indices of a prefix, their aliases, and the schema's version, which the mapping of the sessions holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from agentkeep.errors import Corrupt
from agentkeep.spi.schema import SchemaVersion, missing_steps

from agentkeep_opensearch.client import Client, Reply
from agentkeep_opensearch.statements import Names, load_json

VERSION = 1
_PAUSE = 0.05
_CREATION_SECONDS = 60.0
"""New indices may take longer than a call may: each waits for the cluster manager, and for an active shard."""


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
    if not missing:
        await _wait_for_shards(client, names, found.primaries)
        return found
    with client.until(max(client.deadline, asyncio.get_running_loop().time() + _CREATION_SECONDS)):
        # The sessions last: their index says that the schema is there.
        await _create(client, names.messages, _with_languages(settings.languages), settings, load_json("analysis"))
        await _create(client, names.sessions, load_json("sessions"), settings)
        found = await look(client, names)
        await _wait_for_shards(client, names, found.primaries)
        return found


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
        return Found(None, "request", 0, 0)
    sessions = next(index for index in reply.values() if names.sessions in index["aliases"])
    settings: Reply = sessions["settings"]["index"]
    durability = str(settings.get("translog", {}).get("durability", "request")).lower()
    primaries = sum(int(index["settings"]["index"]["number_of_shards"]) for index in reply.values())
    return Found(_version(sessions, names), durability, int(settings.get("number_of_replicas", 0)), primaries)


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


async def _create(
    client: Client, alias: str, mapping: dict[str, Any], settings: IndexSettings, analysis: Any = None
) -> None:
    index: dict[str, Any] = {"number_of_shards": settings.shards, "gc_deletes": "10m"}
    if settings.replicas is None:
        index["auto_expand_replicas"] = "0-1"
    else:
        index["number_of_replicas"] = settings.replicas
    if settings.refresh_interval is not None:
        index["refresh_interval"] = settings.refresh_interval
    if analysis is not None:
        index["analysis"] = analysis
    body: Any = {"settings": {"index": index}, "mappings": mapping, "aliases": {alias: {}}}
    await client.create_index(f"{alias}-{VERSION}", body)
