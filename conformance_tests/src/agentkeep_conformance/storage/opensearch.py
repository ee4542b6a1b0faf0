"""What OpenSearch stores, in the indices whose names begin with the namespace and a hyphen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from agentkeep import PersistenceAdapter
from opensearchpy import AsyncOpenSearch

from agentkeep_conformance.enrolment import Enrolment, OverClient
from agentkeep_conformance.storage.names import CORPUS_NAMESPACE

_PAGE = 500


class OpenSearchStorage(Enrolment):
    """For an enrolment: reads, removes, saves and loads the indices of a namespace."""

    def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        return stored_bytes(dsn)

    async def drop(self, dsn: str, namespace: str) -> None:
        async with client_of(dsn) as client:
            for name in await names_of(client, namespace):
                await client.indices.delete(index=name)

    async def save_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await save_documents(dsn, namespace, file)

    async def load_corpus(self, dsn: str, namespace: str, file: Path) -> None:
        await load_documents(dsn, namespace, file)

    async def store_schema_version(self, dsn: str, namespace: str, version: int, oldest: int) -> None:
        async with client_of(dsn) as client:
            mapping = {"_meta": {"version": version, "oldest": oldest}}
            done = await client.indices.put_mapping(index=f"{namespace}-sessions", body=mapping)
            assert done["acknowledged"]


@asynccontextmanager
async def over_opensearch(client: AsyncOpenSearch, adapter: PersistenceAdapter) -> AsyncGenerator[OverClient]:
    """For an enrolment's `over_client`: an adapter over this client, which is closed at the end."""

    async def client_works() -> bool:
        return bool((await client.info())["version"])

    async with client:
        yield OverClient(adapter, client_works)


def client_of(dsn: str) -> AsyncOpenSearch:
    """The caller closes it."""
    parts = urlsplit(dsn)
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    is_tls = parts.scheme == "opensearchs"
    return AsyncOpenSearch(
        hosts=[{"host": parts.hostname, "port": parts.port}], http_auth=login, use_ssl=is_tls, max_retries=0, timeout=60
    )


async def names_of(client: AsyncOpenSearch, namespace: str = "") -> list[str]:
    """The names of indices; without a namespace all but the server's own."""
    found = await client.indices.get(index=f"{namespace}-*" if namespace else "*", ignore_unavailable=True)
    return sorted(name for name in found if not name.startswith("."))


async def stored_bytes(dsn: str) -> AsyncIterator[bytes]:
    """The id, the routing and the source of every document."""
    async with client_of(dsn) as client:
        for name in await names_of(client):
            yield name.encode()
            async for hit in _documents(client, name):
                yield hit["_id"].encode()
                yield str(hit.get("_routing", "")).encode()
                for part in _texts(hit["_source"]):
                    yield part.encode()


def _texts(value: Any) -> list[str]:
    """Every text within, not as JSON, which would escape it."""
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *_texts(item))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [str(value)]


async def _documents(client: AsyncOpenSearch, name: str) -> AsyncIterator[dict[str, Any]]:
    await client.indices.refresh(index=name)
    body = {"size": _PAGE, "seq_no_primary_term": True, "version": True}
    reply = await client.search(index=name, body=body, scroll="1m")
    while reply["hits"]["hits"]:
        for hit in reply["hits"]["hits"]:
            yield hit
        reply = await client.scroll(scroll_id=reply["_scroll_id"], scroll="1m")
    await client.clear_scroll(scroll_id=reply["_scroll_id"])


async def save_documents(dsn: str, namespace: str, file: Path) -> None:
    """Write a corpus: a line for each index, and one for each of its documents."""
    lines: list[str] = []
    async with client_of(dsn) as client:
        for name in await names_of(client, namespace):
            index = (await client.indices.get(index=name))[name]
            settings = index["settings"]["index"]
            kept = {key: settings[key] for key in ("analysis", "gc_deletes", "number_of_shards") if key in settings}
            made = {"mappings": index["mappings"], "aliases": index["aliases"], "settings": {"index": kept}}
            lines.append(json.dumps({"index": name, "body": made}))
            documents = [
                {"id": hit["_id"], "routing": hit.get("_routing"), "version": hit["_version"], "source": hit["_source"]}
                async for hit in _documents(client, name)
            ]
            lines += [json.dumps(each) for each in sorted(documents, key=lambda each: each["id"])]
    text = "\n".join(lines).replace(namespace, CORPUS_NAMESPACE)
    await asyncio.to_thread(file.write_text, text + "\n")


async def load_documents(dsn: str, namespace: str, file: Path) -> None:
    """Put a corpus into a database without it."""
    text = await asyncio.to_thread(file.read_text)
    index = ""
    async with client_of(dsn) as client:
        for line in text.replace(CORPUS_NAMESPACE, namespace).splitlines():
            found = json.loads(line)
            if "index" in found:
                index = found["index"]
                await client.indices.create(index=index, body=found["body"])
                continue
            routing = {"routing": found["routing"]} if found["routing"] else {}
            version = {"version": found["version"], "version_type": "external"}
            await client.index(index=index, id=found["id"], body=found["source"], params={**routing, **version})
