"""How a statement reaches the server. The resend policy is core's: this file only sends, and says how far it came."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from agentkeep.errors import Closed
from agentkeep.spi.resend import Attempt, Effect, Resend
from agentkeep.spi.urls import redact

from agentkeep_NAME.errors import cause, translate

Row = Mapping[str, Any]


class Connection:
    """Put your driver's connection in its place."""

    was_used = False
    """Whether it has served a call already, so that it may have died in silence since."""

    async def fetch(self, statement: str, values: Mapping[str, object]) -> list[Row]:
        raise NotImplementedError


class Client:
    """The connections to one server. None is held between calls (FLT-4)."""

    def __init__(self, url: str, timeout: timedelta) -> None:
        self._url = url
        self._is_open = False
        self._resend = Resend(
            server=redact(url), cause=cause, translate=translate, seconds=timeout.total_seconds(), option="timeout"
        )

    async def open(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    async def run(self, statement: str, values: Mapping[str, object], effect: Effect) -> list[Row]:
        """A statement's rows. Say its effect: what a second run of it would do (ERR-2, FLT-2, FLT-5)."""

        async def send(attempt: Attempt) -> list[Row]:
            connection = await self._connection(new=attempt.needs_new_connection)
            attempt.sending(reused=connection.was_used)
            return await connection.fetch(statement, values)

        return await self._resend.run(effect, send)

    async def _connection(self, *, new: bool) -> Connection:
        """A connection from the pool; a new one if `new`. Raises `Closed` (LIFE-2)."""
        if not self._is_open:
            raise Closed("this NAME adapter is not open: call open() first")
        raise NotImplementedError
