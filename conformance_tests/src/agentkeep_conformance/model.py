"""The reference model: what Agentkeep promises, as plain dicts, for one caller at a time.

A `ModelView` has `sessions` and `messages` with the verbs and arguments of a `Keep`'s. They return rows: dicts of the
fields of `Session` and `Message`, in which ids, versions and times that the adapter chooses are `Unknown` until an
answer shows them. It is the specification in code: written from the contract, sharing none of core's logic.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from agentkeep import AlreadyExists, InvalidInput, SessionNotFound

from agentkeep_conformance.agreement import Computed, FirstVersion, Instant, NextVersion, SameOrLater, value_of
from agentkeep_conformance.rows import Held, Row, matches, new_row

Duration = timedelta | float


class Model:
    """All tenants' sessions. `clock`: the adapter's, if a test moves it; else times are `Unknown`."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self.held: dict[tuple[str, str], Held] = {}
        self.versions: dict[tuple[str, str], set[int]] = {}
        self._clock = clock

    def now(self) -> datetime | None:
        return None if self._clock is None else self._clock()

    def moment(self, before: Any = None) -> Any:
        """The time of a write: of a clock that a test moves the very time, which never goes back; else a later one."""
        now, earlier = self.now(), value_of(before)
        if now is None:
            return Instant(before)
        return now if earlier is None else max(now, earlier)

    def find(self, tenant: str, session_id: str) -> Held | None:
        held = self.held.get((tenant, session_id))
        return None if held is None or held.is_expired(self.now()) else held


class Scoped:
    """What one tenant, or one user of it, may see and touch (ISO-1), and the rules that both repositories share."""

    def __init__(self, model: Model, tenant: str, user_id: str | None, idle_ttl: timedelta | None) -> None:
        self.model = model
        self.tenant = tenant
        self.user_id = user_id
        self._idle_ttl = idle_ttl

    def find(self, session_id: str) -> Held:
        """Raises `SessionNotFound`."""
        held = self.model.find(self.tenant, session_id)
        if held is None or self.user_id not in (None, held.row["user_id"]):
            raise SessionNotFound(session_id)
        return held

    def matching(self, filters: Row) -> list[Held]:
        """The sessions that are seen, have not expired and match."""
        found = [held for (tenant, id), held in self.model.held.items() if self.model.find(tenant, id)]
        own = [held for held in found if held.row["tenant"] == self.tenant]
        return [held for held in own if self.user_id in (None, held.row["user_id"]) and matches(held.row, filters)]

    def check_user(self, fields: Row) -> None:
        """An update in a user's view can't move a session out of it."""
        if self.user_id is not None and fields.get("user_id", self.user_id) != self.user_id:
            raise InvalidInput("another user's session")

    def owned(self, fields: Row) -> Row:
        """A new session in a user's view is that user's."""
        if self.user_id is None:
            return fields
        if fields.get("user_id") not in (None, self.user_id):
            raise InvalidInput("another user's session")
        return fields | {"user_id": self.user_id}

    def may_use(self, held: Held, fields: Row) -> None:
        """ISO-4: who names a user, or is one, gets no session of another. Raises `AlreadyExists`."""
        owner = held.row["user_id"]
        if fields.get("user_id") not in (None, owner) or self.user_id not in (None, owner):
            raise AlreadyExists(held.row["id"])

    def made(self, id: str, fields: Row) -> Held:
        """A new session, not stored yet."""
        now = self.model.moment()
        row = new_row() | {name: value for name, value in fields.items() if name not in ("ttl", "idle_ttl")}
        row |= {name: row[name] or {} for name in ("state", "metadata")}
        row |= {"id": id, "tenant": self.tenant, "created_at": now, "updated_at": now}
        row["version"] = FirstVersion(self.given(id))
        row["ends_at"] = _after(now, _duration(fields.get("ttl")))
        row["idle_ttl"] = _duration(fields["idle_ttl"]) if "idle_ttl" in fields else self._idle_ttl
        held = Held(row, [])
        slide(held, now)
        return held

    def store(self, held: Held) -> None:
        self.model.held[self.tenant, held.row["id"]] = held

    def given(self, id: str) -> set[int]:
        """The versions that all lives of an id have had."""
        return self.model.versions.setdefault((self.tenant, id), set())

    def written(self, held: Held, *, changed: bool = True) -> Any:
        """The session was written to: the moment, which becomes `updated_at`. Without a change it may stay."""
        before = held.row["updated_at"]
        moment = self.model.moment(before)
        if not changed:
            moment = SameOrLater(before)
        held.row["updated_at"] = moment
        return moment

    def set_fields(self, held: Held, fields: Row, moment: Any) -> None:
        """SES-2, SES-3, TTL-3, without the version."""
        row = held.row
        if fields.get("status") == "completed":
            row["completed_at"] = row["completed_at"] or (moment if isinstance(moment, datetime) else Instant())
        elif "status" in fields:
            row["completed_at"] = None
        row |= {name: value for name, value in fields.items() if name not in ("ttl", "idle_ttl")}
        if "ttl" in fields:
            row["ends_at"] = _after(moment, _duration(fields["ttl"]))
        if "idle_ttl" in fields:
            row["idle_ttl"] = _duration(fields["idle_ttl"])
        if "ttl" in fields or "idle_ttl" in fields:
            slide(held, moment)

    def next_version(self, held: Held) -> None:
        held.row["version"] = NextVersion(held.row["version"], self.given(held.row["id"]))


def slide(held: Held, moment: Any) -> None:
    """The session is used: `expires_at` is the earlier of its fixed end and the end of its idle time (TTL-3)."""
    row = held.row
    row["expires_at"] = _earlier(row["ends_at"], _after(moment, row["idle_ttl"]))


def end(held: Held, moment: Any, ttl: Duration) -> None:
    """A new fixed end."""
    held.row["ends_at"] = _after(moment, _duration(ttl))


def _duration(value: Duration | None) -> timedelta | None:
    return value if value is None or isinstance(value, timedelta) else timedelta(seconds=value)


def _after(moment: Any, duration: timedelta | None) -> Any:
    if duration is None:
        return None
    if isinstance(moment, datetime):
        return moment + duration
    return Computed(lambda: None if value_of(moment) is None else value_of(moment) + duration)


def _earlier(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, datetime) and isinstance(other, datetime):
        return min(one, other)

    def earlier() -> datetime | None:
        ends = (_known(one), _known(other))
        return None if None in ends else min(end for end in ends if end is not None)

    return Computed(earlier)


def _known(value: Any) -> datetime | None:
    """What a time is or will be."""
    if isinstance(value, Computed) and value.value is None:
        return value.expected()
    return value_of(value)
