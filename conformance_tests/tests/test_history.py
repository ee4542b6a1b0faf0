"""The history checker is checked itself: true histories pass, each kind of lie is found and shown."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from agentkeep import Conflict, OutcomeUnknown, Unavailable
from agentkeep_conformance.history import (
    Counterexample,
    Event,
    Outcome,
    Recorder,
    explain,
    from_json,
    timeline,
    to_json,
)
from agentkeep_conformance.logs import READ_LIMIT, check_log
from agentkeep_conformance.sequential import ABSENT, Log, step


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def event(
    verb: str, argument: Any, result: Any, at: tuple[int, int | None], *, outcome: Outcome = "ok", process: str = "a"
) -> Event:
    return Event(
        process=process, verb=verb, argument=argument, outcome=outcome, result=result, started=at[0], ended=at[1]
    )


def append(ids: str, seqs: list[int], at: tuple[int, int], **options: Any) -> Event:
    return event("append", {"ids": list(ids)}, seqs, at, **options)


def lost_in_flight(ids: str, at: int) -> Event:
    return event("append", {"ids": list(ids)}, "OutcomeUnknown", (at, None), outcome="unknown")


def read(log: list[tuple[int, str]], at: tuple[int, int], *, after: int = 0) -> Event:
    return event("read", {"after": after}, [list(pair) for pair in log], at, process="r")


def test_overlapping_appends_may_land_in_either_order() -> None:
    history = [append("a", [2], (0, 10)), append("b", [1], (5, 20)), read([(1, "b"), (2, "a")], (30, 40))]
    assert [found.argument for found in explain(history, Log(), step)][:2] == [{"ids": ["b"]}, {"ids": ["a"]}]


def test_an_append_behind_another_may_not_land_before_it() -> None:
    history = [append("a", [2], (0, 10)), append("b", [1], (11, 20))]
    with pytest.raises(Counterexample, match=r"\?.*append"):
        explain(history, Log(), step)


def test_an_unknown_append_may_have_happened_or_not() -> None:
    unknown = lost_in_flight("x", 0)
    explain([unknown, append("a", [1], (5, 6)), read([(1, "a")], (7, 8))], Log(), step)
    explain([unknown, append("a", [2], (5, 6)), read([(1, "x"), (2, "a")], (7, 8))], Log(), step)


def test_an_unknown_append_may_not_come_and_go() -> None:
    history = [lost_in_flight("x", 0), read([(1, "x")], (5, 6)), read([], (7, 8))]
    with pytest.raises(Counterexample):
        explain(history, Log(), step)


def test_a_read_that_misses_an_acknowledged_append_is_found() -> None:
    with pytest.raises(Counterexample, match="read"):
        explain([append("a", [1], (0, 1)), read([], (2, 3))], Log(), step)


def test_a_resurrected_session_is_found() -> None:
    deleted = event("delete", None, True, (2, 3))
    with pytest.raises(Counterexample):
        explain([append("a", [1], (0, 1)), deleted, append("b", [2], (4, 5))], Log(), step)
    refused = event("append", {"ids": ["b"]}, "SessionNotFound", (4, 5), outcome="fail")
    explain([append("a", [1], (0, 1)), deleted, refused], Log(), step)


def test_a_conflict_needs_a_reason() -> None:
    stale = {"ids": ["b"], "expected_last_seq": 0}
    conflict = event("append", stale, "Conflict", (2, 3), outcome="fail")
    explain([append("a", [1], (0, 1)), conflict], Log(), step)
    with pytest.raises(Counterexample):
        explain([conflict], Log(), step)


def test_one_message_is_popped_once() -> None:
    history = [append("a", [1], (0, 1)), event("pop", None, [1, "a"], (2, 9)), event("pop", None, [1, "a"], (3, 8))]
    with pytest.raises(Counterexample):
        explain(history, Log(), step)


def test_one_creator_wins() -> None:
    with pytest.raises(Counterexample):
        explain([event("create", None, None, (0, 5)), event("create", None, None, (1, 6))], ABSENT, step)


def test_a_long_history_is_searched_without_recursion() -> None:
    history = [append(chr(0x4E00 + n), [n], (n * 10, n * 10 + 25)) for n in range(1, 1500)]
    assert len(explain(history, Log(), step)) == len(history)


def test_a_true_log_passes() -> None:
    final = [(1, "a"), (2, "b"), (3, "c"), (4, "x")]
    history = [
        append("ab", [1, 2], (0, 10)),
        append("c", [3], (5, 12)),
        lost_in_flight("x", 3),
        lost_in_flight("y", 3),
        append("z", [], (3, 4), outcome="fail"),
        read(final[:2], (11, 12)),
        read(final[2:3], (13, 14), after=2),
    ]
    check_log(history, final)


def test_a_full_page_says_nothing_of_what_is_behind_it() -> None:
    final = [(seq, chr(0x4E00 + seq)) for seq in range(1, READ_LIMIT + 2)]
    writes = [append(message_id, [seq], (seq * 10, seq * 10 + 5)) for seq, message_id in final[:-2]]
    writes.append(append(final[-2][1] + final[-1][1], [READ_LIMIT, READ_LIMIT + 1], (19_990, 19_995)))
    check_log([*writes, read(final[:READ_LIMIT], (20_000, 20_001))], final)
    with pytest.raises(AssertionError, match="ORD-5"):
        check_log([*writes, read(final[: READ_LIMIT - 1], (20_000, 20_001))], final)


AB = append("ab", [1, 2], (0, 10))
LIES: dict[str, tuple[list[Event], list[tuple[int, str]]]] = {
    "lost": ([AB, append("c", [3], (0, 9))], [(1, "a"), (2, "b")]),
    "doubled": ([AB], [(1, "a"), (2, "b"), (3, "b")]),
    "ORD-1": ([AB], [(1, "a"), (3, "b")]),
    "reordered: the answer": ([AB], [(1, "b"), (2, "a")]),
    "ORD-2: 1 of a batch": ([lost_in_flight("ab", 0)], [(1, "a")]),
    "ORD-2: a batch is not adjacent": (
        [lost_in_flight("ab", 0), append("c", [2], (0, 5))],
        [(1, "a"), (2, "c"), (3, "b")],
    ),
    "reordered: the second": ([append("a", [2], (0, 1)), append("b", [1], (2, 3))], [(1, "b"), (2, "a")]),
    "ORD-3": ([AB, read([(2, "b")], (11, 12))], [(1, "a"), (2, "b")]),
    "half of a batch": ([AB, read([(1, "a")], (1, 2))], [(1, "a"), (2, "b")]),
    "ORD-5": ([AB, read([], (11, 12))], [(1, "a"), (2, "b")]),
    "refused, and in the log": ([append("a", [], (0, 1), outcome="fail")], [(1, "a")]),
    "never appended": ([], [(1, "a")]),
}


@pytest.mark.parametrize("lie", LIES)
def test_each_lie_about_a_log_is_named(lie: str) -> None:
    history, final = LIES[lie]
    with pytest.raises(AssertionError, match=lie):
        check_log(history, final)


@pytest.mark.anyio
async def test_a_recorder_tells_refused_from_unknown() -> None:
    recorder = Recorder("p")
    async with recorder.record("append", {"ids": ["a"]}) as recorded:
        recorded.result = [1]
    async with recorder.record("append", {"ids": ["b"]}):
        raise Conflict("last_seq", "seq", expected=1, actual=2)
    async with recorder.record("append", {"ids": ["c"]}):
        raise Unavailable("gone")
    async with recorder.record("append", {"ids": ["d"]}):
        raise OutcomeUnknown("cut")
    with pytest.raises(ZeroDivisionError):
        async with recorder.record("append", {"ids": ["e"]}):
            raise ZeroDivisionError
    assert [(found.outcome, found.ended is None) for found in recorder.events] == [
        ("ok", False),
        ("fail", False),
        ("fail", False),
        ("unknown", True),
        ("unknown", True),
    ]
    assert from_json(to_json(recorder.events)) == recorder.events


def test_a_timeline_shows_who_did_what_when() -> None:
    ticks = count(0, 1_000_000)
    lines = timeline([append("a", [1], (next(ticks), next(ticks))), lost_in_flight("b", next(ticks))]).splitlines()
    assert len(lines) == 2
    assert [sign for sign in ("├", "┤", "-> [1]") if sign not in lines[0]] == []
    assert [sign for sign in ("2000 µs", "╌", "?? 'OutcomeUnknown'") if sign not in lines[1]] == []
