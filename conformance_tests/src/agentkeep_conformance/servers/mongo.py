"""MongoDB: a standalone server, and replica sets of one and of three, which have transactions and change streams."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import OperationFailure

from agentkeep_conformance.servers.chosen import Running
from agentkeep_conformance.servers.containers import start_container
from agentkeep_conformance.servers.process import Process
from agentkeep_conformance.servers.programs import program
from agentkeep_conformance.servers.run import current_run, free_ports
from agentkeep_conformance.servers.started import Node, Started

_INSTALL = "docker/native/install mongo"
_SET = "agentkeep"
_IMAGE = "mongo:8.0.13"
_IMAGE_VARIABLE = "AGENTKEEP_TEST_MONGO_IMAGE"
_MEMBERS = 3
_USER = "root"
_ALREADY_INITIALISED = 23
_CHEAPER = [
    "--setParameter",
    "diagnosticDataCollectionEnabled=false",
    "--setParameter",
    "scramSHA256IterationCount=5000",
]
"""Many members idle and many clients are new in a run. The members' own diagnostics, and 15,000 rounds of hashing for
each client, would take much of the processors' time. 5,000 rounds are the fewest that MongoDB 6.0 allows."""


class Mongo:
    """One mongod; `replica_set`: as the only member of a set."""

    def __init__(self, name: str, *, replica_set: bool) -> None:
        self.name = name
        self._replica_set = replica_set

    def check(self, dsn: str) -> str:
        return check(dsn)

    def in_container(self) -> Running:
        """On the host's own network: only from its own address a server without users lets somebody make the first."""
        (port,) = free_ports(1)
        return self._own(_contain(self.name, port, replica_set=self._replica_set), port)

    def native(self) -> Running:
        (port,) = free_ports(1)
        return self._own(_start(self.name, port, replica_set=self._replica_set), port)

    def _own(self, node: Node, port: int) -> Running:
        # Not `replicaSet`: the client would ask the member for its address, and go past a proxy.
        direct = f"127.0.0.1:{port}/?directConnection=true"
        ports = [port] if self._replica_set else []
        server = Started(_with_password(direct), [node], lambda dsn: _check_own(dsn, direct, ports))
        server.wait()
        return server


class MongoSet:
    """A replica set of three members on loopback; its URL names them all."""

    name = "mongo_set"

    def check(self, dsn: str) -> str:
        return check(dsn)

    def in_container(self) -> Running:
        ports = free_ports(_MEMBERS)
        return _as_set(ports, [_contain(f"{self.name}_{n}", port, replica_set=True) for n, port in enumerate(ports)])

    def native(self) -> Running:
        ports = free_ports(_MEMBERS)
        return _as_set(ports, [_start(f"{self.name}_{n}", port, replica_set=True) for n, port in enumerate(ports)])


def _contain(name: str, port: int, *, replica_set: bool) -> Node:
    """A container on the host's own network: members tell clients their addresses, so these have to hold outside too.

    As in `_start`, a client must show a password: a test takes rights away from a user.
    """
    mongod = f"mongod --bind_ip 127.0.0.1 --port {port}"
    command = f"{mongod} --auth"
    if replica_set:
        key = f"umask 077; echo {current_run().password} >/tmp/key"
        command = f"bash -c '{key}; exec {mongod} --replSet {_SET} --keyFile /tmp/key'"
    return start_container(name, image=_IMAGE, image_variable=_IMAGE_VARIABLE, port=None, command=command)


def _as_set(ports: Sequence[int], nodes: Sequence[Node]) -> Started:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    direct = f"127.0.0.1:{ports[0]}/?directConnection=true"
    dsn = _with_password(f"{hosts}/?replicaSet={_SET}")
    server = Started(dsn, nodes, lambda dsn: _check_own(dsn, direct, ports))
    server.wait()
    return server


def _all_in(dsn: str, ports: Sequence[int]) -> str:
    for port in ports:
        with _client(_direct(port)) as client:
            hello = client.admin.command("hello")
            if not (hello["isWritablePrimary"] or hello["secondary"]):
                raise RuntimeError("a member is not in the set yet")
    return check(dsn)


def _check_own(dsn: str, direct: str, ports: Sequence[int]) -> str:
    """As `check`, for servers of ours that ask for a password; makes them a set and their user, if they are new."""
    with _client(f"mongodb://{direct}") as client:
        hello = client.admin.command("hello")
    if ports and "setName" not in hello:
        _initiate(f"mongodb://{direct}", ports)
    primary = hello.get("primary", direct.partition("/")[0])
    # allowed from this machine as long as there is no user
    with _client(f"mongodb://{primary}/?directConnection=true") as client, contextlib.suppress(OperationFailure):
        client.admin.command("createUser", _USER, pwd=current_run().password, roles=["root"])
    return _all_in(dsn, ports)


def _with_password(place: str) -> str:
    return f"mongodb://{_USER}:{current_run().password}@{place}&authSource=admin"


def _direct(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


def check(dsn: str) -> str:
    with _client(dsn) as client:
        if not client.admin.command("hello")["isWritablePrimary"]:
            raise RuntimeError("no primary yet")
        return str(client.server_info()["version"])


def _start(name: str, port: int, *, replica_set: bool) -> Process:
    run = current_run()
    folder = run.data(name)
    if not replica_set:
        return start_mongod(name, folder, port, ["--auth"])
    key = folder / "members.key"  # what members show one another; with it a client must show a password
    key.write_text(run.password)
    key.chmod(0o600)
    return start_mongod(name, folder, port, ["--replSet", _SET, "--keyFile", str(key)])


def start_mongod(name: str, folder: Path, port: int, options: Sequence[str]) -> Process:
    place = ["--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket"]
    return current_run().process(name, [program("mongod", _INSTALL), *place, *_CHEAPER, *options])


def _initiate(direct: str, ports: Sequence[int]) -> None:
    members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(ports)]
    with _client(direct) as client:
        try:
            client.admin.command("replSetInitiate", {"_id": _SET, "members": members})
        except OperationFailure as error:
            if error.code != _ALREADY_INITIALISED:
                raise


def _client(dsn: str) -> pymongo.MongoClient[dict[str, Any]]:
    return pymongo.MongoClient(dsn, serverSelectionTimeoutMS=5000, connectTimeoutMS=5000, socketTimeoutMS=10000)
