"""The first word of a script's reply says what happened. Here it becomes an error of ours, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentkeep.errors import AlreadyExists, MessageNotFound, OutcomeUnknown, PersistenceError, SessionNotFound
from agentkeep.spi.outcomes import (
    batch_conflict,
    counter_too_large,
    last_seq_conflict,
    too_many_counters,
    version_conflict,
)

from agentkeep_redis.driver import Reply

_NO_OPTIONS: Mapping[str, Any] = {}


def raise_for(reply: Reply, session_id: str, options: Mapping[str, Any] = _NO_OPTIONS, *, given: int = 0) -> None:
    """Raises the error that a reply stands for, if it stands for one. `options`: those of the script; `given`: how many
    messages it was given. Raises `SessionNotFound`, `AlreadyExists`, `MessageNotFound`, `Conflict`, `LimitExceeded`."""
    match reply[0]:
        case b"absent":
            raise SessionNotFound(session_id)
        case b"exists":
            raise AlreadyExists(session_id)
        case b"no message":
            raise MessageNotFound(session_id, options["message"])
        case b"partly":
            raise batch_conflict(reply[1], given)
        case b"version":
            raise version_conflict(options["version"], int(reply[1]))
        case b"last_seq":
            raise last_seq_conflict(options["last_seq"], reply[1])
        case b"counter":
            name = reply[1].decode()
            raise counter_too_large(name, int(reply[2]) + options["add"][name])
        case b"counters":
            raise too_many_counters(reply[1])
        case _:
            return


def partly(error: PersistenceError, removed: int) -> PersistenceError:
    """The error of a step that has removed so many sessions before it (ERR-2)."""
    if isinstance(error, OutcomeUnknown):
        return error.after(removed)
    return OutcomeUnknown(str(error), done=removed) if removed else error
