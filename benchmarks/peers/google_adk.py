"""Google ADK: `DatabaseSessionService`; each writer gets the session and appends an event to it."""

from __future__ import annotations

from collections.abc import Sequence

from candidate import LISTED, USER
from google.adk.events import Event
from google.adk.sessions import DatabaseSessionService
from google.adk.sessions.base_session_service import GetSessionConfig
from google.genai.types import Content, Part

APP = "benchmark"
URLS = {"sqlite": "sqlite+aiosqlite:///{url}/{namespace}.db", "postgres": "postgresql+asyncpg://{rest}"}


class GoogleADK:
    def __init__(self, backend: str, url: str, namespace: str) -> None:
        self._url = URLS[backend].format(url=url, namespace=namespace, rest=url.partition("://")[2])
        path = {"server_settings": {"search_path": namespace}}
        self._options = {"connect_args": path} if backend == "postgres" else {}

    async def open(self) -> None:
        self._service = DatabaseSessionService(self._url, **self._options)

    async def close(self) -> None:
        await self._service.close()

    async def create(self, session: str) -> None:
        await self._service.create_session(app_name=APP, user_id=USER, session_id=session)

    async def append(self, session: str, texts: Sequence[str]) -> None:
        """A runner reads the session at the start of a turn, and appends its events one by one."""
        config = GetSessionConfig(num_recent_events=1)
        found = await self._service.get_session(app_name=APP, user_id=USER, session_id=session, config=config)
        for text in texts:
            content = Content(role="user", parts=[Part(text=text)])
            await self._service.append_event(found, Event(author="user", content=content))

    async def newest(self, session: str, limit: int) -> list[str]:
        config = GetSessionConfig(num_recent_events=limit)
        found = await self._service.get_session(app_name=APP, user_id=USER, session_id=session, config=config)
        return [event.content.parts[0].text for event in found.events]

    async def listing(self) -> int:
        """All of the user's: it has no limit."""
        return len((await self._service.list_sessions(app_name=APP, user_id=USER)).sessions[:LISTED])


def make(backend: str, url: str, namespace: str) -> GoogleADK:
    return GoogleADK(backend, url, namespace)
