"""Every key and channel of Redis that the adapter uses, one function each.

A key never contains an id, because an id may contain `{`, `}`, `:` or anything else (ISO-2). It contains the id's
digest, as the hash tag that puts all keys of a session, and all keys of a tenant's index, into one slot of a cluster.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b

_TAG_BYTES = 18
_FACET_BYTES = 12


class Keys:
    """The keys below one prefix (ISO-3)."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def schema(self) -> bytes:
        """The version of the schema."""
        return f"{self.prefix}:schema".encode()

    def tenants(self) -> bytes:
        """The set of all tenants that have sessions."""
        return f"{self.prefix}:tenants".encode()

    def session(self, tenant: str, session_id: str) -> list[bytes]:
        """A session's hash, its log and its messages."""
        head = self._head(tenant, session_id)
        return [head + b"session", head + b"log", head + b"messages"]

    def channel(self, tenant: str, session_id: str) -> str:
        """The channel on which each change of a session is published."""
        return (self._head(tenant, session_id) + b"changes").decode()

    def index(self, tenant: str) -> list[bytes]:
        """A tenant's index: entries, rows, expiry."""
        head = self._index_head(tenant)
        return [head + b"entries", head + b"rows", head + b"expiry"]

    def pending(self, tenant: str) -> bytes:
        """Rows that a tenant's index does not have yet; on a single server only."""
        return self._index_head(tenant) + b"pending"

    def intents(self, tenant: str) -> bytes:
        """The sessions of a tenant that a writer is about to change; on a cluster only."""
        return self._index_head(tenant) + b"intents"

    def _head(self, tenant: str, session_id: str) -> bytes:
        return f"{self.prefix}:{{{_session_tag(tenant, session_id)}}}:".encode()

    def _index_head(self, tenant: str) -> bytes:
        return f"{self.prefix}:{{{_digest('tenant', tenant, _TAG_BYTES)}}}:".encode()


def facet(kind: str, value: str) -> str:
    """The 16 characters that stand for a filterable value in the index."""
    return _digest(kind, value, _FACET_BYTES)


@lru_cache(maxsize=4096)
def _session_tag(tenant: str, session_id: str) -> str:
    return _digest("session", f"{len(tenant)}:{tenant}{session_id}", _TAG_BYTES)


@lru_cache(maxsize=4096)
def _digest(kind: str, value: str, size: int) -> str:
    return urlsafe_b64encode(blake2b(f"{kind}:{value}".encode(), digest_size=size).digest()).decode()
