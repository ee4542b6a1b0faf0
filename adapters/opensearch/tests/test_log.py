"""Runs of seqs, against sets of seqs."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from agentkeep.records import MessageRange
from agentkeep_opensearch import log


def _some(seed: int) -> tuple[log.Log, list[int]]:
    chosen = sorted(random.Random(seed).sample(range(1, 40), seed % 30))
    return log.of_seqs(chosen), chosen


@pytest.mark.parametrize("seed", range(60))
def test_a_log_is_the_set_of_its_seqs(seed: int) -> None:
    runs, chosen = _some(seed)
    assert list(log.seqs(runs)) == chosen
    assert log.count(runs) == len(chosen)
    assert [seq for seq in range(45) if log.contains(runs, seq)] == chosen
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(runs))


@pytest.mark.parametrize("seed", range(60))
def test_parts_of_a_log(seed: int) -> None:
    runs, chosen = _some(seed)
    low, high, amount = seed % 17, 20 + seed % 13, seed % 9
    assert list(log.seqs(log.clip(runs, low, high))) == [seq for seq in chosen if low <= seq <= high]
    assert log.newest(runs, amount) == chosen[::-1][:amount]
    trimmed = log.trimmed(runs, amount)
    assert list(log.seqs(trimmed)) == chosen[amount:]
    assert list(log.seqs(log.outside(runs, trimmed))) == chosen[:amount]
    inner = log.clip(runs, low, high)
    assert list(log.seqs(log.outside(runs, inner))) == [seq for seq in chosen if not low <= seq <= high]


@pytest.mark.parametrize("seed", range(60))
def test_two_logs(seed: int) -> None:
    runs, chosen = _some(seed)
    others, rest = _some(seed * 7 + 3)
    assert list(log.seqs(log.without(runs, others))) == [seq for seq in chosen if seq not in rest]
    both = log.union(runs, others)
    assert both == log.of_seqs({*chosen, *rest})
    assert list(log.seqs(both)) == sorted({*chosen, *rest})


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_a_window_of_a_log(seed: int, newest_first: bool) -> None:
    runs, chosen = _some(seed)
    wanted = MessageRange(after=seed % 11, before=(None, 25)[seed % 2], limit=1 + seed % 6, newest_first=newest_first)
    inside = [seq for seq in chosen if seq > wanted.after and (wanted.before is None or seq < wanted.before)]
    assert log.window(runs, wanted) == (inside[::-1] if newest_first else inside)[: wanted.limit]


def test_new_messages_go_on_a_run_or_begin_one() -> None:
    assert log.extended((), 1, 2) == ((1, 2),)
    assert log.extended(((1, 2),), 3, 1) == ((1, 3),)
    assert log.extended(((1, 2),), 5, 1) == ((1, 2), (5, 5))
    assert log.extended(((1, 2),), 5, 0) == ((1, 2),)
