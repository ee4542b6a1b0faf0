"""The sessions of an OpenSearch cluster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from agentkeep.errors import AlreadyExists, SessionNotFound
from agentkeep.records import (
    Fork,
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
from agentkeep.spi.outcomes import (
    added,
    changed_fields,
    check_owner,
    version_conflict,
)
from msgspec.structs import replace

from agentkeep_opensearch import log
from agentkeep_opensearch.client import Client
from agentkeep_opensearch.commit import MESSAGES, Store
from agentkeep_opensearch.copying import Copier
from agentkeep_opensearch.documents import Loaded, Session
from agentkeep_opensearch.erasing import erase_all, finish
from agentkeep_opensearch.extending import MARGIN, commit, end_all
from agentkeep_opensearch.listing import Listing
from agentkeep_opensearch.notify import SessionNotifier
from agentkeep_opensearch.removal import Remover
from agentkeep_opensearch.statements import session_key
from agentkeep_opensearch.steps import begun, changes_owner, new_life

_PENDING = ("pending",)


class OpenSearchSessions:
    def __init__(
        self, client: Client, store: Store, listing: Listing, remover: Remover, notifier: SessionNotifier
    ) -> None:
        self._client = client
        self._store = store
        self._listing = listing
        self._remover = remover
        self._notifier = notifier
        self._copier = Copier(store)

    async def create(self, scope: Scope, draft: SessionDraft, *, or_get: bool = False) -> SessionRecord:
        async def attempt() -> SessionRecord:
            loaded, _ = await self._store.load(scope, draft.id)
            now = self._store.now()
            living, dead = await self._judged(loaded, now)
            if living is not None:
                if not or_get:
                    raise AlreadyExists(draft.id)
                check_owner(scope, draft, living.session.record.user_id)
                return living.session.record
            session = begun(scope, new_session(draft, now), draft.labels, new_life(dead))
            if dead is not None:
                await erase_all(self._store, dead.session)
            await self._store.put(dead, session)
            self._notifier.notify((scope.tenant, draft.id))
            return session.record

        with self._client.call():
            return await self._store.again(attempt)

    async def _judged(self, loaded: Loaded | None, now: datetime) -> tuple[Loaded | None, Loaded | None]:
        """The session if it lives, or else its document if there is one.

        A dead one may be a copy that is being written. This commit keeps it from coming alive, before it is erased.
        """
        if loaded is None:
            return None, None
        if loaded.session.is_dead or loaded.session.is_expired(now):
            return None, await self._store.let_expire(loaded)
        return loaded, None

    async def get(self, scope: Scope, session_id: str) -> SessionRecord:
        with self._client.call():
            return (await self._store.get(scope, session_id, without=MESSAGES)).session.record

    async def get_many(self, scope: Scope, session_ids: Sequence[str]) -> list[SessionRecord]:
        async def attempt() -> list[SessionRecord]:
            now = self._store.now()
            found = await self._store.load_keys([session_key(scope.tenant, each) for each in session_ids])
            await end_all(self._store, found, now)
            return [
                session.record
                for session in found
                if not session.is_expired(now) and scope.user_id in (None, session.record.user_id)
            ]

        with self._client.call():
            return await self._store.again(attempt)

    async def resume(self, scope: Scope, session_id: str, *, tail: int) -> ResumedRecord:
        async def attempt() -> ResumedRecord:
            loaded = await self._store.get(scope, session_id, without=_PENDING)
            messages = await self._store.messages(loaded, log.newest(loaded.session.log, tail))
            return ResumedRecord(loaded.session.record, [message.record() for message in messages])

        with self._client.call():
            return await self._store.again(attempt)

    async def update(
        self,
        scope: Scope,
        session_id: str,
        changes: SessionChanges,
        *,
        add: dict[str, int] | None = None,
        expected_version: int | None = None,
    ) -> SessionRecord:
        async def attempt() -> SessionRecord:
            loaded = await self._store.get(scope, session_id, margin=MARGIN)
            session = loaded.session
            check_version(session, expected_version)
            record = session.record
            if add is not None:
                record = replace(record, counters=added(record.counters, add))
            moment = max(self._store.now(), record.updated_at)
            fields = changed_fields(record, changes, moment)
            record = replace(record, **fields, updated_at=moment, version=record.version + 1)
            labels = changes.get("labels", session.labels)
            owner_changes = changes_owner(session.record, record) and bool(session.log)
            after = replace(session, record=record, labels=labels, is_dirty=session.is_dirty or owner_changes)
            if owner_changes:
                await self._store.move(session, done=False)
            committed = await commit(self._store, loaded, after)
            if owner_changes:
                await finish(self._store, committed)
            return record

        with self._client.call():
            return await self._store.again(attempt)

    async def list(
        self, scope: Scope, query: SessionQuery, order: SessionOrder, *, limit: int, after: SessionPosition | None
    ) -> list[SessionRecord]:
        with self._client.call():
            return await self._listing.page(scope, query, order, limit=limit, after=after)

    async def count(self, scope: Scope, query: SessionQuery) -> int:
        with self._client.call():
            return await self._listing.count(scope, query)

    async def touch(self, scope: Scope, session_id: str, *, ttl: timedelta | None) -> SessionRecord:
        async def attempt() -> SessionRecord:
            loaded = await self._store.get(scope, session_id, margin=MARGIN)
            record = loaded.session.record
            moment = max(self._store.now(), record.updated_at)
            ends_at = record.ends_at if ttl is None else moment + ttl
            expires_at = expiry(ends_at, record.idle_ttl, moment)
            record = replace(record, ends_at=ends_at, updated_at=moment, expires_at=expires_at)
            await commit(self._store, loaded, replace(loaded.session, record=record))
            return record

        with self._client.call():
            return await self._store.again(attempt)

    async def fork(self, scope: Scope, fork: Fork) -> SessionRecord:
        async def attempt() -> SessionRecord:
            loaded, _ = await self._store.load(scope, fork.session_id)
            parent = await self._store.living(scope, loaded, fork.session_id)
            existing, _ = await self._store.load(scope, fork.new_id)
            living, dead = await self._judged(existing, self._store.now())
            if living is not None:
                raise AlreadyExists(fork.new_id)
            return await self._copier.fork(scope, fork, parent, dead)

        with self._client.call():
            return await self._store.again(attempt)

    async def restore(
        self, scope: Scope, record: SessionRecord, labels: tuple[str, ...], messages: Sequence[RestoredMessage]
    ) -> None:
        async def attempt() -> None:
            existing, _ = await self._store.load(scope, record.id)
            living, dead = await self._judged(existing, self._store.now())
            if living is not None:
                raise AlreadyExists(record.id)
            await self._copier.restore(scope, record, labels, messages, dead)

        with self._client.call():
            await self._store.again(attempt)

    async def delete(self, scope: Scope, session_id: str, *, expected_version: int | None = None) -> bool:
        async def attempt() -> bool:
            loaded, _ = await self._store.load(scope, session_id, without=("state", "metadata", "labels"))
            try:
                living = await self._store.living(scope, loaded, session_id)
            except SessionNotFound:
                return False
            check_version(living.session, expected_version)
            dead = await self._store.bury(living)
            self._notifier.notify((scope.tenant, session_id))
            await self._remover.remove(dead)
            return True

        with self._client.call():
            return await self._store.again(attempt)

    async def delete_many(self, scope: Scope, query: SessionQuery, *, limit: int) -> int:
        with self._client.call():
            return await self._remover.delete_many(scope, query, limit=limit)


def check_version(session: Session, expected: int | None) -> None:
    if expected is not None and expected != session.record.version:
        raise version_conflict(expected, session.record.version)
