"""Which seqs a session's log holds: runs of adjacent ones, so that any part of it is named without a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from agentkeep.records import MessageRange

Run = tuple[int, int]
"""The first and the last seq of adjacent messages."""
Log = tuple[Run, ...]
"""In order of seq. A log that was never cut is one run."""


def count(log: Log) -> int:
    return sum(last - first + 1 for first, last in log)


def contains(log: Log, seq: int) -> bool:
    return any(first <= seq <= last for first, last in log)


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
    clipped = ((max(first, low), last if high is None else min(last, high)) for first, last in log)
    return tuple((first, last) for first, last in clipped if first <= last)


def kept(log: Log, keep_last: int) -> Log:
    """The newest `keep_last` messages."""
    if keep_last >= count(log):
        return log
    return () if keep_last == 0 else clip(log, newest(log, keep_last)[-1])


def extended(log: Log, first: int, amount: int) -> Log:
    """With new messages at the end."""
    if amount == 0:
        return log
    if log and log[-1][1] == first - 1:
        return (*log[:-1], (log[-1][0], first + amount - 1))
    return (*log, (first, first + amount - 1))


def of_seqs(found: Iterable[int]) -> Log:
    """From seqs in order."""
    log: Log = ()
    for seq in found:
        log = extended(log, seq, 1)
    return log


def without(log: Log, rest: Log) -> Log:
    """What `log` holds and `rest`, a part of it, does not."""
    if not rest:
        return log
    removed = list(log)
    for first, last in rest:
        removed = [
            part
            for low, high in removed
            for part in ((low, min(high, first - 1)), (max(low, last + 1), high))
            if part[0] <= part[1]
        ]
    return tuple(dict.fromkeys(removed))
