"""MongoDB: a replica set of one, which has transactions and change streams, and a standalone server, which has not."""

from __future__ import annotations

from typing import Any

import pymongo
from pymongo.errors import OperationFailure

from agentkeep_conformance.servers.chosen import Running
from agentkeep_conformance.servers.containers import start_container
from agentkeep_conformance.servers.programs import program
from agentkeep_conformance.servers.run import current_run, free_ports
from agentkeep_conformance.servers.started import Started

_INSTALL = "docker/native/install mongo"
_SET = "agentkeep"
_PORT = 27017
_ALREADY_INITIALISED = 23


class Mongo:
    """One mongod that takes writes; `replica_set`: as the only member of a set."""

    def __init__(self, name: str, *, replica_set: bool) -> None:
        self.name = name
        self._replica_set = replica_set

    def check(self, dsn: str) -> str:
        with _client(dsn) as client:
            if not client.admin.command("hello")["isWritablePrimary"]:
                raise RuntimeError("no primary yet")
            return str(client.server_info()["version"])

    def in_container(self) -> Running:
        # The member knows itself by its port inside; so the client must not ask it where to find the set.
        container = start_container(
            self.name,
            image="mongo:8.0.13",
            image_variable="AGENTKEEP_TEST_MONGO_IMAGE",
            port=_PORT,
            command=f"mongod --bind_ip_all --replSet {_SET}" if self._replica_set else "mongod --bind_ip_all",
        )
        dsn = f"mongodb://{container.address}/?directConnection=true"
        server = Started(dsn, [container], lambda dsn: self._check_member(dsn, _PORT))
        server.wait()
        return server

    def native(self) -> Running:
        mongod = program("mongod", _INSTALL)
        run = current_run()
        folder = run.data(self.name)
        (port,) = free_ports(1)
        command = [mongod, "--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"]
        suffix = ["--replSet", _SET] if self._replica_set else []
        process = run.process(self.name, [*command, *suffix])
        query = f"?replicaSet={_SET}" if self._replica_set else "?directConnection=true"
        server = Started(f"mongodb://127.0.0.1:{port}/{query}", [process], lambda dsn: self._check_member(dsn, port))
        server.wait()
        return server

    def _check_member(self, dsn: str, port: int) -> str:
        """Makes a new member, which knows itself by `port`, a set of its own; then as `check`."""
        if self._replica_set:
            _initiate(dsn.replace(f"replicaSet={_SET}", "directConnection=true"), port)
        return self.check(dsn)


def _initiate(direct: str, port: int) -> None:
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    with _client(direct) as client:
        try:
            client.admin.command("replSetInitiate", {"_id": _SET, "members": [member]})
        except OperationFailure as error:
            if error.code != _ALREADY_INITIALISED:
                raise


def _client(dsn: str) -> pymongo.MongoClient[dict[str, Any]]:
    return pymongo.MongoClient(dsn, serverSelectionTimeoutMS=5000, connectTimeoutMS=5000, socketTimeoutMS=10000)
