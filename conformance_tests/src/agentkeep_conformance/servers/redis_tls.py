"""One Redis that speaks TLS alone, with a certificate of an authority made for the run."""

from __future__ import annotations

from typing import Any

import redis
import trustme

from agentkeep_conformance.servers.chosen import Running
from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.redis import start_redis
from agentkeep_conformance.servers.run import current_run, free_ports
from agentkeep_conformance.servers.started import Started


class RedisTls:
    """Its URL says in `ssl_ca_certs` where the authority's certificate is."""

    name = "redis_tls"

    def check(self, dsn: str) -> str:
        client: Any = redis.Redis.from_url(dsn, socket_connect_timeout=5, socket_timeout=5)  # pyright: ignore[reportUnknownMemberType]
        with client:
            return str(client.info("server")["redis_version"])

    def in_container(self) -> Running:
        raise NotRun("it is started from a program of this machine, or given by its URL")

    def native(self) -> Running:
        run = current_run()
        folder = run.data(f"{self.name}_certificates")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "authority.pem")
        own = authority.issue_cert("127.0.0.1")
        own.private_key_pem.write_to_path(folder / "key.pem")
        own.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
        (port,) = free_ports(1)
        settings = {
            "port": "0",
            "tls-port": str(port),
            "tls-cert-file": str(folder / "certificate.pem"),
            "tls-key-file": str(folder / "key.pem"),
            "tls-ca-cert-file": str(folder / "authority.pem"),
            "tls-auth-clients": "no",
            "appendonly": "no",
            "save": '""',
        }
        process = start_redis(run, self.name, port, settings)
        dsn = f"rediss://:{run.password}@127.0.0.1:{port}/0?ssl_ca_certs={folder / 'authority.pem'}"
        server = Started(dsn, [process], self.check)
        server.wait()
        return server
