"""By TLS with a user's password, to a real server: a proxy ends the TLS and checks each request (LIFE-2, ERR-1).

The server that is installed here has no security plugin, so the proxy stands in its place.
"""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest
import trustme
from agentkeep import ConfigurationError, Keep, NewMessage
from agentkeep_opensearch import OpenSearchAdapter
from aiohttp import web

pytestmark = pytest.mark.anyio

_USER, _PASSWORD = "team/a", "p@ss:w/rd"
_ENCODED = "team%2Fa:p%40ss%3Aw%2Frd"
_RIGHT = f"Basic {b64encode(f'{_USER}:{_PASSWORD}'.encode()).decode()}"
_DENIED = {"error": {"type": "security_exception"}, "status": 401}


@asynccontextmanager
async def proxy(dsn: str, authority: trustme.CA) -> AsyncGenerator[str]:
    """Host and port of a proxy before the server."""
    behind = dsn.replace("opensearch", "http", 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    async with aiohttp.ClientSession() as session:

        async def forward(request: web.Request) -> web.Response:
            if request.headers.get("Authorization") != _RIGHT:
                return web.json_response(_DENIED, status=HTTPStatus.UNAUTHORIZED)
            headers = {"Content-Type": request.headers.get("Content-Type", "application/json")}
            body = await request.read()
            async with session.request(request.method, behind + request.path_qs, data=body, headers=headers) as reply:
                return web.Response(body=await reply.read(), status=reply.status, content_type=reply.content_type)

        application = web.Application(client_max_size=2**27)
        application.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
            await site.start()
            yield "{}:{}".format(*runner.addresses[0])
        finally:
            await runner.cleanup()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_certs(authority: trustme.CA, tmp_path: Path) -> str:
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return str(file)


@pytest.fixture
async def secure(dsn: str, authority: trustme.CA) -> AsyncGenerator[str]:
    async with proxy(dsn, authority) as address:
        yield address


async def test_a_user_with_a_password_over_tls(keep: Keep, secure: str, ca_certs: str, prefix: str) -> None:
    url = f"opensearchs://{_ENCODED}@{secure}"
    async with Keep(OpenSearchAdapter.from_url(url, prefix=prefix, ca_certs=ca_certs)) as theirs:
        await theirs.messages.append("s", [NewMessage(role="user", content="over TLS")], create={})
        assert [hit.message.content for hit in await theirs.messages.search("tls")] == ["over TLS"]
        assert [session.id for session in (await theirs.sessions.list()).items] == ["s"]
        assert (await theirs.health()).server is not None
    assert [message.content for message in await keep.messages.tail("s", 5)] == ["over TLS"]


@pytest.mark.parametrize("credentials", [f"{_ENCODED}x@", ""])
async def test_a_wrong_password_is_a_wrong_configuration(secure: str, ca_certs: str, credentials: str) -> None:
    adapter = OpenSearchAdapter.from_url(f"opensearchs://{credentials}{secure}", ca_certs=ca_certs)
    with pytest.raises(ConfigurationError, match="check the user, the password") as error:
        await adapter.open()
    assert _PASSWORD not in str(error.value)
    assert _ENCODED not in str(error.value)


async def test_an_unknown_authority_is_a_wrong_configuration(secure: str) -> None:
    adapter = OpenSearchAdapter.from_url(f"opensearchs://{_ENCODED}@{secure}")
    with pytest.raises(ConfigurationError, match="its certificate is not trusted: see the option ca_certs"):
        await adapter.open()
