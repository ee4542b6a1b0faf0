"""Removing sessions: they expire at once, in one update; then their documents go, the session's own as the last.

Whatever stops it in between, a sweep finds the expired session and goes on (SES-6, FLT-1).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from agentkeep.errors import OutcomeUnknown, PersistenceError
from bson import ObjectId

from agentkeep_mongo import statements
from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Collections, Document
from agentkeep_mongo.documents import Life
from agentkeep_mongo.listing import EVERYTHING_IS_OVER
from agentkeep_mongo.moving import Mover

_ENDED: Mapping[str, Any] = {"expires_at": EVERYTHING_IS_OVER}


class Removal:
    def __init__(self, client: Client, mover: Mover) -> None:
        self._client = client
        self._mover = mover

    async def end(self, wanted: Document, removal: ObjectId) -> int:
        """Let the sessions of a filter expire now; return how many. Nobody sees them from here on."""
        change = [{"$set": {**_ENDED, "removal": removal, "writes": {"$add": ["$writes", 1]}}}, {"$unset": "listed"}]

        async def send(to: Collections) -> int | None:
            return (await to.sessions.update_many(wanted, change)).modified_count or None

        return await self._client.write(send, of_many=True) or 0

    async def remove_ended(self, removal: ObjectId, keys: Sequence[str]) -> None:
        """Go on after `end`, which was the commit. Raises `OutcomeUnknown` if it fails; then a sweep does it."""
        try:
            await self.remove({"_id": {"$in": list(keys)}, "removal": removal})
        except PersistenceError as error:
            what = "the sessions are gone, but what they stored is not removed yet: a sweep removes it"
            raise OutcomeUnknown(f"{self._client.server}: {what}") from error

    async def remove(self, wanted: Document) -> int:
        """Remove the documents of sessions that have expired; return how many sessions."""
        fields = {"life": 1, "old": 1, "batches.staged": 1, "edits.staged": 1, "is_moving": statements.WAS_MOVING}
        found = await self._client.read(lambda to: to.sessions.find(wanted, fields).to_list())
        if not found:
            return 0
        lives = [life for session in found for life in _lives_of(session)]
        ranges = {"$or": [{"_id": life.everything()} for life in lives]}
        await self._client.read(lambda to: to.messages.delete_many(ranges))
        await self._client.read(lambda to: to.search.delete_many(ranges))
        await self._client.read(lambda to: to.staged.delete_many({"_id": {"$in": [life.id for life in lives]}}))
        for session in found:
            # who moves or edits it may insert after this, and be killed: a sweep looks again
            if session["is_moving"] or session.get("edits"):
                await self._mover.stage(Life(session["_id"], session["life"]), [], [])
        # by life, because the id may belong to a new session by now
        same = [{"_id": session["_id"], "life": session["life"]} for session in found]
        result = await self._client.read(lambda to: to.sessions.delete_many({"$or": same}))
        return result.deleted_count


async def until_none_is_left(limit: int, remove_some: Callable[[int], Awaitable[tuple[int, int]]]) -> int:
    """How many were removed: `limit`, or fewer if no more are there.

    `remove_some(most)` returns how many it found, and how many of them it removed. These may be fewer, because another
    call was first with some: then it looks again.
    """
    removed = 0
    while removed < limit:
        wanted = limit - removed
        found, gone = await remove_some(wanted)
        removed += gone
        if found < wanted:
            break
    return removed


def _lives_of(session: Document) -> list[Life]:
    lives = (session["life"], *session.get("old", ()), *staged_of(session))
    return [Life(session["_id"], life) for life in lives]


def staged_of(session: Document) -> list[ObjectId]:
    """What was written ahead of a commit, and the session has admitted."""
    return [each["staged"] for each in (*session["batches"], *session.get("edits", ())) if "staged" in each]
