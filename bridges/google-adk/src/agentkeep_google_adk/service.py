"""A `BaseSessionService` of Google ADK over a keep.

| ADK | Agentkeep |
|---|---|
| session of (app, user, id) | a session of that user; `state` is the session's own state |
| event | a message: `event` is ADK's event, `id` its id, `turn_id` its invocation |
| `app:` and `user:` state | the `state` of a session of its own each (`states.py`) |
| marker of a stale writer | the session's version and last seq |
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

from agentkeep import AlreadyExists, Conflict, InvalidInput, Message, NewMessage, Resumed, SessionNotFound, View
from agentkeep import Session as StoredSession
from agentkeep.bridging import append_once, from_stored, item_message, item_of, joined_id, to_stored
from google.adk.errors._stale_session_error import StaleSessionError  # ADK has no public name for it yet
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events import Event
from google.adk.sessions import BaseSessionService, Session, State
from google.adk.sessions._session_util import extract_json_safe_state_delta  # as ADK's own services do
from google.adk.sessions.base_session_service import GetSessionConfig, ListSessionsResponse
from pydantic import ValidationError

from agentkeep_google_adk.states import SharedStates, app_holder, user_holder

FRAMEWORK = AGENT = "google-adk"
"""The `agent_name` of these sessions."""
_FIRST_READ = 1_000
_TOOL_PARTS = ("function_response", "code_execution_result")


class AgentkeepSessionService(BaseSessionService):
    """Give it an open keep, or a view of it for one tenant. Not a view of one user: `app:` state belongs to all.
    That raises `InvalidInput`.

    Events come back in the order in which they were appended, whatever their timestamps. A stale writer is refused.
    """

    def __init__(self, view: View) -> None:
        if view.user_id is not None:
            raise InvalidInput(
                f"{view!r} is limited to one user, and ADK's app: state belongs to all users: "
                "give the keep or a tenant's view; ADK names the user in each call"
            )
        self._view = view
        self._states = SharedStates(view)

    async def _ready(self) -> None:
        """Before each call."""

    async def create_session(
        self,
        *,
        app_name: str,
        user_id: str,
        state: dict[str, Any] | None = None,
        session_id: str | None = None,
    ) -> Session:
        await self._ready()
        session_id = (session_id or "").strip() or str(uuid4())
        deltas = extract_json_safe_state_delta(state or {})
        try:
            stored = await self._view.sessions.create(
                _id(app_name, user_id, session_id),
                user_id=joined_id(user_id),
                agent_name=AGENT,
                state=to_stored(deltas["session"]),
                metadata={"app": joined_id(app_name), "names": to_stored([app_name, user_id, session_id])},
                idle_ttl=None,
            )
        except AlreadyExists as error:
            raise AlreadyExistsError(f"session {session_id!r} exists already") from error
        await self._merge_shared(app_name, user_id, deltas)
        return _session(stored, [], await self._shared(app_name, user_id))

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        """Two round trips side by side; more if more than 1,000 events are wanted."""
        await self._ready()
        id = _id(app_name, user_id, session_id.strip())
        newest = None if config is None else config.num_recent_events
        after = None if config is None else config.after_timestamp
        try:
            (stored, messages), shared = await asyncio.gather(
                self._resume(id, newest if after is None else None), self._shared(app_name, user_id)
            )
        except SessionNotFound:
            return None
        events = [_event(message) for message in messages]
        if after is not None:
            events = [event for event in events if event.timestamp >= after]
            events = events if newest is None else events[len(events) - min(newest, len(events)) :]
        return _session(stored, events, shared)

    async def _shared(self, app_name: str, user_id: str) -> dict[str, dict[str, Any]]:
        return await self._states.read([app_holder(app_name), user_holder(app_name, user_id)])

    async def _resume(self, id: str, newest: int | None) -> Resumed:
        if newest == 0:
            return Resumed(await self._view.sessions.get(id), [])
        stored, messages = await self._view.sessions.resume(id, tail=newest or _FIRST_READ, whole_turns=False)
        if newest is None and stored.message_count > len(messages) > 0:
            older = self._view.messages.iterate(id, before=messages[0].seq)
            messages = [message async for message in older] + messages
        return Resumed(stored, messages)

    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        await self._ready()
        user = None if user_id is None else joined_id(user_id)
        stored = [
            session
            async for session in self._view.sessions.iterate(
                agent_name=AGENT, user_id=user, metadata={"app": joined_id(app_name)}, order="updated_at"
            )
        ]
        holders = {app_holder(app_name), *(user_holder(app_name, _names(session)[1]) for session in stored)}
        shared = await self._states.read(holders)
        return ListSessionsResponse(sessions=[_listed(session, shared) for session in stored])

    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        """The state of the app and of the user stays, as in ADK's own services."""
        await self._ready()
        await self._view.sessions.delete(_id(app_name, user_id, session_id.strip()))

    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, Any]:
        await self._ready()
        holder = user_holder(app_name, user_id)
        return (await self._states.read([holder]))[holder]

    async def append_event(self, session: Session, event: Event) -> Event:
        """One round trip; two if the event changes the session's state, and two more for `app:` or `user:` state.

        The event and the session's state land in one commit. `app:` and `user:` state follow it: a process that is
        killed between the two leaves the event without them. Raises `StaleSessionError`, `SessionNotFoundError`.
        """
        await self._ready()
        if event.partial:
            return event
        self._apply_temp_state(session, event)
        event = self._trim_temp_delta_state(event)
        deltas = extract_json_safe_state_delta(event.actions.state_delta or {})
        id = _id(session.app_name, session.user_id, session.id)
        try:
            marker = await self._append(id, _marker(session), event, deltas["session"])
        except Conflict as error:
            raise StaleSessionError(f"session {session.id!r} has changed since it was read: read it again") from error
        except SessionNotFound as error:
            raise SessionNotFoundError(f"there is no session {session.id!r}") from error
        _mark(session, marker)
        session.last_update_time = event.timestamp
        await self._merge_shared(session.app_name, session.user_id, deltas)
        return self._commit_event_to_session(session, event)

    async def _append(self, id: str, marker: str | None, event: Event, delta: dict[str, Any]) -> str:
        """The new marker. Without a marker, the session's object did not come from here: nothing is expected then."""
        options: dict[str, Any] = {}
        if marker is not None:
            version, last_seq = map(int, marker.split(":"))
            options = {"expected_version": version, "expected_last_seq": last_seq}
        if delta:
            stored = await self._view.sessions.get(id)
            options |= {"update": {"state": to_stored(from_stored(stored.state) | delta)}}
            options.setdefault("expected_version", stored.version)
        landed = await append_once(self._view.messages, id, [_message(event)], add=_usage(event), **options)
        return f"{landed.version}:{landed.last_seq}"

    async def _merge_shared(self, app_name: str, user_id: str, deltas: dict[str, dict[str, Any]]) -> None:
        if deltas["app"]:
            await self._states.merge(app_holder(app_name), deltas["app"])
        if deltas["user"]:
            await self._states.merge(user_holder(app_name, user_id), deltas["user"], user_id)


