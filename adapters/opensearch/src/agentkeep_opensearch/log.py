"""Which seqs a session's log holds: runs of adjacent ones, so that any part of it is named without a search."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter

from agentkeep.records import MessageRange

Run = tuple[int, int]
"""The first and the last seq of adjacent messages."""
Log = tuple[Run, ...]
"""In order of seq. A log that was never cut is one run, and each cut may leave one more.

So only what a call names or removes is walked run by run; all else is found by bisection, or is a slice.
"""
_FIRST, _LAST = itemgetter(0), itemgetter(1)


def count(log: Log) -> int:
    return sum(last - first + 1 for first, last in log)


def contains(log: Log, seq: int) -> bool:
    at = bisect_left(log, seq, key=_LAST)
    return at < len(log) and log[at][0] <= seq


def seqs(log: Iterable[Run]) -> Iterator[int]:
    for first, last in log:
        yield from range(first, last + 1)


def newest(log: Log, limit: int) -> list[int]:
    return list(islice((seq for first, last in reversed(log) for seq in range(last, first - 1, -1)), limit))


def window(log: Log, wanted: MessageRange) -> list[int]:
    """The seqs of a range, in its order."""
    low, high = wanted.after + 1, None if wanted.before is None else wanted.before - 1
    cut = clip(log, low, high)
    return newest(cut, wanted.limit) if wanted.newest_first else list(islice(seqs(cut), wanted.limit))


def clip(log: Log, low: int, high: int | None = None) -> Log:
    """What lies within two seqs, both included."""
    if not log or (high is not None and high < low):
        return ()
    high = log[-1][1] if high is None else high
    part = log[bisect_left(log, low, key=_LAST) : bisect_right(log, high, key=_FIRST)]
    if not part:
        return ()
    first, last = max(low, part[0][0]), min(high, part[-1][1])
    if len(part) == 1:
        return ((first, last),)
    return ((first, part[0][1]), *part[1:-1], (part[-1][0], last))


def outside(log: Log, kept: Log) -> Log:
    """What `clip` or `trimmed` removed from `log`."""
    if not kept:
        return log
    return clip(log, 0, kept[0][0] - 1) + clip(log, kept[-1][1] + 1)


def trimmed(log: Log, amount: int) -> Log:
    """Without the oldest `amount` messages."""
    if amount <= 0:
        return log
    for at, (first, last) in enumerate(log):
        length = last - first + 1
        if amount < length:
            return ((first + amount, last), *log[at + 1 :])
        amount -= length
    return ()


def extended(log: Log, first: int, amount: int) -> Log:
    """With new messages at the end."""
    if amount == 0:
        return log
    if log and log[-1][1] == first - 1:
        return (*log[:-1], (log[-1][0], first + amount - 1))
    return (*log, (first, first + amount - 1))


def union(*logs: Iterable[Run]) -> Log:
    joined: list[Run] = []
    for first, last in sorted(run for log in logs for run in log):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def of_seqs(found: Iterable[int]) -> Log:
    return union((seq, seq) for seq in found)


def without(log: Log, rest: Log) -> Log:
    """What `log` holds and `rest` does not."""
    left: list[Run] = []
    low = 0
    for first, last in rest:
        left += clip(log, low, first - 1)
        low = last + 1
    return (*left, *clip(log, low))
