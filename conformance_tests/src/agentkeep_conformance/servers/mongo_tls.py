"""One standalone MongoDB that speaks TLS alone, with a certificate of an authority made for the run."""

from __future__ import annotations

import trustme

from agentkeep_conformance.servers.chosen import Running
from agentkeep_conformance.servers.model import NotRun
from agentkeep_conformance.servers.mongo import check, start_mongod
from agentkeep_conformance.servers.run import current_run, free_ports
from agentkeep_conformance.servers.started import Started


class MongoTls:
    """Its URL says in `tlsCAFile` where the authority's certificate is. It checks a password only if one is given."""

    name = "mongo_tls"

    def check(self, dsn: str) -> str:
        return check(dsn)

    def in_container(self) -> Running:
        raise NotRun("it is started from a program of this machine, or given by its URL")

    def native(self) -> Running:
        folder = current_run().data(self.name)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "authority.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "own.pem")
        (port,) = free_ports(1)
        tls = ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(folder / "own.pem")]
        process = start_mongod(self.name, folder, port, tls)
        options = f"directConnection=true&tls=true&tlsCAFile={folder / 'authority.pem'}"
        server = Started(f"mongodb://127.0.0.1:{port}/?{options}", [process], self.check)
        server.wait()
        return server
