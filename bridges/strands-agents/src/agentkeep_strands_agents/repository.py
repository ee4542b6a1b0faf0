"""A `SessionRepository` of Strands over a keep.

| Strands | Agentkeep |
|---|---|
| session | a session; its `state` is Strands' own record |
| agent, multi-agent | a session that belongs to that one, which is its `parent_id` |
| message n of an agent | the message of seq n + 1 and id n: `event` is Strands' own record |

Strands calls its repository synchronously, also inside a running event loop, so it takes a keep of `agentkeep.sync`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from agentkeep import AlreadyExists, Conflict, Message, MessageNotFound, SessionFields, SessionNotFound
from agentkeep import Session as StoredSession
from agentkeep.bridging import append_once, from_stored, item_message, item_of, joined_id, to_stored
from agentkeep.retention import BELONGS_TO, delete_whole
from agentkeep.sync import SyncView
from strands.session import RepositorySessionManager, SessionRepository
from strands.types.exceptions import SessionException
from strands.types.session import Session, SessionAgent, SessionMessage

if TYPE_CHECKING:
    from strands.multiagent import MultiAgentBase

FRAMEWORK = "strands-agents"
SESSION, AGENT, MULTI_AGENT = "strands", "strands/agent", "strands/multi-agent"
"""The `agent_name` of the three kinds of sessions, so that a listing can name or leave out each."""
_USAGE = {
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cache_read_input_tokens": "cacheReadInputTokens",
    "cache_creation_input_tokens": "cacheWriteInputTokens",
}


class AgentkeepSessionRepository(SessionRepository):
    """Give it `sync.connect(url)`, `sync.over(keep)`, or a view of either for one tenant or user."""

    def __init__(self, view: SyncView) -> None:
        self._view = view
        self._sessions = view.sessions
        self._messages = view.messages

    def create_session(self, session: Session, **kwargs: Any) -> Session:
        """Two round trips. If the session was removed alone, its agents of that life go now."""
        id = joined_id(session.session_id)
        stored = self._create(id, {"agent_name": SESSION, "state": _record(session.to_dict())})
        self._sessions.delete_many(metadata={BELONGS_TO: id}, updated_before=stored.created_at)
        return session

    def read_session(self, session_id: str, **kwargs: Any) -> Session | None:
        record = self._read(joined_id(session_id))
        return None if record is None else Session.from_dict(record)

    def delete_session(self, session_id: str) -> None:
        """With its agents, their messages and its multi-agents. Strands itself has no such verb."""
        self._view.runner.run(delete_whole(self._view.asynchronous, joined_id(session_id)))

    def create_agent(self, session_id: str, session_agent: SessionAgent, **kwargs: Any) -> None:
        self._create_part(session_id, _agent_id(session_id, session_agent.agent_id), AGENT, session_agent.to_dict())

    def read_agent(self, session_id: str, agent_id: str, **kwargs: Any) -> SessionAgent | None:
        record = self._read(_agent_id(session_id, agent_id))
        return None if record is None else SessionAgent.from_dict(record)

    def update_agent(self, session_id: str, session_agent: SessionAgent, **kwargs: Any) -> None:
        """One round trip: `created_at` was kept beside the record at its creation."""
        session_agent.updated_at = _now()
        self._update(_agent_id(session_id, session_agent.agent_id), session_agent.to_dict())

    def create_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **kwargs: Any) -> None:
        """One round trip, two for a user's message, which marks the session as used.

        The message's number makes a second try safe, and a second writer's message a refusal.
        """
        number = session_message.message_id
        record = session_message.to_dict()
        message = item_message(FRAMEWORK, record, id=str(number), role=record["message"]["role"])
        id, messages = _agent_id(session_id, agent_id), self._view.asynchronous.messages
        try:
            self._view.runner.run(append_once(messages, id, [message], add=_usage(session_message)))
        except SessionNotFound as error:
            raise SessionException(f"agent {agent_id!r} is not in session {session_id!r}") from error
        except Conflict as error:
            raise SessionException(f"message {number} of agent {agent_id!r} is stored with other content") from error
        if message.role == "user":
            self._use(session_id)

    def _use(self, session_id: str) -> None:
        """So that the session's time is that of the last use of any of its agents."""
        with suppress(SessionNotFound):
            self._sessions.touch(joined_id(session_id))

    def read_message(self, session_id: str, agent_id: str, message_id: int, **kwargs: Any) -> SessionMessage | None:
        try:
            return _message(self._messages.get(_agent_id(session_id, agent_id), str(message_id)))
        except (MessageNotFound, SessionNotFound):
            return None

    def update_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **kwargs: Any) -> None:
        """A redaction. Strands' record keeps what it replaces beside it, as Strands' own repositories do."""
        stored = self.read_message(session_id, agent_id, session_message.message_id)
        if stored is None:
            raise SessionException(f"agent {agent_id!r} has no message {session_message.message_id}")
        session_message.created_at = stored.created_at
        session_message.updated_at = _now()
        record = session_message.to_dict()
        self._messages.update(_agent_id(session_id, agent_id), str(session_message.message_id), event=to_stored(record))

    def list_messages(
        self, session_id: str, agent_id: str, limit: int | None = None, offset: int = 0, **kwargs: Any
    ) -> list[SessionMessage]:
        """From the one of number `offset` on. One round trip for each 500."""
        before = None if limit is None else offset + limit + 1
        try:
            return [
                _message(message)
                for message in self._messages.iterate(_agent_id(session_id, agent_id), after=offset, before=before)
            ]
        except SessionNotFound:
            return []

    def create_multi_agent(self, session_id: str, multi_agent: MultiAgentBase, **kwargs: Any) -> None:
        id = _multi_agent_id(session_id, multi_agent.id)
        self._create_part(session_id, id, MULTI_AGENT, multi_agent.serialize_state())

    def read_multi_agent(self, session_id: str, multi_agent_id: str, **kwargs: Any) -> dict[str, Any] | None:
        return self._read(_multi_agent_id(session_id, multi_agent_id))

    def update_multi_agent(self, session_id: str, multi_agent: MultiAgentBase, **kwargs: Any) -> None:
        self._update(_multi_agent_id(session_id, multi_agent.id), multi_agent.serialize_state())
        self._use(session_id)

    def _create_part(self, session_id: str, id: str, kind: str, record: dict[str, Any]) -> None:
        parent = joined_id(session_id)
        if self._sessions.find(parent) is None:
            raise SessionException(f"there is no session {session_id!r}: create it first")
        metadata = {BELONGS_TO: parent}
        self._create(id, {"agent_name": kind, "parent_id": parent, "state": _record(record), "metadata": metadata})

    def _create(self, id: str, fields: SessionFields) -> StoredSession:
        """A session and its agents must not expire one by one, so a keep's `idle_ttl` is not theirs."""
        created = _unmarked(fields.get("state") or {}).get("created_at")
        fields = {**fields, "metadata": {**(fields.get("metadata") or {}), "created_at": created}, "idle_ttl": None}
        try:
            return self._sessions.create(id, **fields)
        except AlreadyExists as error:
            raise SessionException(f"{id!r} exists already") from error

    def _read(self, id: str) -> dict[str, Any] | None:
        session = self._sessions.find(id)
        if session is None:
            return None
        if session.agent_name not in (SESSION, AGENT, MULTI_AGENT):
            raise SessionException(
                f"session {id!r} is of {session.agent_name or 'no bridge'}, not of Strands: give another id, or the "
                "view of a tenant for each framework (keep.for_tenant)"
            )
        record = _unmarked(session.state)
        return record | {"created_at": session.metadata["created_at"]} if "created_at" in record else record

    def _update(self, id: str, record: dict[str, Any]) -> None:
        try:
            self._sessions.update(id, state=_record(record))
        except SessionNotFound as error:
            raise SessionException(f"there is no {id!r}: create it first") from error


