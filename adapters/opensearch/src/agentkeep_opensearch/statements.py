"""The mappings and scripts, loaded from their files, and the names and ids of what is stored."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec


@cache
def load(name: str) -> str:
    """The text of a file of `mappings/`."""
    return (files("agentkeep_opensearch") / "mappings" / name).read_text("utf-8")


@cache
def load_json(name: str) -> dict[str, Any]:
    return msgspec.json.decode(load(f"{name}.json"))


class Names(NamedTuple):
    """The aliases of one prefix. No prefix may contain a hyphen, so two prefixes never meet (ISO-3)."""

    prefix: str

    @property
    def sessions(self) -> str:
        return f"{self.prefix}-sessions"

    @property
    def messages(self) -> str:
        return f"{self.prefix}-messages"

    @property
    def removals_of_sessions(self) -> str:
        """What deletes documents goes through these two. A migration closes them (docs/adr/0013)."""
        return f"{self.prefix}-sessions-removals"

    @property
    def removals_of_messages(self) -> str:
        return f"{self.prefix}-messages-removals"

    @property
    def unfinished(self) -> str:
        """An alias of the sessions' index, as long as a migration to it has not ended."""
        return f"{self.prefix}-unfinished"

    @property
    def migrated(self) -> str:
        """An alias of the sessions' index, if a migration made it."""
        return f"{self.prefix}-migrated"


def hashed(*parts: str) -> str:
    """32 hexadecimal digits for a tuple of texts. An id may have 512 bytes, and ours together have more."""
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()


def session_key(tenant: str, session_id: str) -> str:
    """The `_id` of a session's document, and the routing of its messages."""
    return hashed(tenant, session_id)


def message_key(session: str, life: int, seq: int) -> str:
    """The `_id` of a message's document; as long for a large seq as for a small one (READ-3)."""
    return f"{session}:{life}:{seq:014x}"


def pointer_key(session: str, message_id: str) -> str:
    """The `_id` of the document that says which seq a message id has."""
    return f"p{hashed(session, message_id)}"
