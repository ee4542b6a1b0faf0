"""Each verb as one operation on furnished data, and a look at all of that data, to tell before and after apart.

The same operation in another tenant, undisturbed, shows what after is. Times and chosen ids are left out.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from agentkeep import Appended, NewMessage, OutcomeUnknown, SessionNotFound, Unavailable, View

World = dict[str, Any]
"""Every session of a tenant with its messages, by session id."""

_FIRST = "first version"
"""In the metadata of each furnished session."""
_CHOSEN = re.compile(r"[0-9a-f]{32}")
_TIMES = ("created_at", "updated_at", "last_message_at", "completed_at", "ends_at", "expires_at")


@dataclass(frozen=True)
class Operation:
    """One write."""

    run: Callable[[View], Awaitable[Any]]
    whole_sessions: bool = False
    """It works on session after session: interrupted, it leaves each of them before or after."""
    repeatable: bool = False
    """IDEM-1: repeating it with the same ids is always safe."""


def _append(*ids: str | None, **options: Any) -> Callable[[View], Awaitable[Any]]:
    return lambda keep: keep.messages.append("s", [_message(message_id) for message_id in ids], **options)


def _message(message_id: str | None) -> NewMessage:
    return NewMessage(role="user", id=message_id, content="new", metadata={"n": 1})


WRITES: dict[str, Operation] = {
    "create": Operation(lambda keep: keep.sessions.create("new", user_id="u1", metadata={"k": 1})),
    "get_or_create": Operation(lambda keep: keep.sessions.get_or_create("new", user_id="u1"), repeatable=True),
    "update": Operation(lambda keep: keep.sessions.update("s", title="new", status="completed")),
    "update counters": Operation(lambda keep: keep.sessions.update("s", add={"n": 2})),
    "update the ends": Operation(lambda keep: keep.sessions.update("s", ttl=7_200, idle_ttl=3_600)),
    "touch": Operation(lambda keep: keep.sessions.touch("s")),
    "fork": Operation(lambda keep: keep.sessions.fork("s", at_seq=3, new_id="new")),
    "fork with an update": Operation(
        lambda keep: keep.sessions.fork("s", new_id="new", update={"title": "new", "metadata": {"k": 1}})
    ),
    "delete": Operation(lambda keep: keep.sessions.delete("s")),
    "delete_many": Operation(lambda keep: keep.sessions.delete_many(metadata={"k": 1}), whole_sessions=True),
    "delete_user": Operation(lambda keep: keep.sessions.delete_user("u1"), whole_sessions=True),
    "append": Operation(_append(None)),
    "append with an id": Operation(_append("new"), repeatable=True),
    "append a batch": Operation(_append("new1", "new2", "new3"), repeatable=True),
    "append a turn": Operation(
        _append(
            "new1", "new2", update={"title": "new", "state": {"n": 2}}, add={"n": 2}, truncate_after=3, keep_last=4
        ),
        repeatable=True,
    ),
    "append what is there in part": Operation(_append("m2", "new1", stored="skip"), repeatable=True),
    # The next two are no repetitions when they are sent again, so a lost reply leaves the outcome unknown (IDEM-2).
    "append nothing but counters": Operation(_append(add={"n": 2})),
    "append more than is kept": Operation(_append(None, None, None, keep_last=1)),
    "append to a new session": Operation(
        lambda keep: keep.messages.append("new", [_message("new1")], create={"user_id": "u1"}, add={"n": 2}),
        repeatable=True,
    ),
    "redact": Operation(lambda keep: keep.messages.update("s", "m2", content="[removed]")),
    "truncate": Operation(lambda keep: keep.messages.truncate("s", after_seq=2)),
    "trim": Operation(lambda keep: keep.messages.trim("s", keep_last=2)),
    "pop": Operation(lambda keep: keep.messages.pop("s")),
    "clear": Operation(lambda keep: keep.messages.clear("s")),
}

READS: dict[str, Callable[[View], Awaitable[Any]]] = {
    "get": lambda keep: keep.sessions.get("s"),
    "find": lambda keep: keep.sessions.find("s"),
    "get_many": lambda keep: keep.sessions.get_many(["s", "t", "absent"]),
    "resume": lambda keep: keep.sessions.resume("s", tail=2),
    "list": lambda keep: keep.sessions.list(metadata={"k": 1}),
    "count": lambda keep: keep.sessions.count(),
    "find_active": lambda keep: keep.sessions.find_active("u1"),
    "messages.list": lambda keep: keep.messages.list("s", after=1),
    "messages.tail": lambda keep: keep.messages.tail("s", 2),
    "messages.get": lambda keep: keep.messages.get("s", "m1"),
    "messages.get_many": lambda keep: keep.messages.get_many("s", ["m1", "m4", "absent"]),
    "messages.count": lambda keep: keep.messages.count("s"),
}


async def furnish(keep: View) -> None:
    """Three sessions, two of them of one user and label."""
    for session_id, user_id, metadata in (("s", "u1", {"k": 1}), ("t", "u1", {"k": 1}), ("x", "u2", {"k": 2})):
        session = await keep.sessions.create(session_id, user_id=user_id, metadata=metadata, title="old")
        await keep.sessions.update(session_id, metadata=metadata | {_FIRST: session.version})
        batch = [NewMessage(role="user", id=f"m{number}", content=f"old {number}") for number in range(1, 6)]
        await keep.messages.append(session_id, batch)


async def world_of(keep: View) -> World:
    """All that one tenant has, read twice until it holds still: a request may still be under way at the server."""
    found = await _read_world(keep)
    while (again := await _read_world(keep)) != found:
        found = again
    return found


async def _read_world(keep: View) -> World:
    world: World = {}
    async for session in keep.sessions.iterate(order="created_at"):
        try:
            messages = [_plain(message) async for message in keep.messages.iterate(session.id)]
        except SessionNotFound:
            continue  # a request that was still under way removed it
        world[session.id] = {"session": _plain(session), "messages": messages}
    return world


def _plain(row: msgspec.Struct) -> dict[str, Any]:
    """Without what differs from tenant to tenant. Of a version only how many updates there were since the first."""
    fields = msgspec.structs.asdict(row)
    fields.pop("tenant", None)
    if "version" in fields:
        first = fields["metadata"].pop(_FIRST, None)
        fields["version"] = None if first is None or fields["id"] == "new" else fields["version"] - first
    plain = {name: value is not None if name in _TIMES else value for name, value in fields.items()}
    return plain | {"id": _CHOSEN.sub("chosen", fields["id"])}


def _plain_result(result: Any) -> Any:
    """Without what differs from tenant to tenant, and without `new` and `version` of an append.

    `new` is 0 if the answer was lost and the caller gave ids (see `Appended`).
    """
    if isinstance(result, Appended):
        return {"messages": [_plain(message) for message in result], "last_seq": result.last_seq}
    return _plain(result) if isinstance(result, msgspec.Struct) else result


@dataclass(frozen=True)
class Expectation:
    """An operation, what the data is before and after it, and what it returns."""

    operation: Operation
    before: World
    after: World
    result: Any

    async def run(self, keep: View) -> None:
        """Do the operation. If no error says otherwise, it returns what it returns undisturbed (ERR-2)."""
        found = _plain_result(await self.operation.run(keep))
        assert found == self.result, "it succeeded, and says of itself what is not so"

    def check(self, found: World, error: BaseException | None) -> None:
        """ERR-2: success means after, `Unavailable` before, `OutcomeUnknown` one of both; no other error will do.

        ERR-1: the driver's error is the cause.
        """
        if error is None:
            assert found == self.after, "it succeeded, and the data is not what it should be"
            return
        assert error.__cause__ is not None, f"{error!r} has no cause"
        if isinstance(error, Unavailable) and not self.operation.whole_sessions:
            assert found == self.before, f"{error!r} says that nothing was written"
        else:
            assert isinstance(error, Unavailable | OutcomeUnknown), f"raised {error!r}"
            self.is_before_or_after(found)

    def is_before_or_after(self, found: World) -> None:
        """Nothing in between; where several sessions are concerned, none of them in between."""
        if not self.operation.whole_sessions:
            assert found in (self.before, self.after), "the data is neither before nor after"
            return
        for session_id in self.before.keys() | self.after.keys():
            states = (self.before.get(session_id), self.after.get(session_id))
            assert found.get(session_id) in states, f"session {session_id!r} is neither before nor after"


async def expectation(keep: View, name: str) -> Expectation:
    """Do the operation undisturbed, in the tenant of `keep`, and see what it does."""
    operation = WRITES[name]
    await furnish(keep)
    before = await world_of(keep)
    result = _plain_result(await operation.run(keep))
    return Expectation(operation, before, await world_of(keep), result)
