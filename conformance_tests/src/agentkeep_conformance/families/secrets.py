"""No password and no other secret of a URL is shown, however it is spelled and whatever goes wrong (ERR-3)."""

from __future__ import annotations

import asyncio
import logging
import traceback
from pathlib import Path
from typing import cast
from urllib.parse import quote

import pytest
from agentkeep import Keep, PersistenceError
from agentkeep.protocol import AdapterFactory

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.delegating import layers_of

SECRETS = {
    "letters": "s3cr3t",
    "an at": "s3c@r3t",
    "a slash": "s3c/r3t",
    "a question mark": "s3c?r3t",
    "a hash": "s3c#r3t",
    "a colon": "s3c:r3t",
    "a percent sign": "s3c%r3t",
    "a space": "s3c r3t",
    "a letter of another script": "s3cér3t",
}
# fmt: off
NAMES = [
    "password", "passwd", "pwd", "pass", "passphrase", "sslpassword", "pass%77ord", "redis_password",
    "secret", "client_secret", "token", "access_token", "auth", "auth_token", "api_key", "apikey", "credential",
]
# fmt: on
"""What an option may be called that holds a secret."""

PLACES = (
    "{scheme}://user:{secret}@127.0.0.1:1/d",
    "{scheme}://:{secret}@127.0.0.1:1",
    "{scheme}://user:{secret}@127.0.0.1:1/d/e/f?nonsense=1#fragment",
    "{scheme}://user:{secret}@127.0.0.1:port/d",
    "{scheme}://user:{secret}@[::1/d",
    "{scheme}+nonsense://user:{secret}@127.0.0.1:1/d",
    "nonsense://user:{secret}@127.0.0.1:1/d",
)


async def adapter_kind(database: Database) -> tuple[str, AdapterFactory]:
    """The scheme and the class that is made from a URL."""
    adapter = await database.adapter()
    scheme = adapter.name
    *_, innermost = layers_of(adapter)  # a wrapper is made without a URL
    return scheme, cast("AdapterFactory", type(innermost))


async def shown_by(kind: AdapterFactory, url: str) -> str:
    """All that an adapter of the URL shows: before it opens, and in the error of opening it."""
    try:
        adapter = kind.from_url(url)
        keep = Keep(adapter)
        shown = [repr(adapter), str(adapter), repr(keep)]
        try:
            async with keep:
                shown.append(repr(await keep.health()))
        except PersistenceError as error:
            shown += _texts(error)
    except PersistenceError as error:
        shown = _texts(error)
    return "\n".join(shown)


def _texts(error: PersistenceError) -> list[str]:
    """With what caused it, as a log has it."""
    return [str(error), repr(error), repr(error.args), *traceback.format_exception(error)]


class Secrets:
    @proves("ERR-3")
    @pytest.mark.parametrize("row", SECRETS)
    async def test_no_password_is_shown_by_a_server_that_can_not_be_reached(
        self,
        database: Database,
        caplog: pytest.LogCaptureFixture,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        row: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        caplog.set_level(logging.DEBUG)
        secret = SECRETS[row]
        scheme, kind = await adapter_kind(database)
        is_short = database.tier == "everyday" and row != "an at"
        places = PLACES[:1] + PLACES[3:] if is_short else PLACES
        urls = [
            place.format(scheme=scheme, secret=spelled)
            for place in places
            for spelled in {secret, quote(secret, safe="")}
        ]
        # at the same time, as a driver may wait a second for each address
        for url, shown in zip(urls, await asyncio.gather(*(shown_by(kind, url) for url in urls)), strict=True):
            assert shown
            for part in (secret, quote(secret, safe=""), quote(secret), "s3c", "r3t"):
                assert part not in shown, f"{url}: {shown}"
                assert part not in caplog.text, url

    @proves("ERR-3")
    async def test_no_secret_of_an_option_is_shown(
        self, database: Database, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        caplog.set_level(logging.DEBUG)
        scheme, kind = await adapter_kind(database)
        for name in NAMES:
            for url in (
                f"{scheme}://127.0.0.1:1/d?{name}=s3cr3t",
                f"{scheme}://127.0.0.1:1/d?timeout=1&{name.upper()}=s3cr3t&nonsense=1",
                f"{scheme}://127.0.0.1:port/d?{name.title()}=s3cr3t",
                f"nonsense://127.0.0.1:1/d?{name.swapcase()}=s3cr3t",
                f"nonsense://127.0.0.1:1/d?{name}=s3cr3t",
            ):
                shown = await shown_by(kind, url)
                assert shown
                assert "s3cr3t" not in shown, f"{name}: {shown}"
                assert "s3cr3t" not in caplog.text, name
