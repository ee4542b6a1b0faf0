"""What an append makes of a session, computed in this process. Nothing here waits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from agentkeep.errors import PersistenceError, SessionNotFound
from agentkeep.records import Append, AppendedRecord, Scope, SessionRecord, expiry, new_session
from agentkeep.spi.outcomes import (
    added,
    changed_fields,
    check_owner,
    check_same_content,
    check_visible,
    last_seq_conflict,
    version_conflict,
)
from msgspec.structs import replace

from agentkeep_opensearch import log
from agentkeep_opensearch.documents import Loaded, Message, Session, message_of, moment_of
from agentkeep_opensearch.heads import newest_id
from agentkeep_opensearch.log import Log
from agentkeep_opensearch.statements import session_key


class Needs(Exception):
    """The computation needs a message that only its document has."""

    def __init__(self, seq: int) -> None:
        super().__init__(seq)
        self.seq = seq


class Steps:
    """The steps that `records.Append` states, for one append after the other. Nothing here waits."""

    def __init__(
        self,
        session: Session | None,
        stored: Mapping[str, Message],
        by_seq: Mapping[int, Message],
        now: datetime,
        life: int,
    ) -> None:
        self.session = session
        self.is_changed = False
        self._known = dict(stored)
        self._by_seq = dict(by_seq)
        self._now = now
        self._life = life
        if session is not None:
            self._by_seq |= {message.seq: message for message in session.pending}

    def result(self, scope: Scope, append: Append) -> AppendedRecord | PersistenceError:
        try:
            return self._append(scope, append)
        except PersistenceError as error:
            return error

    def _append(self, scope: Scope, append: Append) -> AppendedRecord:
        session, is_new = self._session_for(scope, append)
        stored = self._stored_already(session, append)
        if append.messages and len(stored) == len(append.messages):
            return _repeated(stored, append)
        record = session.record
        version, last_seq = (0, 0) if is_new else (record.version, record.last_seq)
        if append.expected_version not in (None, version):
            raise version_conflict(append.expected_version or 0, version)
        if append.expected_last_seq not in (None, last_seq):
            raise last_seq_conflict(append.expected_last_seq or 0, last_seq)
        if append.add is not None:
            record = replace(record, counters=added(record.counters, append.add))
        return self._write(replace(session, record=record), append, stored)

    def _session_for(self, scope: Scope, append: Append) -> tuple[Session, bool]:
        session = self.session
        if session is None:
            if append.create is None:
                raise SessionNotFound(append.session_id)
            return begun(scope, new_session(append.create, self._now), append.create.labels, self._life), True
        if append.create is not None:
            check_owner(scope, append.create, session.record.user_id)
        check_visible(scope, append.session_id, session.record.user_id)
        return session, False

    def _stored_already(self, session: Session, append: Append) -> list[Message]:
        found = [self._known[draft.id] for draft in append.messages if draft.id in self._known]
        stored = [message for message in found if log.contains(session.log, message.seq)]
        if append.stored == "conflict":
            check_same_content(append, [message.content_key for message in stored])
        return stored

    def _write(self, session: Session, append: Append, stored: Sequence[Message]) -> AppendedRecord:
        known = {message.id for message in stored}
        drafts = [draft for draft in append.messages if draft.id not in known]
        version = session.record.version + (append.changes is not None)
        first = session.record.last_seq + 1
        new = [message_of(draft, seq=seq, version=version, now=self._now) for seq, draft in enumerate(drafts, first)]
        final, removed = log_after(session, append, len(new))
        by_seq = self._by_seq | {message.seq: message for message in new}
        count = session.record.message_count + len(new) - log.count(removed)
        record = replace(session.record, message_count=count, last_seq=first - 1 + len(new))
        record = changed_record(record, append, self._now, last_message_at(session, final, by_seq))
        labels = session.labels
        if append.changes is not None and "labels" in append.changes:
            labels = append.changes["labels"]
        self.session = replace(
            session,
            record=record,
            labels=labels,
            log=final,
            pending=tuple(each for each in (*session.pending, *new) if log.contains(final, each.seq)),
            cuts=log.union(session.cuts, removed),
            is_dirty=session.is_dirty or changes_owner(session.record, record),
            newest_id=newest_id(session.newest_id, (message.id for message in new)),
        )
        self.is_changed = True
        self._by_seq = by_seq
        self._known |= {message.id: message for message in new}
        by_id = {message.id: message for message in (*stored, *new)}
        records = [by_id[draft.id].record() for draft in append.messages]
        return AppendedRecord(records, record.version, record.last_seq, len(new))


def log_after(session: Session, append: Append, amount: int) -> tuple[Log, Log]:
    """The log after an append of `amount` new messages, and what the append removes from it."""
    kept = session.log if append.truncate_after is None else log.clip(session.log, 0, append.truncate_after)
    removed = log.outside(session.log, kept)
    grown = log.extended(kept, session.record.last_seq + 1, amount)
    if append.keep_last is None:
        return grown, removed
    count = session.record.message_count - log.count(removed) + amount
    final = log.trimmed(grown, count - append.keep_last)
    return final, log.union(removed, log.outside(grown, final))


def changed_record(record: SessionRecord, append: Append, now: datetime, last: datetime | None) -> SessionRecord:
    """The session's record after an append whose log ends with a message of `last` (CNT-1, SES-2, TTL-3)."""
    moment = max(now, record.updated_at)
    record = replace(record, updated_at=moment, last_message_at=last)
    if append.changes is not None:
        fields = changed_fields(record, append.changes, moment)
        record = replace(record, **fields, version=record.version + 1)
    return replace(record, expires_at=expiry(record.ends_at, record.idle_ttl, moment))


def last_message_at(session: Session, final: Log, by_seq: Mapping[int, Message]) -> datetime | None:
    if not final:
        return None
    newest = final[-1][1]
    if newest in by_seq:
        return moment_of(by_seq[newest].created_at)
    if session.log and session.log[-1][1] == newest:
        return session.record.last_message_at
    raise Needs(newest)


def owner_of(record: SessionRecord) -> tuple[str | None, str | None]:
    """Whose messages they are, for the search."""
    return record.user_id, record.agent_name


def changes_owner(before: SessionRecord, after: SessionRecord) -> bool:
    return owner_of(before) != owner_of(after)


def new_life(dead: Loaded | None) -> int:
    """By the system's clock, and later than the life before: pointers of message ids compare it."""
    now = time.time_ns() // 1000
    return now if dead is None else max(now, dead.session.life + dead.session.record.last_seq + 1)


def begun(scope: Scope, record: SessionRecord, labels: Iterable[str], life: int) -> Session:
    """A new session without messages."""
    return Session(
        tenant=scope.tenant,
        key=session_key(scope.tenant, record.id),
        record=record,
        labels=tuple(labels),
        life=life,
        log=(),
        pending=(),
        tokens=(),
        cuts=(),
        is_dirty=False,
        newest_id="",
    )


def _repeated(stored: Sequence[Message], append: Append) -> AppendedRecord:
    newest = max(stored, key=lambda message: message.seq)
    by_id = {message.id: message for message in stored}
    return AppendedRecord([by_id[draft.id].record() for draft in append.messages], newest.version, newest.seq, 0)
