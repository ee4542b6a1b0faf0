"""The server: one process, a memory database for each namespace, one file for each session.

    python -m wire.server DIRECTORY [PORT]

It prints its port, and ends with its standard input, its data too, so that it never outlives who started it. A write
is on disk before it is answered, each session's file replaced whole: a SIGKILL leaves it whole or not at all.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from agentkeep import PersistenceError
from agentkeep.records import SessionRecord
from agentkeep_memory import MemoryAdapter
from agentkeep_memory.client import named_database
from agentkeep_memory.rows import Entry, StoredMessage

from .errors import to_wire
from .frames import VERBS, Request, pack_answer, read_frame, unpack_request


class StoredSession(msgspec.Struct):
    """A session's file."""

    namespace: str
    tenant: str
    record: SessionRecord
    labels: frozenset[str]
    log: list[StoredMessage]


class Namespace:
    """One namespace's memory database and its files."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.adapter = MemoryAdapter(name)
        self._database = named_database(name)
        self._directory = directory
        self._written: dict[tuple[str, str], SessionRecord] = {}

    def load(self, stored: StoredSession) -> None:
        by_id = {message.id: message for message in stored.log}
        key = (stored.tenant, stored.record.id)
        self._database.entries[key] = Entry(stored.record, stored.labels, stored.log, by_id)
        self._written[key] = stored.record

    def save(self) -> None:
        """Bring the files in line with the memory: every change of a session gives it another record."""
        entries = self._database.entries
        for key in self._written.keys() - entries.keys():
            self._file(key).unlink()
            del self._written[key]
        for key, entry in entries.items():
            if self._written.get(key) is not entry.record:
                stored = StoredSession(self.name, key[0], entry.record, entry.labels, entry.log)
                replace_file(self._file(key), msgspec.msgpack.encode(stored))
                self._written[key] = entry.record

    def dump(self) -> list[bytes]:
        """All that the files hold, and the files' names."""
        files = [self._file(key) for key in self._written]
        return [part for file in files for part in (file.name.encode(), file.read_bytes())]

    def _file(self, key: tuple[str, str]) -> Path:
        digest = hashlib.blake2b(msgspec.msgpack.encode((self.name, *key)), digest_size=16).hexdigest()
        return self._directory / f"{digest}.session"


def replace_file(file: Path, content: bytes) -> None:
    fresh = file.with_suffix(".fresh")
    fresh.write_bytes(content)
    os.replace(fresh, file)


class Server:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._namespaces: dict[str, Namespace] = {}
        for file in directory.glob("*.session"):
            stored = msgspec.msgpack.decode(file.read_bytes(), type=StoredSession)
            self._namespace(stored.namespace).load(stored)

    def _namespace(self, name: str) -> Namespace:
        if name not in self._namespaces:
            self._namespaces[name] = Namespace(name, self._directory)
        return self._namespaces[name]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                writer.write(await self._answer(await read_frame(reader)))
                await writer.drain()
        writer.close()

    async def _answer(self, body: bytes) -> bytes:
        request, arguments = unpack_request(body)
        try:
            result = await self._do(request, arguments)
        except PersistenceError as error:
            return pack_answer(*to_wire(error))
        return pack_answer(None, result)

    async def _do(self, request: Request, arguments: tuple[Any, ...]) -> Any:
        if request.verb == "adapter.scan":
            return [part for namespace in self._namespaces.values() for part in namespace.dump()]
        namespace = self._namespace(request.namespace)
        try:
            return await _call(namespace.adapter, request.verb, request.scope, arguments)
        finally:
            if VERBS[request.verb].writes:
                namespace.save()


async def _call(adapter: MemoryAdapter, verb: str, scope: Any, arguments: tuple[Any, ...]) -> Any:
    """The memory adapter's verb; what it takes by keyword comes in the order of `frames.VERBS`."""
    sessions, messages = adapter.sessions, adapter.messages
    match verb, arguments:
        case "sessions.create", (draft, or_get):
            return await sessions.create(scope, draft, or_get=or_get)
        case "sessions.resume", (session_id, tail):
            return await sessions.resume(scope, session_id, tail=tail)
        case "sessions.update", (session_id, changes, add, expected_version):
            return await sessions.update(scope, session_id, changes, add=add, expected_version=expected_version)
        case "sessions.list", (query, order, limit, after):
            return await sessions.list(scope, query, order, limit=limit, after=after)
        case "sessions.touch", (session_id, ttl):
            return await sessions.touch(scope, session_id, ttl=ttl)
        case "sessions.delete", (session_id, expected_version):
            return await sessions.delete(scope, session_id, expected_version=expected_version)
        case "sessions.delete_many", (query, limit):
            return await sessions.delete_many(scope, query, limit=limit)
        case "messages.replace", (session_id, message, expected):
            return await messages.replace(scope, session_id, message, expected=expected)
        case "messages.truncate", (session_id, after_seq):
            return await messages.truncate(scope, session_id, after_seq=after_seq)
        case "messages.trim", (session_id, keep_last):
            return await messages.trim(scope, session_id, keep_last=keep_last)
        case "adapter.sweep", (limit,):
            return await adapter.sweep(scope, limit=limit)
        case "adapter.health", ():
            health = await adapter.health()
            return msgspec.structs.replace(health, adapter="wire", server="wire 0.1", durability="os", warnings=[])
        case "adapter.drop", ():
            return adapter.restore({})
        case _:
            repository, name = verb.split(".")
            return await getattr(getattr(adapter, repository), name)(scope, *arguments)


async def main(directory: Path, port: int) -> None:
    server = await asyncio.start_server(Server(directory).serve, "127.0.0.1", port, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    shutil.rmtree(directory, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
