"""The sync API, verb by verb, against the asynchronous one (LIFE-5); how far a sweep reaches through each face."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from agentkeep import Keep, SessionNotFound, View, sync

from agentkeep_conformance.clauses import needs_two_loops, proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.lifecycle import VERBS
from agentkeep_conformance.families.ttl import SHORT, expired
from agentkeep_conformance.samples import said, whole

_ITERATED = ("sessions.iterate", "messages.iterate", "messages.watch")
_VARIES = {"tenant", "created_at", "updated_at", "last_message_at", "version", "cursor", "next_cursor", "latency"}
_LONGEST_OWN_ID = 10


class SyncVerbs:
    @proves("LIFE-5")
    @needs_two_loops
    @pytest.mark.parametrize("verb", VERBS)
    async def test_a_sync_verb_does_what_its_twin_does(self, database: Database, keep: Keep, verb: str) -> None:
        capability = verb.removeprefix("messages.")
        if capability in ("search", "watch") and not getattr(keep.capabilities, capability):
            return
        one, two = keep.for_tenant("asynchronous"), keep.for_tenant("synchronous")
        for view in (one, two):
            await view.messages.append("s", [said("x y", id="m"), said("z", id="n")], create={"user_id": "u"})
        expected = await _asynchronous(one, verb)
        with sync.over(Keep(database.unopened())) as face:
            found = await asyncio.to_thread(_synchronous, face.for_tenant("synchronous"), verb)
        assert _comparable(found) == _comparable(expected)
        assert await _state(two) == await _state(one)

    @proves("LIFE-3", "LIFE-5", "ISO-1", "TTL-2")
    @needs_two_loops
    @pytest.mark.parametrize("face", ["own loop", "sync"])
    async def test_a_sweep_reaches_as_far_through_each_face(self, database: Database, keep: Keep, face: str) -> None:
        for view in (keep, keep.for_tenant("other")):
            for user in ("ann", "bob"):
                await view.sessions.create(user, user_id=user, ttl=SHORT)
            await expired(view, "bob")
        if face == "sync":
            with sync.over(Keep(database.unopened())) as one:
                swept = [await asyncio.to_thread(view.sweep) for view in _ever_wider(one)]
        else:
            async with Keep(database.unopened(), own_loop=True) as one:
                swept = [await view.sweep() for view in _ever_wider(one)]
        if keep.capabilities.native_ttl:
            assert max(swept) <= 1
        else:
            assert swept == [1, 1, 1, 1]


def _ever_wider(keep: Any) -> list[Any]:
    """Each sees one expired session that the ones before it do not see."""
    return [keep.for_tenant("other").for_user("ann"), keep.for_user("ann"), keep.for_tenant("default"), keep]


async def _asynchronous(view: View, verb: str) -> Any:
    try:
        if verb not in _ITERATED:
            return await VERBS[verb](view)
        rows = _iterator(view, verb)
        try:
            return await anext(rows)
        finally:
            await rows.aclose()
    except Exception as error:
        return error


def _synchronous(view: Any, verb: str) -> Any:
    try:
        if verb not in _ITERATED:
            return VERBS[verb](view)
        rows: Iterator[Any] = _iterator(view, verb)
        try:
            return next(rows)
        finally:
            cast("Any", rows).close()
    except Exception as error:
        return error


def _iterator(view: Any, verb: str) -> Any:
    if verb == "sessions.iterate":
        return view.sessions.iterate()
    if verb == "messages.iterate":
        return view.messages.iterate("s")
    return view.messages.watch("s", after_seq=0)


async def _state(view: View) -> Any:
    try:
        return _comparable(await whole(view, "s"))
    except SessionNotFound:
        return None


def _comparable(value: Any) -> Any:
    """Without what the database chooses."""
    if isinstance(value, Exception):
        return type(value).__name__, str(value).replace("asynchronous", "").replace("synchronous", "")
    if hasattr(value, "to_dict"):
        return type(value).__name__, _comparable(value.to_dict())
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: _comparable(each) for key, each in fields.items() if not _varies(key, each)}
    if isinstance(value, list | tuple):
        return [_comparable(each) for each in cast("list[Any]", value)]
    return value


def _varies(field: str, value: Any) -> bool:
    return field in _VARIES or (field == "id" and len(str(value)) > _LONGEST_OWN_ID)
