"""What the server says of itself, and what follows from it for what the adapter promises."""

from __future__ import annotations

from typing import NamedTuple

from agentkeep.capabilities import Durability
from agentkeep.spi.schema import SchemaVersion


class Server(NamedTuple):
    """The columns of the statement `server`."""

    version: int | None
    """Of our schema; None if it has none yet."""
    oldest: int | None
    trigrams: bool
    server: str
    encoding: str
    fsync: str
    full_page_writes: str
    synchronous_commit: str
    standbys: str
    isolation: str
    is_replica: bool

    @property
    def schema(self) -> SchemaVersion | None:
        return None if self.version is None or self.oldest is None else SchemaVersion(self.version, self.oldest)

    @property
    def durability(self) -> Durability:
        if self.fsync == "off" or self.full_page_writes == "off":
            return "os"
        if self.synchronous_commit == "off":
            return "interval"
        if self.standbys and self.synchronous_commit != "local":
            return "replicated"
        return "fsync"

    @property
    def warnings(self) -> list[str]:
        """Sentences for a human."""
        checks = [
            (self.fsync == "off", "fsync is off: a power cut can lose or corrupt acknowledged writes"),
            (self.full_page_writes == "off", "full_page_writes is off: a power cut can corrupt the database"),
            (
                self.synchronous_commit == "off",
                "synchronous_commit is off: a crash loses the writes of the last moments",
            ),
            (
                not self.trigrams,
                "pg_trgm is not installed: a search reads all messages of the tenant, session or user",
            ),
            (self.is_replica, "this server is a replica: every write fails"),
            (
                self.isolation != "read committed",
                f"default_transaction_isolation is {self.isolation}: writers of one session fail and try again",
            ),
        ]
        return [sentence for holds, sentence in checks if holds]
