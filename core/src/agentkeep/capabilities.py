"""What an adapter declares. Core reads it before each call, and refuses what is not declared, alike on all backends.

Order, atomicity, fidelity, isolation, paging, TTL and typed errors are never optional and so are not listed here.
"""

from typing import Literal

from msgspec import Struct

Durability = Literal["process", "interval", "os", "fsync", "replicated"]
"""What an acknowledged write survives. `process`: nothing that ends our process. `interval`: a crash of the server, but
not the last moment before it. `os`: a killed process, but no power cut. `fsync`: a power cut. `replicated`: the loss of
a host."""

MIN_MESSAGE_BYTES = 8 * 1024 * 1024
"""FID-4: no adapter may declare a smaller `max_message_bytes`."""


class Capabilities(Struct, frozen=True, kw_only=True):
    """Flags, limits and grades of one adapter as it is opened."""

    search: bool = False
    """`messages.search` (SRCH-1)."""
    watch: bool = False
    """`messages.watch` (WATCH-1)."""
    native_ttl: bool = False
    """The server removes what has expired by itself; `sweep` only finds what is left."""
    server_clock: bool = False
    """The server's clock sets times and decides expiry; otherwise core's does (TTL-1)."""
    shared: bool = True
    """Two processes that open the same URL see the same data."""
    max_message_bytes: int = MIN_MESSAGE_BYTES
    """Of one message's encoded payload, in UTF-8."""
    max_session_bytes: int = MIN_MESSAGE_BYTES
    """Of one session's encoded `state` and `metadata` together, in UTF-8."""
    max_batch: int = 1_000
    """Messages of one append."""
    durability: Durability = "fsync"