def _session(stored: StoredSession, events: list[Event], shared: dict[str, dict[str, Any]]) -> Session:
    session = _listed(stored, shared)
    session.events = events
    _mark(session, f"{stored.version}:{stored.last_seq}")
    return session


def _marker(session: Session) -> str | None:
    return session._storage_update_marker  # pyright: ignore[reportPrivateUsage] - as ADK's own services do


def _mark(session: Session, marker: str) -> None:
    session._storage_update_marker = marker  # pyright: ignore[reportPrivateUsage]


def _id(app_name: str, user_id: str, session_id: str) -> str:
    return joined_id("session", app_name, user_id, session_id)


def _names(stored: StoredSession) -> list[str]:
    return cast("list[str]", from_stored(stored.metadata["names"]))


def _listed(stored: StoredSession, shared: dict[str, dict[str, Any]]) -> Session:
    """With its state, and without events."""
    app_name, user_id, session_id = _names(stored)
    app, user = shared[app_holder(app_name)], shared[user_holder(app_name, user_id)]
    state = dict(from_stored(stored.state))
    state |= {State.APP_PREFIX + key: value for key, value in app.items()}
    state |= {State.USER_PREFIX + key: value for key, value in user.items()}
    updated = stored.last_message_at or stored.created_at
    return Session(id=session_id, app_name=app_name, user_id=user_id, state=state, last_update_time=updated.timestamp())


def _message(event: Event) -> NewMessage:
    return item_message(
        FRAMEWORK,
        event.model_dump(mode="json", exclude_none=True),
        id=joined_id(event.id) if event.id else None,
        role=_role(event),
        name=joined_id(event.author) if event.author else None,
        turn_id=joined_id(event.invocation_id) if event.invocation_id else None,
        created_at=datetime.fromtimestamp(event.timestamp, UTC),
    )


def _usage(event: Event) -> dict[str, int] | None:
    usage = event.usage_metadata
    if usage is None:
        return None
    counts = {"input_tokens": usage.prompt_token_count, "output_tokens": usage.candidates_token_count}
    return {name: count for name, count in counts.items() if count}


def _role(event: Event) -> str:
    parts = (event.content.parts if event.content else None) or []
    if any(getattr(part, kind) is not None for part in parts for kind in _TOOL_PARTS):
        return "tool"
    return "user" if event.author == "user" else "assistant"


def _event(message: Message) -> Event:
    """Bytes are base64 in JSON alone, so it is read as JSON; a lone surrogate can only be read as Python's values."""
    stored = item_of(message, FRAMEWORK)
    try:
        return Event.model_validate_json(json.dumps(stored))
    except ValidationError:
        return Event.model_validate(stored)
