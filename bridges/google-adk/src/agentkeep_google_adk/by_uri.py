"""What `adk web` and `adk run` make of `--session_service_uri agentkeep+sqlite:///chat.db`.

Beside the agents stands a `services.yaml`:

    services:
      - scheme: agentkeep+sqlite
        type: session
        class: agentkeep_google_adk.AgentkeepSessionServiceByUri
"""

from __future__ import annotations

from typing import Any

from agentkeep import connect

from agentkeep_google_adk.service import AgentkeepSessionService


class AgentkeepSessionServiceByUri(AgentkeepSessionService):
    """It opens its keep at the first use, and `close` closes it. What follows `agentkeep+` is Agentkeep's URL."""

    def __init__(self, uri: str, **_: Any) -> None:
        self._keep = connect(uri.removeprefix("agentkeep+"), own_loop=True)
        super().__init__(self._keep)

    async def _ready(self) -> None:
        await self._keep.open()

    async def close(self) -> None:
        await self._keep.close()
