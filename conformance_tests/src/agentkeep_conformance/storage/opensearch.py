"""What OpenSearch stores, in the indices whose names begin with the namespace and a hyphen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from agentkeep_conformance.enrolment import Enrolment
from agentkeep_conformance.servers.opensearch import exchange, request
from agentkeep_conformance.storage.names import CORPUS_NAMESPACE

_PAGE = 500
_KEPT_SETTINGS = ("analysis", "gc_deletes", "number_of_shards", "sort")


class OpenSearchStorage(Enrolment):
    """For an enrolment: reads, removes, saves and loads the indices of a namespace."""

    def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        return stored_bytes(dsn)

    async def records(self, dsn: str, namespace: str) -> int:
        return await asyncio.to_thread(count_documents, dsn, namespace)

    async def drop(self, dsn: str, namespace: str) -> None:
        await asyncio.to_thread(drop_indices, dsn, namespace)

    async def empty(self, dsn: str, namespace: str) -> bool:
        return await asyncio.to_thread(delete_documents, dsn, namespace)

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await asyncio.to_thread(save_documents, dsn, namespace, file)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await asyncio.to_thread(load_documents, dsn, namespace, file)

    async def store_schema_version(self, dsn: str, namespace: str, version: int, oldest: int) -> None:
        mapping = {"_meta": {"version": version, "oldest": oldest}}
        reply = await asyncio.to_thread(request, dsn, "PUT", f"/{namespace}-sessions/_mapping", mapping)
        assert reply["acknowledged"]


def indices(dsn: str, namespace: str = "") -> dict[str, Any]:
    """By name; without a namespace all but the server's own."""
    found = request(dsn, "GET", f"/{namespace}-*" if namespace else "/*")
    return {name: found[name] for name in sorted(found) if not name.startswith(".")}


def drop_indices(dsn: str, namespace: str) -> None:
    names = ",".join(indices(dsn, namespace))
    if names:
        request(dsn, "DELETE", f"/{names}")


def count_documents(dsn: str, namespace: str) -> int:
    """All of a namespace."""
    names = ",".join(indices(dsn, namespace))
    if not names:
        return 0
    request(dsn, "POST", f"/{names}/_refresh")
    return int(request(dsn, "GET", f"/{names}/_count")["count"])


def delete_documents(dsn: str, namespace: str) -> bool:
    """All of a namespace, which keeps its indices: to create two takes longer. False if there are none."""
    status, _ = exchange(dsn, "POST", f"/{namespace}-sessions,{namespace}-messages/_refresh")
    if status != HTTPStatus.OK:
        return False
    path = f"/{namespace}-sessions,{namespace}-messages/_delete_by_query?refresh=true"
    reply = request(dsn, "POST", path, {"query": {"match_all": {}}})
    return not reply["failures"]


async def stored_bytes(dsn: str) -> AsyncIterator[bytes]:
    """The name of every index; the id, the routing and the texts of every document."""
    for name in await asyncio.to_thread(indices, dsn):
        yield name.encode()
        for document in await asyncio.to_thread(_all_documents, dsn, name):
            yield document["_id"].encode()
            yield str(document.get("_routing", "")).encode()
            for part in _texts(document["_source"]):
                yield part.encode()


def _texts(value: Any) -> Iterator[str]:
    """Every text within, not as JSON, which would escape it."""
    if isinstance(value, dict):
        for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield str(key)  # pyright: ignore[reportUnknownArgumentType]
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(item)
    else:
        yield str(value)


def _all_documents(dsn: str, index: str) -> list[dict[str, Any]]:
    return list(_documents(dsn, index))


def _documents(dsn: str, index: str) -> Iterator[dict[str, Any]]:
    """All of an index; the index may go meanwhile, as other tests drop theirs."""
    exchange(dsn, "POST", f"/{index}/_refresh")
    status, reply = exchange(dsn, "POST", f"/{index}/_search?scroll=1m", {"size": _PAGE, "version": True})
    if status == HTTPStatus.NOT_FOUND:
        return
    assert status == HTTPStatus.OK, reply
    while reply["hits"]["hits"]:
        yield from reply["hits"]["hits"]
        reply = request(dsn, "POST", "/_search/scroll", {"scroll": "1m", "scroll_id": reply["_scroll_id"]})
    request(dsn, "DELETE", "/_search/scroll", {"scroll_id": reply["_scroll_id"]})


def save_documents(dsn: str, namespace: str, file: Path) -> None:
    """Write a corpus: a line for each index, and one for each of its documents."""
    lines: list[str] = []
    for name, index in indices(dsn, namespace).items():
        settings = index["settings"]["index"]
        kept = {key: settings[key] for key in _KEPT_SETTINGS if key in settings}
        made = {"mappings": index["mappings"], "aliases": index["aliases"], "settings": {"index": kept}}
        lines.append(json.dumps({"index": name, "body": made}))
        documents: list[dict[str, Any]] = [
            {
                "id": found["_id"],
                "routing": found.get("_routing"),
                "version": found["_version"],
                "source": found["_source"],
            }
            for found in _documents(dsn, name)
        ]
        lines += [json.dumps(each) for each in sorted(documents, key=lambda each: each["id"])]
    file.write_text("\n".join(lines).replace(namespace, CORPUS_NAMESPACE) + "\n")


def load_documents(dsn: str, namespace: str, file: Path) -> None:
    """Put a corpus into a database without it."""
    index = ""
    for line in file.read_text().replace(CORPUS_NAMESPACE, namespace).splitlines():
        found = json.loads(line)
        if "index" in found:
            index = found["index"]
            request(dsn, "PUT", f"/{index}", found["body"])
            continue
        routing = f"&routing={found['routing']}" if found["routing"] else ""
        version = f"version={found['version']}&version_type=external"
        request(dsn, "PUT", f"/{index}/_doc/{found['id']}?{version}{routing}", found["source"])
