"""What a fault of files stands on: the memory adapter, which reads one JSON file at each call and rewrites it whole."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar

import msgspec
from agentkeep import PersistenceAdapter
from agentkeep.capabilities import Capabilities
from agentkeep.records import SessionRecord
from agentkeep.spi.clock import Clock, utc_now
from agentkeep_conformance import AdapterConformance
from agentkeep_memory import MemoryAdapter
from agentkeep_memory.client import Client, Database
from agentkeep_memory.messages import MemoryMessages
from agentkeep_memory.rows import Entry, StoredMessage
from agentkeep_memory.sessions import MemorySessions


class Stored(msgspec.Struct):
    tenant: str
    record: SessionRecord
    labels: list[str]
    log: list[StoredMessage]


class OneFile:
    """The lock of a database in a file. Who takes it reads the file; who releases it writes what changed."""

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path
        self._lock = RLock()
        self._depth = 0
        self._content = b""
        self._others = -1

    def __enter__(self) -> None:
        self._lock.acquire()
        self._depth += 1
        if self._depth == 1:
            self._others = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
            fcntl.flock(self._others, fcntl.LOCK_EX)
            self._content = self._path.read_bytes() if self._path.exists() else b"[]"
            self._database.entries = _entries(self._content)

    def __exit__(self, *error: object) -> None:
        try:
            if self._depth == 1:
                content = _content(self._database.entries)
                if content != self._content:
                    self.save(self._path, content)
                os.close(self._others)
        finally:
            self._depth -= 1
            self._lock.release()

    def save(self, path: Path, content: bytes) -> None:
        """Replace the file by a new one, which is safe before it has the name."""
        new = path.with_suffix(".new")
        write(new, content, sync=True)
        new.replace(path)


def write(path: Path, content: bytes, *, sync: bool) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        if sync:
            os.fsync(file.fileno())


def _content(entries: dict[tuple[str, str], Entry]) -> bytes:
    stored = [Stored(tenant, e.record, sorted(e.labels), e.log) for (tenant, _), e in entries.items()]
    return msgspec.json.encode(stored)


def _entries(content: bytes) -> dict[tuple[str, str], Entry]:
    return {
        (each.tenant, each.record.id): Entry(
            each.record, frozenset(each.labels), each.log, {message.id: message for message in each.log}
        )
        for each in msgspec.json.decode(content, type=list[Stored])
    }


class FileAdapter(MemoryAdapter):
    capabilities = Capabilities(search=True, durability="fsync")

    def __init__(self, path: Path, lock: type[OneFile], *, clock: Clock = utc_now) -> None:
        database = Database()
        setattr(database, "lock", lock(database, path))  # noqa: B010 - it is no lock of a thread alone
        self._client = Client(database, clock)
        self.sessions = MemorySessions(self._client)
        self.messages = MemoryMessages(self._client)


class OverFile(AdapterConformance):
    lock: ClassVar[type[OneFile]] = OneFile

    def open(self, dsn: str, namespace: str, **options: Any) -> PersistenceAdapter:
        return FileAdapter(_path(dsn, namespace), self.lock, **options)

    async def scan(self, dsn: str, namespace: str) -> AsyncIterator[bytes]:
        for content in _all_in(Path(dsn)):
            yield content


def _path(dsn: str, namespace: str) -> Path:
    return Path(dsn, f"{namespace}.json")


def _all_in(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.glob("*.json")]
