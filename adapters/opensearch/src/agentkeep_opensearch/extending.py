"""Commits that let a session live longer, and the readers who see its end (TTL-1).

A reader says that a session has expired while such a commit may be on its way. That commit must not bring the session
back, however late it arrives. A refusal by the server's clock alone would do, if its clock were the readers'. So near
its end a session is marked first, and the commit follows only if the mark landed in time. A reader who meets an expired
session with the mark buries it, which refuses the commit. Without the mark no commit can come.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from time import time

from msgspec.structs import replace

from agentkeep_opensearch.commit import MESSAGES, Lost, Store, TooLate, loaded_of
from agentkeep_opensearch.documents import Loaded, Session

MARGIN = timedelta(milliseconds=50)
"""A session that expires sooner counts as expired for a call that may move its end: clocks of two machines differ."""
NEAR_END = timedelta(seconds=5)
"""With less of its life left a session is marked first. So much may the server's clock be behind."""


async def commit(store: Store, loaded: Loaded, after: Session) -> Loaded:
    """As `Store.commit`, of a commit that may let the session live longer. Raises `Lost`."""
    before = loaded.session
    after = replace(after, is_extending=False)
    end = before.record.expires_at
    if end is None or before.is_extending or not _lives_longer(end, after):
        return await store.commit(loaded, after)
    left = end - store.now()
    if left > NEAR_END:
        with suppress(TooLate):
            return await store.commit(loaded, after, until=time() + (left - NEAR_END).total_seconds())
    marked = await store.commit(loaded, replace(before, is_extending=True))
    if before.is_expired(store.now() + MARGIN):
        raise Lost
    return await store.commit(marked, after)


def _lives_longer(end: datetime, after: Session) -> bool:
    return after.record.expires_at is None or after.record.expires_at > end


async def end_all(store: Store, sessions: Iterable[Session], now: datetime) -> None:
    """Bury those that have expired and are marked. Raises `Lost` if there was one, as it may live longer instead.

    `now`: before the sessions were read. A mark that was not there by then comes too late for its writer.
    """
    ended = [each for each in sessions if each.is_extending and not each.is_dead and each.is_expired(now)]
    for session in ended:
        (reply,) = await store.mget([store.session_doc(session.key, MESSAGES)])
        loaded = loaded_of(session.key, reply)
        if loaded is not None and not loaded.session.is_dead and loaded.session.is_expired(now):
            await store.let_expire(loaded)
    if ended:
        raise Lost
