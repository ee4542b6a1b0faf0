"""A later release that moves a prefix to new indices, for the tests of that."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any
from unittest.mock import patch

from agentkeep import Keep
from agentkeep_conformance.servers.opensearch import request as ask
from agentkeep_conformance.storage.opensearch import indices
from agentkeep_opensearch import OpenSearchAdapter, migrating, schema, statements
from agentkeep_opensearch.bulk import GONE
from agentkeep_opensearch.client import Client


@contextmanager
def next_release(*, lease: int = 30) -> Generator[None]:
    """What opens within this knows version 2 of the schema. It migrates in small steps."""

    def load_json(name: str) -> dict[str, Any]:
        found = deepcopy(statements.load_json(name))
        if "_meta" in found:
            found["_meta"] = {"version": 2, "oldest": 1}
        return found

    with (
        patch.object(schema, "VERSION", 2),
        patch.object(schema, "load_json", load_json),
        patch.object(migrating, "_FEW", 50),
        patch.object(migrating, "_DOCUMENTS", 50),
        patch.object(migrating, "_LEASE_SECONDS", lease),
    ):
        yield


async def migrate(dsn: str, prefix: str) -> None:
    async with Keep(OpenSearchAdapter.from_url(dsn, prefix=prefix)) as keep:
        assert (await keep.health()).schema_version == 2


def check_ended(dsn: str, prefix: str) -> None:
    """The two new indices, each with its two aliases, and no document that only a migration writes."""
    found = indices(dsn, prefix)
    assert list(found) == [f"{prefix}-messages-2", f"{prefix}-sessions-2"]
    for name, index in found.items():
        alias = name.removesuffix("-2")
        marks: dict[str, Any] = {f"{prefix}-migrated": {}} if alias.endswith("-sessions") else {}
        assert index["aliases"] == {alias: {}, f"{alias}-removals": {"is_write_index": True}} | marks
        assert "blocks" not in index["settings"]["index"]
    assert left(dsn, prefix) == 0


@contextmanager
def requests_seen(after: Callable[[str, Any], None]) -> Generator[list[str]]:
    """The paths that are asked for within this. `after` is called with path and body after each reply."""
    whole = Client.request
    paths: list[str] = []

    async def request(client: Client, method: str, path: str, body: Any = None, **kwargs: Any) -> Any:
        reply = await whole(client, method, path, body, **kwargs)
        paths.append(path)
        after(path, body)
        return reply

    with patch.object(Client, "request", request):
        yield paths


def left(dsn: str, prefix: str) -> int:
    """How many such documents there are."""
    ask(dsn, "POST", f"/{prefix}-messages/_refresh")
    return ask(dsn, "POST", f"/{prefix}-messages/_count", {"query": {"term": {GONE: True}}})["count"]
