"""URLs and options; requests to AWS carry a signature that a check of our own, by AWS's public rules, finds right."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import agentkeep
import pytest
from agentkeep.errors import ConfigurationError, SchemaMissing, Unavailable
from agentkeep_opensearch import OpenSearchAdapter
from aiohttp import web
from botocore.credentials import Credentials  # pyright: ignore[reportMissingTypeStubs]

pytestmark = pytest.mark.anyio

_KEY, _SECRET, _REGION = "AKIDEXAMPLE", "a/secret+key", "eu-west-1"


@pytest.mark.parametrize(
    ("url", "options", "wrong"),
    [
        ("opensearch://", {}, "is not an OpenSearch URL"),
        ("opensearch://host/path", {}, "is not an OpenSearch URL"),
        ("opensearch://host:port", {}, "is not an OpenSearch URL"),
        ("opensearch://host?prefix=A", {}, "prefix is 'A'"),
        ("opensearch://host?shards=0", {}, "shards is '0'"),
        ("opensearch://host?replicas=-1", {}, "replicas is '-1'"),
        ("opensearch://host?languages=English", {}, "languages holds 'English'"),
        ("opensearch://host?clock=now", {}, "clock can't stand in a URL"),
        ("opensearchs://host?ca_certs=/not/there", {}, "there is no such file"),
        ("opensearchs://host?aws_region=eu-west-1", {}, "aws_region and aws_credentials belong together"),
        ("opensearchs://host?aws_service=aoss", {}, "OpenSearch Serverless refreshes no index on request"),
    ],
)
def test_what_is_wrong_is_refused_with_what_is_right(url: str, options: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong):
        OpenSearchAdapter.from_url(url, **options)


def test_no_password_is_shown() -> None:
    with pytest.raises(ConfigurationError) as error:
        OpenSearchAdapter.from_url("opensearch://user:s3cret@host/path")
    assert "s3cret" not in str(error.value)


def _signature(secret: str, request: web.Request, body: bytes) -> str:
    """By the rules of "Signature Version 4", from what arrived."""
    fields = dict(part.strip().split("=", 1) for part in request.headers["Authorization"].split(" ", 1)[1].split(","))
    signed = fields["SignedHeaders"].split(";")
    day, region, service, end = fields["Credential"].split("/")[1:]
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in request.query.items())
    canonical = "\n".join(
        [
            request.method,
            quote(request.rel_url.raw_path, safe="/-_.~%"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{request.headers[name].strip()}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{day}/{region}/{service}/{end}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{request.headers['X-Amz-Date']}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, end):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@asynccontextmanager
async def _serving(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncGenerator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"opensearch://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _aws(seen: list[tuple[str, bool]]) -> AsyncGenerator[str]:
    """A server that checks each signature, and knows no index."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        is_right = request.headers["Authorization"].endswith(f"Signature={_signature(_SECRET, request, body)}")
        seen.append((request.headers["Authorization"].split("/")[3], is_right))
        if not is_right:
            return web.json_response({"message": "The request signature does not match"}, status=403)
        error = {"error": {"type": "index_not_found_exception"}, "status": 404}
        return web.json_response(error, status=404)

    async with _serving(answer) as url:
        yield url


@pytest.mark.parametrize(("secret", "error"), [(_SECRET, SchemaMissing), ("another", ConfigurationError)])
async def test_requests_to_aws_are_signed(secret: str, error: type[Exception]) -> None:
    seen: list[tuple[str, bool]] = []
    async with _aws(seen) as url:
        credentials = Credentials(_KEY, secret)
        options = {"aws_region": _REGION, "aws_credentials": credentials, "manage_schema": False}
        adapter = OpenSearchAdapter.from_url(url, **options)
        with pytest.raises(error):
            await adapter.open()
    assert seen == [("es", secret == _SECRET)]


async def test_a_server_that_is_not_there_is_named_with_the_reason() -> None:
    """ERR-2: nothing was written, and trying again may help."""
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1: .*Connect call failed"):
        await agentkeep.connect("opensearch://127.0.0.1:1").open()


@pytest.mark.parametrize("said", [{}, [], {"version": {"number": "8.1.0"}, "tagline": "another"}, "yes", None])
async def test_a_server_that_is_not_opensearch_is_a_wrong_url(said: object) -> None:
    """ERR-1: it answers each request by status 200, with JSON of its own."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(said)

    async with _serving(answer) as url:
        with pytest.raises(ConfigurationError, match="does not answer as OpenSearch does"):
            await agentkeep.connect(url).open()


@pytest.mark.parametrize(
    "options", [{"languages": ("klingon",)}, {"shards": 100_000}, {"refresh_interval": "soon"}], ids=str
)
async def test_options_of_indices_that_the_server_refuses_are_named(
    dsn: str, prefix: str, options: dict[str, Any]
) -> None:
    """ERR-2: to say that nothing was written is not enough; the caller must change an option."""
    (name,) = options
    with pytest.raises(ConfigurationError, match=name):
        await agentkeep.connect(dsn, prefix=prefix, **options).open()
