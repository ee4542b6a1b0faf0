"""Sessions as users give them, checked and encoded into what adapters take. Nothing is written before that."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypedDict, cast

from agentkeep._codec import encode_json
from agentkeep._labels import stored_labels, wanted_labels
from agentkeep._validation import (
    check_duration,
    check_id,
    check_object,
    check_optional_id,
    check_schema_version,
    check_status,
    check_text,
    check_time,
    fresh_id,
)
from agentkeep.capabilities import Capabilities
from agentkeep.errors import InvalidInput, LimitExceeded
from agentkeep.models import Status
from agentkeep.records import Scope, SessionChanges, SessionDraft, SessionQuery


class SessionFields(TypedDict, total=False):
    """What a new session may be given."""

    user_id: str | None
    agent_name: str | None
    title: str | None
    state: dict[str, Any] | None
    metadata: dict[str, Any] | None
    ttl: timedelta | float | None
    """A fixed end, from now; a number is seconds. None, or absent: none."""
    idle_ttl: timedelta | float | None
    """Slid by each append and touch. Absent: the keep's `idle_ttl`; None: none (TTL-3)."""
    parent_id: str | None
    schema_version: int | None


class SessionUpdate(TypedDict, total=False):
    """What an update may set; a JSON field is replaced whole."""

    user_id: str | None
    agent_name: str | None
    title: str | None
    status: Status
    current_route: str | None
    current_step: str | None
    state: dict[str, Any]
    metadata: dict[str, Any]
    schema_version: int | None
    ttl: timedelta | float | None
    """A new fixed end, from now; None takes it away (TTL-3)."""
    idle_ttl: timedelta | float | None
    """A new idle time, from now; None takes it away."""


class SessionFilters(TypedDict, total=False):
    """Which sessions: all that are given hold, None is no condition, both time bounds are excluded.

    `metadata`: each named top-level key equals the given string, number, bool or null.
    """

    user_id: str | None
    agent_name: str | None
    status: Status | None
    parent_id: str | None
    metadata: dict[str, Any] | None
    updated_after: datetime | None
    updated_before: datetime | None


_FIRST_VERSIONS = 2**52
"""Half of what a version may be: the other half is for updates."""
_SESSION_FIELDS = SessionFields.__annotations__.keys()
_SESSION_FILTERS = SessionFilters.__annotations__.keys()


def session_draft(
    id: str | None, fields: SessionFields, scope: Scope, capabilities: Capabilities, idle_ttl: timedelta | None
) -> SessionDraft:
    """Raises `InvalidInput`, `LimitExceeded`."""
    only_known(fields, _SESSION_FIELDS, "a new session has no field")
    state = check_object(_or_empty(fields.get("state")), "state")
    metadata = check_object(_or_empty(fields.get("metadata")), "metadata")
    state_json = encode_json(state, "state")
    metadata_json = encode_json(metadata, "metadata")
    _check_session_size(len(state_json) + len(metadata_json), capabilities)
    return SessionDraft(
        id=fresh_id() if id is None else check_id(id, "id"),
        user_id=_own_user(scope, check_optional_id(fields.get("user_id"), "user_id")),
        agent_name=check_optional_id(fields.get("agent_name"), "agent_name"),
        title=check_text(fields.get("title"), "title"),
        state=state_json.decode(),
        metadata=metadata_json.decode(),
        labels=stored_labels(metadata),
        parent_id=check_optional_id(fields.get("parent_id"), "parent_id"),
        schema_version=check_schema_version(fields.get("schema_version")),
        ttl=check_duration(fields.get("ttl"), "ttl"),
        idle_ttl=check_duration(fields["idle_ttl"], "idle_ttl") if "idle_ttl" in fields else idle_ttl,
        version=first_version(),
    )


def first_version() -> int:
    """The version that a session's life begins with: drawn at random, so that no two lives of an id meet (SES-2)."""
    return secrets.randbelow(_FIRST_VERSIONS) + 1


def _required_status(value: object) -> Status:
    status = check_status(value)
    if status is None:
        raise InvalidInput("status is None: give active, completed or abandoned")
    return status


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "user_id": lambda value: check_optional_id(value, "user_id"),
    "agent_name": lambda value: check_optional_id(value, "agent_name"),
    "title": lambda value: check_text(value, "title"),
    "status": _required_status,
    "current_route": lambda value: check_text(value, "current_route"),
    "current_step": lambda value: check_text(value, "current_step"),
    "schema_version": check_schema_version,
    "ttl": lambda value: check_duration(value, "ttl"),
    "idle_ttl": lambda value: check_duration(value, "idle_ttl"),
}


def session_changes(fields: SessionUpdate, scope: Scope, capabilities: Capabilities) -> SessionChanges:
    """Raises `InvalidInput`, `LimitExceeded`."""
    only_known(fields, SessionUpdate.__annotations__.keys(), "an update can't set")
    changes = cast("SessionChanges", {name: _CHECKS[name](fields[name]) for name in _CHECKS if name in fields})
    size = 0
    if "state" in fields:
        text = encode_json(check_object(fields["state"], "state"), "state")
        size += len(text)
        changes["state"] = text.decode()
    if "metadata" in fields:
        text = encode_json(check_object(fields["metadata"], "metadata"), "metadata")
        size += len(text)
        changes["metadata"] = text.decode()
        changes["labels"] = stored_labels(fields["metadata"])
    _check_session_size(size, capabilities)
    if scope.user_id is not None and (user_id := changes.get("user_id", scope.user_id)) != scope.user_id:
        raise InvalidInput(f"user_id is {user_id!r} in the view of user {scope.user_id!r}: leave it out")
    return changes


def session_query(filters: SessionFilters) -> SessionQuery:
    """Raises `InvalidInput`."""
    only_known(filters, _SESSION_FILTERS, "sessions have no filter")
    return SessionQuery(
        user_id=check_optional_id(filters.get("user_id"), "user_id"),
        agent_name=check_optional_id(filters.get("agent_name"), "agent_name"),
        status=check_status(filters.get("status")),
        parent_id=check_optional_id(filters.get("parent_id"), "parent_id"),
        labels=wanted_labels(filters.get("metadata")),
        updated_after=check_time(filters.get("updated_after"), "updated_after"),
        updated_before=check_time(filters.get("updated_before"), "updated_before"),
    )


def only_known(given: Mapping[str, object], known: Any, what: str) -> None:
    for name in given:
        if name not in known:
            raise InvalidInput(f"{what} {name!r}: there are {', '.join(known)}")


def _or_empty(value: object) -> object:
    return {} if value is None else value


def _check_session_size(size: int, capabilities: Capabilities) -> None:
    if size > capabilities.max_session_bytes:
        raise LimitExceeded("state and metadata in bytes", limit=capabilities.max_session_bytes, actual=size)


def _own_user(scope: Scope, user_id: str | None) -> str | None:
    """The user that a session is created for: in a user's view always that user (ISO-1)."""
    if scope.user_id is None or user_id == scope.user_id:
        return user_id
    if user_id is None:
        return scope.user_id
    raise InvalidInput(f"user_id is {user_id!r} in the view of user {scope.user_id!r}: leave it out")
