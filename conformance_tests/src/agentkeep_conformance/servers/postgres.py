"""PostgreSQL, and PgBouncer in transaction mode in front of it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

import psycopg

from agentkeep_conformance.servers.chosen import Running
from agentkeep_conformance.servers.containers import start_container
from agentkeep_conformance.servers.model import NotRun, Server
from agentkeep_conformance.servers.programs import as_user, cache, program, unprivileged
from agentkeep_conformance.servers.run import Run, current_run, free_ports
from agentkeep_conformance.servers.started import Node, Started

_INSTALL = "docker/native/install postgres"

OLDEST, NEWEST = "14.24.0", "18.6.0"
"""Of the packages that docker/native/postgres/install takes."""

_SETTINGS = {
    "max_connections": "300",
    # Neither ours nor UTC, so that a time read in the wrong zone is seen.
    "timezone": "Asia/Kathmandu",
}
_NATIVE_SETTINGS = _SETTINGS | {
    "listen_addresses": "127.0.0.1",
    # A socket file would need a folder that the system's user may write to.
    "unix_socket_directories": "",
    # In the data folder: segments elsewhere would outlive a killed server.
    "dynamic_shared_memory_type": "mmap",
}


class Postgres:
    """One PostgreSQL with a database that the test's role owns; the role is a superuser, for faults."""

    def __init__(self, name: str = "postgres", *, image: str = "postgres:18.0", version: str | None = None) -> None:
        """`version`: of a package in the cache; None takes the PostgreSQL that is installed."""
        self.name = name
        self._image = image
        self._version = version

    def check(self, dsn: str) -> str:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]).split()[0] if row else ""

    def in_container(self) -> Running:
        password = current_run().password
        container = start_container(
            self.name,
            image=self._image,
            port=5432,
            environment={"POSTGRES_USER": "agentkeep", "POSTGRES_PASSWORD": password, "POSTGRES_DB": "agentkeep"},
            command=" ".join(["postgres", *(f"-c {name}={value}" for name, value in _SETTINGS.items())]),
        )
        server = Started(f"postgresql://agentkeep:{password}@{container.address}/agentkeep", [container], self.check)
        server.wait()
        return server

    def native(self) -> Running:
        run = current_run()
        user = unprivileged("postgres")
        folder = run.data(self.name, user=user)
        server, initdb = self._programs(folder, user)
        data = _initialised(run, initdb, folder, user)
        (port,) = free_ports(1)
        settings = [f"--{name}={value}" for name, value in _NATIVE_SETTINGS.items()]
        process = run.process(self.name, [server, "-D", str(data), "-p", str(port), *settings], user=user)
        address = f"agentkeep:{run.password}@127.0.0.1:{port}"
        first = Started(f"postgresql://{address}/postgres", [process], self.check)
        first.wait()
        _create_database(first.dsn)
        return Started(f"postgresql://{address}/agentkeep", [process], self.check)

    def _programs(self, folder: Path, user: str | None) -> tuple[str, str]:
        """The server and what makes its data folder. Raises `NotRun`."""
        if self._version is None:
            return program("postgres", _INSTALL), program("initdb", _INSTALL)
        home = cache() / f"postgres-{self._version}"
        if not home.is_dir():
            raise NotRun(f"PostgreSQL {self._version} is not installed: {_INSTALL}-oldest postgres-newest")
        if user is not None:  # who may not look into our home
            home = shutil.copytree(home, folder / "programs")
        return str(home / "bin" / "postgres"), str(home / "bin" / "initdb")


def _initialised(run: Run, initdb: str, folder: Path, user: str | None) -> Path:
    """A new data folder below `folder`."""
    data, password = folder / "data", folder / "password"
    password.write_text(_verifier(run.password))
    options = ["-U", "agentkeep", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    command = [*as_user(user), initdb, "-D", str(data), f"--pwfile={password}", *options]
    done = subprocess.run(command, cwd=run.folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRun(f"initdb failed: {' '.join(done.stderr.split())}")
    return data


def _verifier(password: str) -> str:
    """What PostgreSQL stores of a password (RFC 5803), after one round instead of 4,096: a test connects often."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    client, server = (hmac.digest(salted, key, "sha256") for key in (b"Client Key", b"Server Key"))
    first, stored, proof = (b64encode(part).decode() for part in (salt, hashlib.sha256(client).digest(), server))
    return f"SCRAM-SHA-256$1:{first}${stored}:{proof}"


def _create_database(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE agentkeep")


_BOUNCER_IMAGE = "AGENTKEEP_TEST_PGBOUNCER_IMAGE"
_BOUNCER = """\
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
pool_mode = transaction
auth_type = scram-sha-256
auth_file = {users}
max_client_conn = 500
default_pool_size = 20
; A backend keeps the plans of every function that it ever called, and each namespace brings its own.
server_lifetime = 10
"""


class PgBouncer:
    """PgBouncer in transaction mode. Killing it leaves the PostgreSQL behind it running."""

    name = "pgbouncer"

    def __init__(self, postgres: Server) -> None:
        self._postgres = postgres

    def check(self, dsn: str) -> str:
        return Postgres().check(dsn)

    def in_container(self) -> Running:
        """On the host's own network, where the server behind it listens."""
        if not os.environ.get(_BOUNCER_IMAGE):
            raise NotRun(f"no registry has an image of docker/pgbouncer: build it and name it in {_BOUNCER_IMAGE}")
        behind = urlsplit(self._postgres.dsn)
        (port,) = free_ports(1)
        container = start_container(
            self.name,
            image="",
            port=None,
            environment={
                "UPSTREAM_HOST": str(behind.hostname),
                "UPSTREAM_PORT": str(behind.port or 5432),
                "UPSTREAM_USER": str(behind.username),
                "UPSTREAM_PASSWORD": str(behind.password),
                "LISTEN_ADDRESS": "127.0.0.1",
                "LISTEN_PORT": str(port),
            },
        )
        return self._in_front(behind, port, container)

    def native(self) -> Running:
        bouncer = program("pgbouncer", _INSTALL)
        behind = urlsplit(self._postgres.dsn)
        run = current_run()
        user = unprivileged("postgres")
        folder = run.data(self.name, user=user)
        (port,) = free_ports(1)
        users, settings = folder / "users.txt", folder / "pgbouncer.ini"
        users.write_text(f'"{behind.username}" "{behind.password}"\n')
        host, behind_port = behind.hostname, behind.port or 5432
        settings.write_text(_BOUNCER.format(host=host, port=behind_port, listen=port, users=users))
        process = run.process(self.name, [bouncer, str(settings)], user=user)
        return self._in_front(behind, port, process)

    def _in_front(self, behind: SplitResult, port: int, node: Node) -> Running:
        front = behind._replace(netloc=f"{behind.username}:{behind.password}@127.0.0.1:{port}")
        bounced = Started(urlunsplit(front), [node], self.check)
        bounced.wait()
        return bounced
