"""Stores whole sessions with their seqs and times, for imports and copies between databases.

This is not part of the agent's API: an agent creates and appends. A tool that moves sessions must keep every field, and
no other verb lets a caller set seqs and times.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from agentkeep._adapter_state import AdapterState
from agentkeep._codec import encode_json
from agentkeep._drafts import first_version, session_changes, session_draft
from agentkeep._labels import stored_labels
from agentkeep._message_drafts import message_draft
from agentkeep._validation import check_additions, check_count, check_duration, check_time
from agentkeep.errors import InvalidInput
from agentkeep.keep import View
from agentkeep.models import Message, NewMessage, Session
from agentkeep.records import RestoredMessage, Scope, SessionRecord


async def restore(keep: View, session: Session, messages: Sequence[Message]) -> None:
    """Store a session and its whole log as given, all or nothing, in the keep's tenant.

    Only its `version` is a new one: no version is given twice to an id (SES-2).

    Raises `AlreadyExists`, `InvalidInput`, `LimitExceeded`.
    """
    shared, scope = keep._shared, keep._scope  # pyright: ignore[reportPrivateUsage] - a tool of core itself
    shared.require_open()
    check_session(shared, scope, session)
    records = message_records(shared, session, messages)
    labels = stored_labels(session.metadata)
    await shared.adapter.sessions.restore(scope, _session_record(session, records), labels, records)


def check_session(shared: AdapterState, scope: Scope, session: Session) -> None:
    """The checks that `create` and `update` make, and those on what only a restore sets. Raises `InvalidInput`."""
    created = session_draft(
        session.id,
        {
            "user_id": session.user_id,
            "agent_name": session.agent_name,
            "title": session.title,
            "state": session.state,
            "metadata": session.metadata,
            "parent_id": session.parent_id,
            "schema_version": session.schema_version,
        },
        scope,
        shared.capabilities,
        None,
    )
    if created.user_id != session.user_id:
        raise InvalidInput(f"session {session.id!r} has no user: the view of user {scope.user_id!r} can't restore it")
    session_changes(
        {"status": session.status, "current_route": session.current_route, "current_step": session.current_step},
        scope,
        shared.capabilities,
    )
    check_count(session.last_seq, "last_seq")
    for name in ("created_at", "updated_at", "completed_at", "ends_at", "expires_at"):
        check_time(getattr(session, name), name)


def message_records(shared: AdapterState, session: Session, messages: Sequence[Message]) -> list[RestoredMessage]:
    """Raises `InvalidInput` for seqs that do not rise or pass the session's `last_seq`, and for an id given twice."""
    records: list[RestoredMessage] = []
    before = 0
    for message in messages:
        if not before < message.seq <= session.last_seq:
            raise InvalidInput(f"seq {message.seq} of session {session.id!r} is out of order, or past its last_seq")
        before = message.seq
        draft = message_draft(as_new(message), shared.capabilities)
        records.append(
            RestoredMessage(
                id=draft.id,
                role=draft.role,
                payload=draft.payload,
                content_key=draft.content_key,
                search_text=draft.search_text,
                created_at=draft.created_at or message.created_at,
                seq=message.seq,
            )
        )
    if len({record.id for record in records}) < len(records):
        raise InvalidInput(f"session {session.id!r} has a message id twice")
    return records


def as_new(message: Message) -> NewMessage:
    """A message as it would be appended, with its id and time."""
    return NewMessage(**{name: getattr(message, name) for name in NewMessage.__struct_fields__})


def _session_record(session: Session, messages: Sequence[RestoredMessage]) -> SessionRecord:
    if session.message_count != len(messages):
        raise InvalidInput(
            f"session {session.id!r} says it holds {session.message_count} messages: {len(messages)} are given"
        )
    return SessionRecord(
        id=session.id,
        user_id=session.user_id,
        agent_name=session.agent_name,
        title=session.title,
        status=session.status,
        current_route=session.current_route,
        current_step=session.current_step,
        state=encode_json(session.state, "state").decode(),
        metadata=encode_json(session.metadata, "metadata").decode(),
        counters=check_additions(session.counters) or {},
        parent_id=session.parent_id,
        forked_at_seq=session.forked_at_seq,
        version=first_version(),
        schema_version=session.schema_version,
        message_count=len(messages),
        last_seq=session.last_seq,
        created_at=session.created_at.astimezone(UTC),
        updated_at=session.updated_at.astimezone(UTC),
        last_message_at=messages[-1].created_at if messages else None,
        completed_at=check_time(session.completed_at, "completed_at"),
        ends_at=check_time(session.ends_at, "ends_at"),
        idle_ttl=check_duration(session.idle_ttl, "idle_ttl"),
        expires_at=check_time(session.expires_at, "expires_at"),
    )
