"""How long sessions and messages are kept, and what removes those that are kept no longer.

    policy = RetentionPolicy(max_idle=timedelta(days=90), max_sessions_per_user=100)
    print(await prune(keep, policy, dry_run=True))
    print(await prune(keep, policy))

A session may belong to another: a bridge's agent, branch or subagent does. Its metadata says so by `BELONGS_TO`. A
policy keeps or removes both together; `delete_whole` removes one session and all that belong to it.

Sessions with a time to live need no policy: `keep.sweep()` removes them. `keep.sweeping(...)` does both in the
background.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agentkeep._belonging import BELONGS_TO, SHARED, is_shared, is_unused, owner_of, with_owners
from agentkeep._validation import check_duration, check_id, check_optional_count
from agentkeep._values import Value
from agentkeep.errors import Closed, Conflict, InvalidInput, PersistenceError, SessionNotFound
from agentkeep.keep import View
from agentkeep.models import Session

__all__ = ["BELONGS_TO", "SHARED", "Pruned", "RetentionPolicy", "delete_whole", "prune", "sweeping"]

_log = logging.getLogger("agentkeep")
_SWEEP = 1_000
_DELETE_TRIES = 20


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    """What to keep. A duration is a timedelta or a number of seconds; None is no limit."""

    max_age: timedelta | float | None = None
    """Sessions that were created before that time are removed."""
    max_idle: timedelta | float | None = None
    """Sessions that were last written to before that time are removed."""
    max_sessions_per_user: int | None = None
    """Of each user, the sessions that were written to last are kept. Sessions without a user are not counted."""
    max_messages_per_session: int | None = None
    """Of each session, the newest messages are kept. The first one kept may stand inside a turn, and a system message
    at the beginning goes too: then give it to the model from your program."""

    def __post_init__(self) -> None:
        """Raises `InvalidInput`."""
        for name in ("max_age", "max_idle"):
            object.__setattr__(self, name, check_duration(getattr(self, name), name))
        for name in ("max_sessions_per_user", "max_messages_per_session"):
            check_optional_count(getattr(self, name), name, least=1)


class Pruned(Value, frozen=True, kw_only=True):
    """How much was removed, or would be with `dry_run`. A session counts once, at the first rule that removes it."""

    too_old: int = 0
    """Sessions, by `max_age`."""
    idle: int = 0
    """Sessions, by `max_idle`."""
    over_user_limit: int = 0
    """Sessions, by `max_sessions_per_user`."""
    messages: int = 0
    """Messages of sessions that stay, by `max_messages_per_session`."""

    @property
    def sessions(self) -> int:
        """By all rules."""
        return self.too_old + self.idle + self.over_user_limit


async def prune(view: View, policy: RetentionPolicy, *, dry_run: bool = False) -> Pruned:
    """Remove what the policy does not keep among the sessions of a view: those of one tenant, or of one user.

    It works in bounded steps, and writers go on meanwhile: a session that is written to while this runs is not removed
    as idle or as over the user's limit. Several processes may prune at once. With `dry_run`, it only counts. The limits
    of users and of sessions need a listing of all sessions, without their messages.

    A session that belongs to another is kept as long as that other: it is touched if it alone would be idle. It counts
    if it is removed, but not as one of a user's sessions.

    Removing messages is a write: the session counts as written to at that time.
    Raises `Unavailable` and the like; what was removed before stays removed, and the next call goes on.
    """
    now = datetime.now(UTC)
    born_after = None if policy.max_age is None else now - _duration(policy.max_age)
    used_after = None if policy.max_idle is None else now - _duration(policy.max_idle)
    if dry_run:
        return await _counted(view, policy, born_after, used_after)
    too_old = 0 if born_after is None else await _remove_born_before(view, born_after)
    idle = 0 if used_after is None else await _remove_unused(view, used_after)
    over = 0 if policy.max_sessions_per_user is None else await _enforce_users(view, policy)
    messages = 0 if policy.max_messages_per_session is None else await _trim_all(view, policy)
    return Pruned(too_old=too_old, idle=idle, over_user_limit=over, messages=messages)


async def delete_whole(view: View, id: str) -> int:
    """Remove a session and those that belong to it, and return how many; 0 if there are none.

    `sessions.delete` removes one session alone. The session itself goes last, so a call that was cut short can be
    repeated. Raises as `sessions.delete_many` does.
    """
    check_id(id, "id")
    removed = await view.sessions.delete_many(metadata={BELONGS_TO: id})
    return removed + await view.sessions.delete(id)


@asynccontextmanager
async def sweeping(
    view: View, *, every: timedelta | float, policy: RetentionPolicy | None = None
) -> AsyncGenerator[None, None]:
    """Sweep a view again and again in the background, while the block runs; with `policy`, prune it too.

    Safe in any number of processes: each removes what is there, and the first run of each begins at a random moment
    within `every`, so that they spread. An error of the database is logged, and the next run tries again.
    """
    interval = check_duration(every, "every")
    if interval is None:
        raise InvalidInput("every is None: give a timedelta or seconds")
    task = asyncio.create_task(_sweep_again(view, interval.total_seconds(), policy))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sweep_again(view: View, seconds: float, policy: RetentionPolicy | None) -> None:
    pause = seconds * random.random()  # noqa: S311 - no secret
    while True:
        await asyncio.sleep(pause)
        try:
            while await view.sweep(_SWEEP) == _SWEEP:
                pass
            if policy is not None:
                removed = await prune(view, policy)
                _log.log(logging.INFO if removed != Pruned() else logging.DEBUG, "pruned: %s", removed)
        except Closed:
            return
        except PersistenceError as error:
            _log.warning("a sweep failed and will be tried again in %.0f s: %s", seconds, type(error).__name__)
        pause = seconds


async def _counted(
    view: View, policy: RetentionPolicy, born_after: datetime | None, used_after: datetime | None
) -> Pruned:
    counts: Counter[str] = Counter()
    newest = _NewestOfUsers(policy.max_sessions_per_user)
    belonging = 0
    async for session in view.sessions.iterate():
        if owner_of(session) is not None:
            belonging += 1
        elif is_shared(session):
            counts["messages"] += _excess(session, policy)
        elif born_after is not None and session.created_at < born_after:
            counts["too_old"] += 1
        elif used_after is not None and session.updated_at < used_after:
            counts["idle"] += 1
        elif newest.is_over(session):
            counts["over_user_limit"] += 1
        else:
            counts["messages"] += _excess(session, policy)
    if belonging:  # what becomes of these depends on all the others, so a second listing counts them
        async for session, owner in with_owners(view, view.sessions.iterate()):
            oldest_kept = newest.exceeded.get(session.user_id or "")
            if owner_of(session) is None:
                continue
            if born_after is not None and (owner or session).created_at < born_after:
                counts["too_old"] += 1
            elif is_unused(session, owner, used_after):
                counts["idle"] += 1
            elif is_unused(session, owner, oldest_kept):
                counts["over_user_limit"] += 1
            else:
                counts["messages"] += _excess(session, policy)
    return Pruned(**counts)


async def _remove_born_before(view: View, moment: datetime) -> int:
    removed = 0
    async for session, owner in with_owners(view, view.sessions.iterate(order="created_at")):
        if session.created_at >= moment:
            break
        if owner is None and not is_shared(session) and await _remove_one(view, session, moment):
            removed += 1 + await view.sessions.delete_many(metadata={BELONGS_TO: session.id})
    return removed


async def _remove_unused(view: View, moment: datetime, user_id: str | None = None) -> int:
    """Remove sessions that were last written to before `moment`. Touch those that stay nevertheless before that."""
    unused = view.sessions.iterate(order="updated_at", updated_before=moment, user_id=user_id)
    async for session, owner in with_owners(view, unused):
        if is_shared(session) or (owner is not None and owner.updated_at >= moment):
            with suppress(SessionNotFound):
                await view.sessions.touch(session.id)
    return await view.sessions.delete_many(updated_before=moment, user_id=user_id)


async def _remove_one(view: View, session: Session, moment: datetime) -> bool:
    """Remove a session unless it was made anew meanwhile, under the same id."""
    for _ in range(_DELETE_TRIES):
        try:
            return await view.sessions.delete(session.id, expected_version=session.version)
        except Conflict:
            found = await view.sessions.find(session.id)
        if found is None or found.created_at >= moment:
            return False
        session = found
    return False  # it changes all the time: the next run removes it


async def _enforce_users(view: View, policy: RetentionPolicy) -> int:
    newest = _NewestOfUsers(policy.max_sessions_per_user)
    async for session in view.sessions.iterate():
        if owner_of(session) is None and not is_shared(session):
            newest.is_over(session)
    removed = 0
    for user_id, oldest_kept in newest.exceeded.items():
        removed += await _remove_unused(view, oldest_kept, user_id)
    return removed


async def _trim_all(view: View, policy: RetentionPolicy) -> int:
    removed = 0
    async for session in view.sessions.iterate():
        if _excess(session, policy):
            with suppress(SessionNotFound):
                removed += await view.messages.trim(session.id, keep_last=policy.max_messages_per_session or 1)
    return removed


class _NewestOfUsers:
    """Told of all sessions, newest first, it says which are over the limit of their user."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._counts: dict[str, int] = {}
        self._oldest: dict[str, datetime] = {}
        self.exceeded: dict[str, datetime] = {}
        """Users with too many sessions, and when the oldest of those to keep was last written to."""

    def is_over(self, session: Session) -> bool:
        user = session.user_id
        if self._limit is None or user is None:
            return False
        count = self._counts[user] = self._counts.get(user, 0) + 1
        if count <= self._limit:
            self._oldest[user] = session.updated_at
            return False
        if session.updated_at == self._oldest[user]:
            return False  # as new as the oldest that is kept
        self.exceeded[user] = self._oldest[user]
        return True


def _excess(session: Session, policy: RetentionPolicy) -> int:
    """How many messages the session has too many."""
    most = policy.max_messages_per_session
    return 0 if most is None else max(0, session.message_count - most)


def _duration(value: timedelta | float) -> timedelta:
    """The policy has turned numbers into durations."""
    return value if isinstance(value, timedelta) else timedelta(seconds=value)
