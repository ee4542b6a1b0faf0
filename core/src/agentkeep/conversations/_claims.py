"""Who makes the next session of a user, if many callers find none at the same time.

`keep.sessions` has no lock, so a claim does its work: a small session under an id that all callers can compute, from
the agent and the user. It says which id the new session gets. The steps of a caller are:

1. List the user's active session. If there is one, return it. This is all that happens in most calls.
2. `get_or_create` the claim, with a new id in it. One caller's id wins, and all callers see that one (SES-1).
   A caller that did not make the claim marks it. This changes the claim's version and moves its end.
3. List again. If there is an active session now, return it. Who made the claim removes it, if nobody marked it.
4. `get_or_create` the session under the id in the claim. Then remove the claim.

Why no second session appears: a caller makes the session N only with a claim for N, and only if step 3 found none.
Another session M needs another claim, and that claim can be made only when the claim for N is gone. Step 4 removes the
claim for N only when N exists. So the caller with the claim for M finds N in its step 3, because a listing shows each
completed write at once (ORD-5). Step 3 removes a claim only if no other caller uses it. If a caller dies, its claim
stays, and the next caller finishes the work or the claim expires. No caller waits for another.

Limits: a caller that stops for an hour between two of its steps may make a second session, because its claim has
expired by then. The same holds if somebody deletes N while a caller is between steps 3 and 4. The claim belongs to no
user and holds nothing but an id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

from agentkeep.conversations._ids import time_id
from agentkeep.errors import Conflict, SessionNotFound
from agentkeep.models import Session
from agentkeep.sessions import Sessions

CLAIM = "agentkeep.claim"
"""The `agent_name` of all claims."""
_LIFE = timedelta(hours=1)
_TRIES = 20


async def active_or_new(
    claims: Sessions,
    owner: tuple[str | None, str],
    find: Callable[[], Awaitable[Session | None]],
    make: Callable[[str], Awaitable[Session]],
) -> Session:
    """The active session that `find` returns, or one that `make` makes under a new id, in one of all racing callers.

    `claims`: sessions that are limited to no user. `owner`: the agent's name and the user.
    """
    for _ in range(_TRIES):
        session = await find() or await _made(claims, owner, find, make)
        if session is not None:
            return session
    raise Conflict(
        "version",
        f"the session of user {owner[1]!r} was ended by others in each of {_TRIES} tries",
        expected="an active session",
        actual="an ended one",
    )


async def _made(
    claims: Sessions,
    owner: tuple[str | None, str],
    find: Callable[[], Awaitable[Session | None]],
    make: Callable[[str], Awaitable[Session]],
) -> Session | None:
    """None if the caller must begin again."""
    own_id = time_id()
    claim = await claims.get_or_create(
        _claim_id(owner), agent_name=CLAIM, state={"session_id": own_id}, ttl=_LIFE, idle_ttl=None
    )
    is_own = claim.state["session_id"] == own_id
    if not is_own:
        try:
            claim = await claims.update(claim.id, title="used by several callers", ttl=_LIFE)
        except SessionNotFound:
            return None
    session = await find()
    if session is not None:
        if is_own:
            await _remove(claims, claim)
        return session
    session = await make(claim.state["session_id"])
    await _remove(claims, claim)
    return session if session.status == "active" else None


async def _remove(claims: Sessions, claim: Session) -> None:
    """Remove the claim, unless another caller marked it: then that caller removes it."""
    try:
        await claims.delete(claim.id, expected_version=claim.version)
    except Conflict:
        return


def _claim_id(owner: tuple[str | None, str]) -> str:
    return f"claim-{hashlib.sha256(json.dumps(owner).encode()).hexdigest()[:40]}"
