"""One session of ADK, in Agentkeep and in ADK's own SQLite file (see `bridges/faults.py`)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import agentkeep as ak
from agentkeep_google_adk import AgentkeepSessionService
from google.adk.errors._stale_session_error import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.events import Event
from google.adk.sessions import BaseSessionService, Session
from google.adk.sessions.sqlite_session_service import SqliteSessionService
from google.genai import types

KEY: Any = {"app_name": "app", "user_id": "ann", "session_id": "shared"}


class Events:
    """A stale writer reads the session again, as ADK's error says."""

    def __init__(self, service: BaseSessionService, keep: Any = None) -> None:
        self.service, self.keep = service, keep
        self.session: Session | None = None

    async def add(self, text: str) -> None:
        event = Event(author="user", content=types.Content(role="user", parts=[types.Part(text=text)]))
        for attempt in range(50):
            if self.session is None:
                self.session = await self.service.get_session(**KEY)
            assert self.session is not None
            try:
                await self.service.append_event(self.session, event)
            except StaleSessionError:
                self.session = None
                await asyncio.sleep(0.001 * attempt)
            else:
                return
        raise StaleSessionError("50 times")

    async def texts(self) -> list[str]:
        session = await self.service.get_session(**KEY)
        assert session is not None
        return [part.text or "" for event in session.events for part in (event.content and event.content.parts) or []]

    async def close(self) -> None:
        if self.keep is not None:
            await self.keep.close()


async def agentkeep(url: str) -> Events:
    keep = await ak.connect(url).open()
    return await _with_session(Events(AgentkeepSessionService(keep), keep))


async def own(path: str) -> Events:
    return await _with_session(Events(SqliteSessionService(path)))


async def _with_session(events: Events) -> Events:
    with contextlib.suppress(AlreadyExistsError):
        await events.service.create_session(**KEY)
    return events
