"""A chat service: each user sees and changes their own sessions alone.

pip install "agentkeep[sqlite]" fastapi uvicorn
uvicorn web_service:app
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import agentkeep
from agentkeep import Message, NewMessage, Page, Resumed, Session, SessionNotFound, View
from fastapi import Body, Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse

keep = agentkeep.connect(os.environ.get("DATABASE_URL", "sqlite:///chat.db"))


@asynccontextmanager
async def opened(_: FastAPI) -> AsyncGenerator[None, None]:
    """Each worker process opens the keep itself: a connection can't be shared over a fork."""
    async with keep:
        yield


app = FastAPI(lifespan=opened)


def own_view(user: Annotated[str, Header(alias="X-User", description="Put your own authentication here.")]) -> View:
    return keep.for_user(user)


Own = Annotated[View, Depends(own_view)]


@app.get("/sessions")
async def sessions(own: Own, cursor: str | None = None) -> Page[Session]:
    return await own.sessions.list(limit=20, cursor=cursor)


@app.get("/sessions/{id}")
async def resume(own: Own, id: str) -> Resumed:
    return await own.sessions.resume(id, tail=50)


@app.post("/sessions/{id}/messages")
async def say(own: Own, id: str, message: Annotated[NewMessage, Body()]) -> list[Message]:
    """Store the user's message and the answer. A client that retries sends the same `message.id` again."""
    answer = NewMessage(
        role="assistant",
        content=f"You said: {message.content}",
        id=None if message.id is None else f"{message.id}-answer",
    )
    return list(await own.messages.append(id, [message, answer], create={}, add={"turns": 1}))


@app.exception_handler(SessionNotFound)
async def not_found(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=404)
