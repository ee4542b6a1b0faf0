"""Removing what has expired, and what crashes left half done (TTL-2, FLT-1)."""

from __future__ import annotations

from datetime import timedelta

from agentkeep.records import Scope

from agentkeep_mongo.client import Client
from agentkeep_mongo.concerns import Document
from agentkeep_mongo.documents import Life
from agentkeep_mongo.listing import expired
from agentkeep_mongo.moving import Mover
from agentkeep_mongo.removal import Removal, staged_of, until_none_is_left

_STAGED_FOR = timedelta(minutes=10)
"""Longer than any call takes: what was staged so long ago is admitted, or never will be."""
_AT_A_TIME = 100


class Sweeper:
    def __init__(self, client: Client, mover: Mover, removal: Removal) -> None:
        self._client = client
        self._mover = mover
        self._removal = removal

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        wanted = expired(scope)
        removed = await until_none_is_left(limit, lambda most: self._remove_some(wanted, most))
        if removed < limit:
            await self._clean()
            await self._unstage()
        return removed

    async def _remove_some(self, wanted: Document, limit: int) -> tuple[int, int]:
        """How many sessions have expired, and how many of them this call removed."""
        found = await self._client.read(
            lambda to: to.sessions.find(wanted, {"_id": 1}, hint="expired", limit=limit).to_list()
        )
        keys = [each["_id"] for each in found]
        return len(keys), await self._removal.remove({**wanted, "_id": {"$in": keys}}) if keys else 0

    async def _clean(self) -> None:
        """What a cut or a new life was about to remove."""
        fields = {"life": 1, "old": 1, "dirty": 1, "last_seq": 1}
        dirty = {"dirty": {"$type": "objectId"}}
        for session in await self._client.read(lambda to: to.sessions.find(dirty, fields).limit(_AT_A_TIME).to_list()):
            await self._clean_session(session)

    async def _clean_session(self, session: Document) -> None:
        life = Life(session["_id"], session["life"])
        await self._mover.remove_dead(life, after=0, upto=int(session["last_seq"]))
        for token in session["dirty"]:
            await self._mover.remove_lives(life.key, session.get("old", ()), token)

    async def _unstage(self) -> None:
        """What went ahead of a commit that never came."""
        old = {"$expr": {"$lt": ["$at", {"$subtract": ["$$NOW", _STAGED_FOR // timedelta(milliseconds=1)]}]}}
        for staged in await self._client.read(lambda to: to.staged.find(old).limit(_AT_A_TIME).to_list()):
            await self._unstage_one(Life(staged["key"], staged["_id"]))

    async def _unstage_one(self, staged: Life) -> None:
        session = await self._client.read(
            lambda to: to.sessions.find_one({"_id": staged.key}, {"life": 1, "batches.staged": 1, "edits.staged": 1})
        )
        if session is not None and staged.id in staged_of(session):
            life = Life(staged.key, session["life"])
            await self._mover.settle(life)
            await self._mover.move(life)
            return
        is_session = session is not None and session["life"] == staged.id
        await self._mover.unstage(staged, committed=is_session)
