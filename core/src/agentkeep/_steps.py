"""Verbs that remove sessions in bounded steps (COST-3), and what their errors say of the steps before (ERR-2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agentkeep.errors import OutcomeUnknown, Refused, Unavailable

_STEP = 100
"""Sessions removed in one step: other writers get their turn in between."""


async def in_steps(remove: Callable[[int], Awaitable[int]], *, most: int | None = None) -> int:
    """Call `remove(limit)` until it removes fewer sessions than asked, or `most` are removed; return how many.

    Raises what `remove` raises; after a step that removed something, `OutcomeUnknown` with `done`.
    """
    done = 0
    while most is None or done < most:
        limit = _STEP if most is None else min(_STEP, most - done)
        try:
            removed = await remove(limit)
        except OutcomeUnknown as error:
            raise error.after(done) from error.__cause__
        except (Unavailable, Refused) as error:
            if done == 0:
                raise
            raise OutcomeUnknown(f"{done} sessions were removed, and then: {error}", done=done) from error
        done += removed
        if removed < limit:
            break
    return done
