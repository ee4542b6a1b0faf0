"""A chat service: each user sees and changes their own sessions alone.

    pip install "agentkeep[sqlite]" fastapi uvicorn
    uvicorn web_service:app

    curl -H "X-User: ann" -H "Content-Type: application/json" -d '{"text": "Hi", "id": "request-1"}' \\
        localhost:8000/sessions/s1/messages
    curl -N -H "X-User: ann" localhost:8000/sessions/s1/events
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Annotated

from agentkeep import AlreadyExists, Conflict, Message, Page, Session, SessionNotFound, config
from agentkeep.conversations import SessionManager
from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

settings = config.load(default_url="sqlite:///chat.db")
"""Of ./agentkeep.toml and the environment: the database, and how long chats are kept (`[retention]`)."""
keep = settings.keep()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    """Each worker process opens the keep itself: a connection can't be shared over a fork."""
    async with keep, keep.sweeping(every=300, policy=settings.retention):
        yield


app = FastAPI(lifespan=lifespan)


def manager_of_user(
    user: Annotated[str, Header(alias="X-User", description="Put your own authentication here.")],
) -> SessionManager:
    return SessionManager(keep, agent_name="chat", user_id=user, window=40)


Manager = Annotated[SessionManager, Depends(manager_of_user)]


class Question(BaseModel):
    text: str
    id: str
    """Chosen by the client, and the same when it sends the question again: then it is stored once."""


async def model(messages: list[Message], question: str) -> AsyncIterator[str]:
    """Put your own model here."""
    for word in ("You", "said:", *question.split()):
        yield f"{word} "


@app.get("/sessions")
async def sessions(manager: Manager, cursor: str | None = None) -> Page[Session]:
    return await manager.list(limit=20, cursor=cursor)


@app.get("/sessions/{id}/messages")
async def history(manager: Manager, id: str) -> list[Message]:
    return await (await manager.get(id)).history(100)


@app.post("/sessions/{id}/messages")
async def ask(manager: Manager, id: str, question: Question) -> list[Message]:
    """The question and its answer. Both are stored by one commit when the answer is complete."""
    conversation = await manager.get_or_create(id)
    if stored := await conversation.stored_turn(question.id):
        return stored
    context = await conversation.context()
    try:
        async with conversation.turn(question.id) as turn:
            turn.add("user", question.text)
            async for _ in turn.stream(model(context, question.text)):
                pass  # a service may send the chunks to the client here
    except Conflict:  # the same question, sent twice at the same time: the other one was first
        return await conversation.stored_turn(question.id)
    return list(turn.stored or [])


@app.get("/sessions/{id}/events")
async def events(
    manager: Manager, id: str, last_event_id: Annotated[int, Header(alias="Last-Event-ID")] = 0
) -> StreamingResponse:
    """Server-sent events: each message when it is stored. A browser that reconnects gets what it missed."""
    await manager.get(id)

    async def stream() -> AsyncIterator[str]:
        async with aclosing(manager.view.messages.watch(id, after_seq=last_event_id)) as messages:
            try:
                async for message in messages:
                    yield f"id: {message.seq}\ndata: {json.dumps(message.to_dict())}\n\n"
            except SessionNotFound:
                yield "event: end\ndata: the session was removed\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.delete("/sessions/{id}")
async def remove(manager: Manager, id: str) -> bool:
    return await manager.remove(id)


@app.exception_handler(SessionNotFound)
@app.exception_handler(AlreadyExists)
async def not_found(_: Request, error: Exception) -> JSONResponse:
    """Also for the session of another user: this one does not learn that it exists."""
    return JSONResponse({"detail": "no such session"}, status_code=404)
