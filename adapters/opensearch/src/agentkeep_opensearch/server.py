"""What the server says of itself."""

from __future__ import annotations

from agentkeep.capabilities import Durability
from agentkeep.errors import ConfigurationError

from agentkeep_opensearch.client import Client
from agentkeep_opensearch.schema import Found


async def version_of(client: Client) -> str:
    version = (await client.request("GET", "/"))["version"]
    return f"{version.get('distribution', 'elasticsearch')} {version['number']}"


async def longest_body(client: Client) -> int:
    """Bytes: the smallest `http.max_content_length` of all nodes. A user without the right to ask gets the default."""
    path = "/_nodes/http"
    try:
        reply = await client.request("GET", path, params={"filter_path": "nodes.*.http.max_content_length_in_bytes"})
    except ConfigurationError:
        return client.longest_body
    limits = [int(node["http"]["max_content_length_in_bytes"]) for node in reply.get("nodes", {}).values()]
    return min(limits, default=client.longest_body)


def durability_of(found: Found) -> Durability:
    if found.durability != "request":
        return "interval"
    return "fsync"


def warnings_of(found: Found) -> list[str]:
    if found.durability == "request":
        return []
    return ["index.translog.durability is async: a crash of the server loses the last seconds"]
