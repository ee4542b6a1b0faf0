"""What one session does when its operations come one after another: the law that `history.explain` searches with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agentkeep_conformance.history import Event


class Log(NamedTuple):
    """A session's log: the highest seq ever given, and the (seq, id) held now."""

    last_seq: int = 0
    held: tuple[tuple[int, str], ...] = ()


ABSENT = Log(-1)
"""The state of a session that is not there."""


def step(state: Log, event: Event) -> Log | None:
    """The log after an operation; None if the operation could not have ended as it did."""
    if event.outcome == "fail" and event.result == "Unavailable":
        return state
    return _STEPS[event.verb](state, event)


def _create(state: Log, event: Event) -> Log | None:
    if event.outcome == "fail":
        return state if event.result == "AlreadyExists" and state != ABSENT else None
    if state == ABSENT:
        return Log()
    return state if event.outcome == "unknown" else None


def _delete(state: Log, event: Event) -> Log | None:
    if event.outcome == "unknown" or event.result is (state != ABSENT):
        return ABSENT
    return None


def _append(state: Log, event: Event) -> Log | None:
    expected = event.argument.get("expected_last_seq")
    refusal = _not_found(state)
    if refusal is None and expected not in (None, state.last_seq):
        refusal = "Conflict"
    if event.outcome == "fail":
        return state if event.result == refusal else None
    if refusal is not None:
        return state if event.outcome == "unknown" else None
    ids: list[str] = event.argument["ids"]
    added = tuple(enumerate(ids, state.last_seq + 1))
    if event.outcome == "ok" and [seq for seq, _ in added] != list(event.result):
        return None
    return Log(state.last_seq + len(added), state.held + added)


def _read(state: Log, event: Event) -> Log | None:
    if event.outcome == "unknown":
        return state
    if event.outcome == "fail":
        return state if event.result == _not_found(state) else None
    seen = [pair for pair in state.held if pair[0] > event.argument["after"]]
    found = [(seq, message_id) for seq, message_id in event.result]
    return state if state != ABSENT and seen == found else None


def _pop(state: Log, event: Event) -> Log | None:
    if event.outcome == "fail":
        return state if event.result == _not_found(state) else None
    if state == ABSENT:
        return state if event.outcome == "unknown" else None
    gone = state.held[-1] if state.held else None
    if event.outcome == "ok" and (None if event.result is None else tuple(event.result)) != gone:
        return None
    return Log(state.last_seq, state.held[:-1])


def _truncate(state: Log, event: Event) -> Log | None:
    return _cut(state, event, tuple(pair for pair in state.held if pair[0] <= event.argument["after_seq"]))


def _trim(state: Log, event: Event) -> Log | None:
    return _cut(state, event, state.held[max(0, len(state.held) - event.argument["keep_last"]) :])


def _cut(state: Log, event: Event, kept: tuple[tuple[int, str], ...]) -> Log | None:
    if event.outcome == "fail":
        return state if event.result == _not_found(state) else None
    if state == ABSENT:
        return state if event.outcome == "unknown" else None
    if event.outcome == "ok" and event.result != len(state.held) - len(kept):
        return None
    return Log(state.last_seq, kept)


def _not_found(state: Log) -> str | None:
    return "SessionNotFound" if state == ABSENT else None


_STEPS: dict[str, Callable[[Log, Event], Log | None]] = {
    "create": _create,
    "delete": _delete,
    "append": _append,
    "read": _read,
    "pop": _pop,
    "truncate": _truncate,
    "trim": _trim,
}
