"""Checks of one session's log from a recorded history: ORD-1, ORD-2, ORD-3, ORD-5 in the number of events.

Verbs: `append`, whose argument is {"ids": [...]} and whose result the list of their seqs, and `read`, whose argument is
{"after": seq} and whose result the list of [seq, id] behind it, READ_LIMIT at most. The final log is a read made when
all was over. Nothing may have been removed from the log. The search of `history.explain` sees more, for shorter
histories.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentkeep_conformance.history import Event, timeline

Log = Sequence[tuple[int, str]]

READ_LIMIT = 1_000
"""What one read asks for at most: a full page shows nothing of what is behind it."""


def check_log(events: Sequence[Event], final: Log) -> None:
    """Raises AssertionError saying all that is wrong, each with the events that show it."""
    appends = [event for event in events if event.verb == "append"]
    reads = [event for event in events if event.verb == "read"]
    problems = [
        *_dense(final),
        *_landed(appends, final),
        *_batches(appends, final),
        *_in_real_time(appends),
        *_readers(reads, appends, final),
    ]
    assert not problems, "\n".join(problems[:12])


def check_whole(events: Sequence[Event], final: Log) -> None:
    """For a server that may lose its last moment: what is there is there once and whole, lost or not."""
    appends = [event for event in events if event.verb == "append"]
    problems = [*_dense(final), *_batches(appends, final)]
    assert not problems, "\n".join(problems[:12])


def _dense(final: Log) -> list[str]:
    """ORD-1: 1, 2, 3, … and each message once."""
    problems: list[str] = []
    seqs = [seq for seq, _ in final]
    if seqs != list(range(1, len(seqs) + 1)):
        problems.append(f"ORD-1: the log's seqs are not 1, 2, 3, …: {_differences(seqs)}")
    counts: dict[str, int] = {}
    for _, message_id in final:
        counts[message_id] = counts.get(message_id, 0) + 1
    problems += [f"doubled: message {message_id!r} is there {n} times" for message_id, n in counts.items() if n > 1]
    return problems


def _differences(seqs: list[int]) -> str:
    wrong = [f"{seq} in place {place}" for place, seq in enumerate(seqs, 1) if seq != place]
    return ", ".join(wrong[:5])


def _landed(appends: Sequence[Event], final: Log) -> list[str]:
    """What was acknowledged is there at the seqs of the reply; what was refused is not; nothing else is there."""
    places = {message_id: seq for seq, message_id in final}
    problems: list[str] = []
    tried: set[str] = set()
    refused: set[str] = set()
    for event in appends:
        tried.update(_ids(event))
        if event.outcome == "fail":
            refused.update(_ids(event))
        if event.outcome != "ok":
            continue
        found = [places.get(message_id) for message_id in _ids(event)]
        if None in found:
            problems.append(f"lost: acknowledged and not in the log:\n{timeline([event])}")
        elif found != list(event.result):
            problems.append(
                f"reordered: the answer said seqs {event.result}, the log says {found}:\n{timeline([event])}"
            )
    for event in appends:
        if event.outcome != "fail":
            refused.difference_update(_ids(event))
    problems += [f"refused, and in the log: {message_id!r}" for message_id in refused & places.keys()]
    problems += [f"never appended, and in the log: {message_id!r}" for message_id in places.keys() - tried]
    return problems


def _batches(appends: Sequence[Event], final: Log) -> list[str]:
    """ORD-2: whole or not at all, adjacent, in the order given; also for those of unknown outcome."""
    places = {message_id: seq for seq, message_id in final}
    problems: list[str] = []
    for event in appends:
        found = [places[message_id] for message_id in _ids(event) if message_id in places]
        if found and len(found) < len(_ids(event)):
            problems.append(f"ORD-2: {len(found)} of a batch of {len(_ids(event))} landed:\n{timeline([event])}")
        elif found and found != list(range(found[0], found[0] + len(found))):
            problems.append(f"ORD-2: a batch is not adjacent and in order, its seqs are {found}:\n{timeline([event])}")
    return problems


def _in_real_time(appends: Sequence[Event]) -> list[str]:
    """ORD-1, ORD-5: an append that began when another had ended comes behind it."""
    acknowledged = [event for event in appends if event.outcome == "ok" and event.ended is not None and event.result]
    by_end = sorted(acknowledged, key=lambda event: event.ended or 0)
    highest: Event | None = None
    problems: list[str] = []
    place = 0
    for event in sorted(acknowledged, key=lambda event: event.started):
        while place < len(by_end) and (by_end[place].ended or 0) < event.started:
            ended = by_end[place]
            highest = ended if highest is None or max(ended.result) > max(highest.result) else highest
            place += 1
        if highest is not None and max(highest.result) > min(event.result):
            problems.append(f"reordered: the second began after the first had ended:\n{timeline([highest, event])}")
    return problems


def _readers(reads: Sequence[Event], appends: Sequence[Event], final: Log) -> list[str]:
    """ORD-3: no late arrivals; ORD-2: no half batch is seen; ORD-5: what had been acknowledged is seen."""
    batch_of = {message_id: _ids(event) for event in appends for message_id in _ids(event)}
    place_of = {message_id: seq for seq, message_id in final}
    done = sorted((event for event in appends if event.outcome == "ok" and event.ended), key=lambda e: e.ended or 0)
    problems: list[str] = []
    for read in reads:
        if read.outcome != "ok":
            continue
        after = read.argument["after"]
        seen = [(seq, message_id) for seq, message_id in read.result]
        last = seen[-1][0] if seen else after
        if seen != [(seq, message_id) for seq, message_id in final if after < seq <= last]:
            problems.append(f"ORD-3: a reader saw another log than the final one up to seq {last}:\n{timeline([read])}")
        if len(seen) == READ_LIMIT:
            continue
        if seen and batch_of[seen[-1][1]][-1] != seen[-1][1]:
            problems.append(f"ORD-2: a reader saw half of a batch:\n{timeline([read])}")
        problems += _missed(read, last, done, place_of)
    return problems


def _missed(read: Event, last: int, done: Sequence[Event], place_of: dict[str, int]) -> list[str]:
    for append in done:
        if (append.ended or 0) >= read.started:
            break
        if _ids(append) and place_of.get(_ids(append)[-1], 0) > last:
            return [f"ORD-5: a reader did not see what had been acknowledged:\n{timeline([append, read])}"]
    return []


def _ids(event: Event) -> list[str]:
    return event.argument["ids"]
