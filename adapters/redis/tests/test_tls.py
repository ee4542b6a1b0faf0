"""TLS: who the server is gets verified, and what can't be is said at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import agentkeep
import pytest
import trustme
from agentkeep import ConfigurationError, NewMessage
from redis import Redis

pytestmark = pytest.mark.anyio


async def test_a_user_of_the_prefix_alone_works_over_tls(tls_dsn: str, prefix: str) -> None:
    """ISO-3, ERR-1: with the rights that the page names, and none beyond the prefix."""
    rights = ["+@read", "+@write", "+@scripting", "+@pubsub", "+@connection", "+time", "-keys", "-scan"]
    admin: Any = Redis.from_url(tls_dsn)  # pyright: ignore[reportUnknownMemberType] - untyped by the driver
    with admin:
        admin.execute_command("ACL", "SETUSER", prefix, "on", ">secret", f"~{prefix}:*", f"&{prefix}:*", *rights)
        try:
            url = f"rediss://{prefix}:secret@{tls_dsn.rpartition('@')[2]}"
            async with agentkeep.connect(url, prefix=prefix) as keep:
                await keep.sessions.create("s")
                assert (await keep.messages.append("s", [NewMessage(role="user", content="hi")]))[0].seq == 1
                assert [message.content for message in await keep.messages.tail("s", 1)] == ["hi"]
                assert [session.id for session in (await keep.sessions.list()).items] == ["s"]
            with pytest.raises(ConfigurationError):
                await agentkeep.connect(url, prefix=f"{prefix}x").open()
        finally:
            admin.execute_command("ACL", "DELUSER", prefix)


@pytest.mark.parametrize("authority", ["another's", "the system's"])
async def test_a_certificate_of_an_unknown_authority_is_refused(tls_dsn: str, authority: str, tmp_path: Path) -> None:
    """ERR-1: trying again would be in vain, so it is no `Unavailable`."""
    url, _, _ = tls_dsn.partition("?")
    if authority == "another's":
        trustme.CA().cert_pem.write_to_path(tmp_path / "authority.pem")
        url += f"?ssl_ca_certs={tmp_path / 'authority.pem'}"
    with pytest.raises(ConfigurationError, match="certificate verify failed") as raised:
        await agentkeep.connect(url).open()
    assert raised.value.__cause__ is not None


async def test_a_certificate_for_another_host_is_refused(tls_dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="certificate"):
        await agentkeep.connect(tls_dsn.replace("127.0.0.1", "localhost")).open()


def test_a_certificate_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ssl_ca_certs is '.*none\.pem'"):
        agentkeep.connect(f"rediss://localhost?ssl_ca_certs={tmp_path / 'none.pem'}")
