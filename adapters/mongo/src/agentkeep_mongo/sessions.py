"""The sessions of a MongoDB database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
from agentkeep.errors import AlreadyExists, SessionNotFound
from agentkeep.records import (
    Fork,
    MessageRange,
    RestoredMessage,
    ResumedRecord,
    Scope,
    SessionChanges,
    SessionDraft,
    SessionOrder,
    SessionPosition,
    SessionQuery,
    SessionRecord,
    expiry,
    new_session,
)
from agentkeep.spi.decode import decode, decode_all, session_name
from agentkeep.spi.notify import Notifier
from agentkeep.spi.outcomes import added, changed_fields, check_owner, version_conflict
from bson import ObjectId

from agentkeep_mongo import statements
from agentkeep_mongo.client import Client
from agentkeep_mongo.commit import Change, Commits
from agentkeep_mongo.concerns import Document
from agentkeep_mongo.copying import Copying
from agentkeep_mongo.documents import session_document, session_key, session_record, time_of
from agentkeep_mongo.ends import read_surely
from agentkeep_mongo.listing import EVERYTHING_IS_OVER, FIELDS, Listing, plan
from agentkeep_mongo.reading import Reading
from agentkeep_mongo.removal import Removal, until_none_is_left
from agentkeep_mongo.state import State

_FIELDS_AND_LIFE: Document = {**FIELDS, "_id": 1, "lives": statements.ALIVE["$expr"]}


class MongoSessions:
    def __init__(
        self,
        client: Client,
        commits: Commits,
        reading: Reading,
        copying: Copying,
        removal: Removal,
        notifier: Notifier,
    ) -> None:
        self._client = client
        self._commits = commits
        self._reading = reading
        self._copying = copying
        self._removal = removal
        self._notifier = notifier
        self._listing = Listing(client)

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        async def attempt(state: State | None) -> SessionRecord | None:
            if state is not None and state.is_alive:
                if not or_get:
                    raise AlreadyExists(draft.id)
                check_owner(scope, draft, state.record.user_id)
                return state.record
            if state is None:
                return await self._create_absent(scope, draft)
            record = new_session(draft, time_of(state.moment))
            document = session_document(scope, record, draft.labels)
            return record if await self._commits.create(document, state) else None

        async with self._client.call():
            made = None if or_get else await self._create_absent(scope, draft)
            return made or await self._commits.change(scope, draft.id, attempt)

    async def _create_absent(self, scope: Scope, draft: SessionDraft) -> SessionRecord | None:
        """None: there is a document of that id, whether it is alive or not."""
        record = new_session(draft, statements.BEGINNING)
        document = session_document(scope, record, draft.labels)
        relative = statements.relative_times(record, last_message=False)
        moment = await self._commits.create_absent(document, relative)
        return new_session(draft, time_of(moment)) if isinstance(moment, int) else None

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        found = await self.get_many(scope, [session_id])
        if not found:
            raise SessionNotFound(session_id)
        return found[0]

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> Sequence[SessionRecord]:
        keys = [session_key(scope.tenant, each) for each in session_ids]
        wanted = {"_id": {"$in": keys}, **statements.of_scope(scope)}

        def expired(found: Sequence[Document]) -> list[str]:
            """A deleted session is not asked for again."""
            gone = (each for each in found if not each["lives"])
            return [each["_id"] for each in gone if each.get("expires_at") not in (None, EVERYTHING_IS_OVER)]

        async with self._client.call():
            found = await read_surely(
                self._client,
                scope,
                lambda to: to.seen.find(wanted, _FIELDS_AND_LIFE, batch_size=1001).to_list(),
                expired,
            )
        return decode_all([each for each in found if each["lives"]], session_record, _name)

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        newest = MessageRange(limit=tail, newest_first=True)
        async with self._client.call():
            found = await self._reading.window(scope, session_id, newest, whole=True)
        return ResumedRecord(_record(found.session), found.messages)

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        def change(state: State) -> Change:
            record, moment = state.record, time_of(state.moment)
            if expected_version not in (None, record.version):
                raise version_conflict(expected_version or 0, record.version)
            fields = changed_fields(record, changes, moment)
            if add is not None:
                fields["counters"] = added(record.counters, add)
            record = msgspec.structs.replace(record, **fields, version=record.version + 1, updated_at=moment)
            return Change(record, {"labels": list(changes["labels"])} if "labels" in changes else {}, {})

        return await self._change(scope, session_id, change)

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        def change(state: State) -> Change:
            moment = time_of(state.moment)
            ends_at = state.record.ends_at if ttl is None else moment + ttl
            expires_at = expiry(ends_at, state.record.idle_ttl, moment)
            fields = {"updated_at": moment, "ends_at": ends_at, "expires_at": expires_at}
            return Change(msgspec.structs.replace(state.record, **fields), {}, {})

        return await self._change(scope, session_id, change)

    async def _change(self, scope: Scope, session_id: str, change: Callable[[State], Change]) -> SessionRecord:
        async def attempt(state: State | None) -> SessionRecord | None:
            state = self._commits.living(scope, session_id, state)
            made = change(state)
            return made.record if await self._commits.update(state, made) else None

        async with self._client.call():
            return await self._commits.change(scope, session_id, attempt)

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> Sequence[SessionRecord]:
        async with self._client.call():
            found = await self._listing.page(scope, query, order, limit, after)
        return decode_all(found, session_record, _name)

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        async with self._client.call():
            wanted, index = await plan(self._client, scope, query, "updated_at")
            return await self._client.read_seen(lambda to: to.seen.count_documents(wanted, hint=index))

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        async with self._client.call():
            return await self._copying.fork(scope, fork)

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        async with self._client.call():
            await self._copying.restore(scope, record, labels, messages)

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        key = session_key(scope.tenant, session_id)
        wanted = {"_id": key, **statements.of_scope(scope), **statements.ALIVE}
        if expected_version is not None:
            wanted["version"] = expected_version
        removal = ObjectId()
        async with self._client.call():
            if not await self._removal.end(wanted, removal):
                if expected_version is not None:
                    await self._check_version(scope, session_id, expected_version)
                return False
            await self._removal.remove_ended(removal, [key])
        self._notifier.notify((scope.tenant, session_id))
        return True

    async def _check_version(self, scope: Scope, session_id: str, expected: int) -> None:
        state = await self._commits.head(session_key(scope.tenant, session_id))
        if state is None or not state.is_alive or scope.user_id not in (None, state.record.user_id):
            return
        if state.record.version != expected:
            raise version_conflict(expected, state.record.version)

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        async with self._client.call():
            return await until_none_is_left(limit, lambda most: self._end_some(scope, query, most))

    async def _end_some(self, scope: Scope, query: SessionQuery, limit: int) -> tuple[int, int]:
        """How many sessions matched, and how many of them this call removed."""
        wanted, index = await plan(self._client, scope, query, "updated_at")
        removal = ObjectId()
        found = await self._client.read(
            lambda to: to.sessions.find(wanted, {"_id": 1}, hint=index, limit=limit).to_list()
        )
        keys = [each["_id"] for each in found]
        ended = await self._removal.end({**wanted, "_id": {"$in": keys}}, removal) if keys else 0
        if ended:
            await self._removal.remove_ended(removal, keys)
        for key in keys:
            self._notifier.notify((scope.tenant, key.partition("\n")[2]))
        return len(keys), ended


def _record(document: Document) -> SessionRecord:
    return decode(document, session_record, _name)


def _name(document: Document) -> str:
    return session_name(document.get("id"))
