"""What the server says of itself."""

from __future__ import annotations

from agentkeep.capabilities import Durability

from agentkeep_opensearch.client import Client
from agentkeep_opensearch.schema import Found


async def version_of(client: Client) -> str:
    version = (await client.request("GET", "/"))["version"]
    return f"{version.get('distribution', 'elasticsearch')} {version['number']}"


def durability_of(found: Found) -> Durability:
    if found.durability != "request":
        return "interval"
    return "fsync"


def warnings_of(found: Found) -> list[str]:
    if found.durability == "request":
        return []
    return ["index.translog.durability is async: a crash of the server loses the last seconds"]