class AgentkeepSessionManager(RepositorySessionManager):
    """`Agent(session_manager=AgentkeepSessionManager("chat-1", keep))`."""

    def __init__(self, session_id: str, view: SyncView, **kwargs: Any) -> None:
        super().__init__(session_id, AgentkeepSessionRepository(view), **kwargs)


def _agent_id(session_id: str, agent_id: str) -> str:
    return joined_id(session_id, "agent", agent_id)


def _multi_agent_id(session_id: str, multi_agent_id: str) -> str:
    return joined_id(session_id, "multi-agent", multi_agent_id)


def _record(record: dict[str, Any]) -> dict[str, Any]:
    return {"record": to_stored(record)}


def _unmarked(state: dict[str, Any]) -> dict[str, Any]:
    return from_stored(state["record"])


def _message(message: Message) -> SessionMessage:
    return SessionMessage.from_dict(item_of(message, FRAMEWORK))


def _usage(message: SessionMessage) -> dict[str, int] | None:
    """Of an answer, if the model said so."""
    usage: Mapping[str, Any] = message.message.get("metadata", {}).get("usage", {})
    return {ours: usage[theirs] for ours, theirs in _USAGE.items() if usage.get(theirs)} or None


def _now() -> str:
    return datetime.now(UTC).isoformat()
