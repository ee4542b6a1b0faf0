"""What several writers and readers of one session did and saw, and whether one order of events explains it.

A history is a list of `Event`s, recorded in any number of tasks and processes. Outcomes are of three kinds: `ok`, with
what came back; `fail`, which certainly changed nothing; `unknown`, which may have happened, also long after it was
given up. `explain` searches for an order in which each operation took place at one instant between its start and its
end (linearizability, by Wing and Gong's search with a memo). A history that passes shows no violation; it is no proof.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Hashable, Iterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic_ns
from typing import Any, Literal, TypeVar

import msgspec
from agentkeep import OutcomeUnknown, PersistenceError

Outcome = Literal["ok", "fail", "unknown"]
State = TypeVar("State", bound=Hashable)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of one process. Times are the host's monotonic nanoseconds, the same for all its processes."""

    process: str
    verb: str
    argument: Any = None
    outcome: Outcome
    result: Any = None
    """What came back, or the error's name."""
    started: int
    ended: int | None
    """None: unknown, so perhaps it has not ended yet."""


class Recorded:
    """What an operation reports of itself while it is recorded."""

    result: Any = None


class Recorder:
    """Collects the events of one process; `events` goes through JSON to whoever checks them."""

    def __init__(self, process: str) -> None:
        self.process = process
        self.events: list[Event] = []

    @asynccontextmanager
    async def record(self, verb: str, argument: Any = None) -> AsyncGenerator[Recorded, None]:
        """Record one operation. Errors of Agentkeep end here, as the outcome; all others go on.

        Whatever is not certainly nothing is `unknown`: `OutcomeUnknown`, a cancellation, an error that is not ours.
        """
        recorded = Recorded()
        started = monotonic_ns()
        try:
            yield recorded
        except OutcomeUnknown as error:
            self._add(verb, argument, "unknown", type(error).__name__, started, None)
        except PersistenceError as error:
            self._add(verb, argument, "fail", type(error).__name__, started, monotonic_ns())
        except BaseException as error:
            self._add(verb, argument, "unknown", type(error).__name__, started, None)
            raise
        else:
            self._add(verb, argument, "ok", recorded.result, started, monotonic_ns())

    def _add(self, verb: str, argument: Any, outcome: Outcome, result: Any, started: int, ended: int | None) -> None:
        self.events.append(
            Event(
                process=self.process,
                verb=verb,
                argument=argument,
                outcome=outcome,
                result=result,
                started=started,
                ended=ended,
            )
        )


def to_json(events: Sequence[Event]) -> list[Any]:
    """Events as plain JSON, for the way out of a child process."""
    return msgspec.to_builtins(events)


def from_json(events: Any) -> list[Event]:
    return msgspec.convert(events, list[Event])


class Counterexample(AssertionError):
    """No order of events explains a history. The message is its timeline."""


def explain(events: Sequence[Event], initial: State, step: Callable[[State, Event], State | None]) -> list[Event]:
    """An order of the events that `step` allows from `initial`; events of unknown outcome may be missing from it.

    `step(state, event)` returns the state after an event, or None if the event could not have ended as it did. For an
    event of unknown outcome it is asked what the event does if it takes place. Raises `Counterexample`.
    """
    ordered = sorted(events, key=lambda event: event.started)
    search = _Search(ordered, initial, step)
    found = search.run()
    if found is None:
        raise Counterexample(
            "no order of these operations explains what they returned; the longest order that does ends before one of "
            f"the operations marked ?\n{timeline(ordered, unexplained=search.unexplained())}"
        )
    return [ordered[index] for index in found]


class _Search:
    """Depth first: take an operation that nothing unexplained precedes, step, go on; remember dead ends."""

    def __init__(self, events: list[Event], initial: Any, step: Callable[[Any, Event], Any]) -> None:
        self._events = events
        self._initial = initial
        self._step = step
        self._certain = sum(1 << index for index, event in enumerate(events) if event.outcome != "unknown")
        self._longest: list[int] = []

    def run(self) -> list[int] | None:
        dead_ends: set[tuple[int, Any]] = set()
        order: list[int] = []
        frames = [(0, self._initial, self._moves(0, self._initial))]
        while frames:
            done, _, moves = frames[-1]
            if done & self._certain == self._certain:
                return order
            move = next(moves, None)
            if move is None:
                frames.pop()
                if order:
                    order.pop()
                continue
            index, state = move
            done |= 1 << index
            if (done, state) not in dead_ends:
                dead_ends.add((done, state))
                order.append(index)
                if len(order) > len(self._longest):
                    self._longest = order.copy()
                frames.append((done, state, self._moves(done, state)))
        return None

    def _moves(self, done: int, state: Any) -> Iterator[tuple[int, Any]]:
        return iter([(index, after) for index in self._next(done) if (after := self._after(state, index)) is not None])

    def _after(self, state: Any, index: int) -> Any:
        return self._step(state, self._events[index])

    def _next(self, done: int) -> list[int]:
        """The operations that may come next: those that started before every other one left had ended."""
        waiting = [index for index in range(len(self._events)) if not done >> index & 1]
        earliest_end = min((end for index in waiting if (end := self._events[index].ended) is not None), default=None)
        return [index for index in waiting if earliest_end is None or self._events[index].started <= earliest_end]

    def unexplained(self) -> set[int]:
        explained = sum(1 << index for index in self._longest)
        return set(self._next(explained))


def timeline(events: Sequence[Event], *, unexplained: set[int] | None = None, width: int = 48) -> str:
    """The events as bars over time, one line each in order of start; times are in microseconds from the first."""
    if not events:
        return "(nothing happened)"
    first = min(event.started for event in events)
    last = max(event.ended or event.started for event in events)
    scale = max(1, last - first) / width
    processes = max(len(event.process) for event in events)
    lines: list[str] = []
    for index, event in enumerate(events):
        start = int((event.started - first) / scale)
        end = width if event.ended is None else int((event.ended - first) / scale)
        bar = (" " * start + "├" + "─" * max(0, end - start - 1) + ("╌" if event.ended is None else "┤")).ljust(
            width + 1
        )
        mark = "?" if unexplained and index in unexplained else " "
        at = (event.started - first) // 1000
        lines.append(f"{mark}{at:>9} µs {event.process:<{processes}} {bar} {_says(event)}")
    return "\n".join(lines)


def _says(event: Event) -> str:
    argument = "" if event.argument is None else repr(event.argument)
    sign = {"ok": "->", "fail": "!!", "unknown": "??"}[event.outcome]
    return f"{event.verb}({argument}) {sign} {event.result!r}"[:160]
