"""Reads and commits of a session's document, which is the commit point of everything (docs/adr/0008)."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from agentkeep.errors import Corrupt, OutcomeUnknown, Refused, SessionNotFound, Unavailable
from agentkeep.records import Scope
from agentkeep.spi.decode import message_name
from agentkeep.spi.resend import Effect
from msgspec.structs import replace

from agentkeep_opensearch.bulk import GONE, check_fits, index_items, send
from agentkeep_opensearch.client import Client, is_conflict
from agentkeep_opensearch.documents import (
    Loaded,
    Message,
    Session,
    commit_params,
    session_of,
    stored_message,
    whole_source,
    with_token,
)
from agentkeep_opensearch.driver import Reply
from agentkeep_opensearch.heads import Heads, remember
from agentkeep_opensearch.pointers import Pointed, pointed_of
from agentkeep_opensearch.statements import Names, load, message_key, pointer_key, session_key

T = TypeVar("T")

_MANY_PENDING, _LARGE_PENDING = 64, 256 * 1024
"""Messages, characters. More are moved before the next commit."""
_KNOWN_SESSIONS = 10_000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.2
_OF_NO_DOCUMENT = (2**62, 1)
"""Numbers with which a commit is lost."""
MESSAGES = ("pending", "log")  # what a reader of the session's own fields leaves out


class Lost(Exception):
    """Another commit of this session came first; nothing of ours landed."""


class TooLate(Lost):
    """The server's clock says that the time of this commit is over; nothing of it landed."""


class Store:
    """The documents of one adapter."""

    def __init__(self, client: Client, names: Names, now: Callable[[], datetime]) -> None:
        self.client = client
        self.names = names
        self.now = now
        self.heads = Heads()
        self._moved: OrderedDict[tuple[str, int], int] = OrderedDict()
        """By session and life: this process knows that pending messages up to this seq have their documents."""

    async def load(
        self,
        scope: Scope,
        session_id: str,
        message_ids: Sequence[str] = (),
        *,
        without: Iterable[str] = (),
    ) -> tuple[Loaded | None, dict[str, Pointed]]:
        """A session's document, dead or alive, and what some message ids point to; one request, in real time."""
        key = session_key(scope.tenant, session_id)
        docs: list[Any] = [self.session_doc(key, without)]
        docs += [{"_index": self.names.messages, "_id": pointer_key(key, each), "routing": key} for each in message_ids]
        first, *pointers = await self.mget(docs)
        return loaded_of(key, first), pointed_of(message_ids, pointers)

    def session_doc(self, key: str, without: Iterable[str]) -> dict[str, Any]:
        return {"_index": self.names.sessions, "_id": key, "_source": {"exclude": list(without)}}

    async def mget(self, docs: Sequence[Any]) -> list[Reply]:
        return await self._mget("/_mget", {"docs": docs}, {}) if docs else []

    async def mget_messages(self, session: Session, seqs: Iterable[int]) -> list[Reply]:
        """Their documents, whole: to leave out a field costs the server more than all else of a read (3.8.0)."""
        return await self._mget_ids(session, [message_key(session.key, session.life, seq) for seq in seqs])

    async def _mget_ids(self, session: Session, ids: Sequence[str]) -> list[Reply]:
        path = f"/{self.names.messages}/_mget"
        return await self._mget(path, {"ids": ids}, {"routing": session.key}) if ids else []

    async def _mget(self, path: str, body: Mapping[str, Any], params: Mapping[str, str]) -> list[Reply]:
        reply = await self.client.request("POST", path, body, params=params)
        found: list[Reply] = reply["docs"]
        for each in found:
            if "error" in each:
                kind = each["error"].get("type")
                raise Unavailable(f"{self.client.server}: {kind}: is the index there, and its shard?")
            if GONE in each.get("_source", ()):
                each["found"] = False
        return found

    async def load_keys(self, keys: Sequence[str], *, without: Iterable[str] = MESSAGES) -> list[Session]:
        """Those that are there."""
        if not keys:
            return []
        replies = await self.mget([self.session_doc(key, without) for key in keys])
        loaded = [loaded_of(key, reply) for key, reply in zip(keys, replies, strict=True)]
        return [each.session for each in loaded if each is not None]

    async def living(
        self, scope: Scope, loaded: Loaded | None, session_id: str, *, margin: timedelta = timedelta(0)
    ) -> Loaded:
        """Raises `SessionNotFound` for one that is absent, expired or foreign (SES-4, TTL-1, ISO-1).

        `margin`: for calls that may move the expiry.
        """
        if loaded is None or loaded.session.is_dead:
            raise SessionNotFound(session_id)
        if loaded.session.is_expired(self.now() + margin):
            await self.let_expire(loaded)
            raise SessionNotFound(session_id)
        if scope.user_id not in (None, loaded.session.record.user_id):
            raise SessionNotFound(session_id)
        return loaded

    async def bury(self, loaded: Loaded) -> Loaded:
        """Mark a session as dead: no slower writer brings it back. Raises `Lost`."""
        return await self.commit(loaded, replace(loaded.session, is_dead=True, is_dirty=False, is_extending=False))

    async def let_expire(self, loaded: Loaded) -> Loaded:
        """As `bury`, of an expired session (TTL-1): the caller writes nothing, so a failure is `Unavailable`."""
        try:
            return await self.bury(loaded)
        except OutcomeUnknown as error:
            raise Unavailable(str(error)) from error

    async def get(
        self, scope: Scope, session_id: str, *, without: Iterable[str] = (), margin: timedelta = timedelta(0)
    ) -> Loaded:
        """The living session. Raises `SessionNotFound`."""

        async def read() -> Loaded:
            loaded, _ = await self.load(scope, session_id, without=without)
            return await self.living(scope, loaded, session_id, margin=margin)

        return await self.again(read)

    async def again(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """The result of `attempt`, which is tried again when another commit came first; with pauses that grow."""
        tries = 0
        while True:
            try:
                return await attempt()
            except Lost as lost:
                tries += 1
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 1.5**tries) * random.random()  # noqa: S311 - spreads the writers
                if asyncio.get_running_loop().time() + pause > self.client.deadline:
                    what = f"{tries} other commits of this session came first"
                    raise Unavailable(f"{self.client.server}: {what}") from lost
            await asyncio.sleep(pause)

    async def commit(self, loaded: Loaded, after: Session, *, until: float | None = None) -> Loaded:
        """Compare and swap the session's document. Raises `Lost`, and `TooLate` from `until` on (seconds of 1970)."""
        before = loaded.session
        token = secrets.token_urlsafe(6)
        after = self._without_moved(after)
        params = commit_params(before, after, token)
        check_fits(self.client, after, params["added"])
        bound = {} if until is None else {"until": int(until * 1000)}
        reply = await self._run("commit", self.names.sessions, loaded, {**params, **bound})
        return await self._committed(reply, before, after, token)

    async def _run(self, script: str, alias: str, loaded: Loaded, params: dict[str, Any]) -> Reply:
        """Run a script on the document that was read, else nothing.

        Its two numbers are those of one index, and a migration changes the index: so the script compares the newest
        token too.
        """
        session, seq_no, primary_term = loaded
        source = {"source": load(f"{script}.painless"), "params": {**params, "read": session.tokens[-1]}}
        terms = {"if_seq_no": seq_no, "if_primary_term": primary_term, "require_alias": "true"}
        path = f"/{alias}/_update/{session.key}"
        return await self.client.request("POST", path, {"script": source}, effect=Effect.REPEATABLE, params=terms)

    async def put(self, dead: Loaded | None, session: Session, *, held_until: int = 0) -> Loaded:
        """Store a new session, if there is none or a dead one. Raises `Lost`."""
        check_fits(self.client, session, session.pending)
        token = secrets.token_urlsafe(6)
        source = {**whole_source(session, token), "held_until": held_until}
        if dead is not None:
            reply = await self._run("renew", self.names.sessions, dead, {"source": source})
        else:
            params = {"op_type": "create", "require_alias": "true"}
            path = f"/{self.names.sessions}/_doc/{session.key}"
            reply = await self.client.request("PUT", path, source, effect=Effect.REPEATABLE, params=params)
        return await self._committed(reply, session, session, token)

    async def _committed(self, reply: Reply, before: Session, after: Session, token: str) -> Loaded:
        """If a reply was lost and the request sent again, the conflict may be with our own commit."""
        if is_conflict(reply) or reply["result"] == "noop":
            (found,) = await self.mget([self.session_doc(before.key, ())])
            loaded = loaded_of(before.key, found)
            if loaded is None or token not in loaded.session.tokens:
                self.heads.lost(before.key)
                raise Lost if is_conflict(reply) else TooLate
            is_newest = loaded.session.tokens[-1] == token
            seq_no, primary_term = (loaded.seq_no, loaded.primary_term) if is_newest else _OF_NO_DOCUMENT
        else:
            seq_no, primary_term = reply["_seq_no"], reply["_primary_term"]
        return self.heads.committed(Loaded(with_token(after, before, token), seq_no, primary_term))

    async def drop(self, loaded: Loaded) -> bool:
        """Remove a dead session's document, unless a new session has its place. Whether this call removed it.

        During a migration it stays, and a sweep removes it afterwards.
        """
        try:
            reply = await self._run("drop", self.names.removals_of_sessions, loaded, {})
        except Refused:
            return False
        return reply.get("result") == "deleted"

    def _without_moved(self, session: Session) -> Session:
        moved = self._moved.get((session.key, session.life), 0)
        return replace(session, pending=tuple(each for each in session.pending if each.seq > moved))

    def has_many_pending(self, session: Session) -> bool:
        pending = self._without_moved(session).pending
        return len(pending) >= _MANY_PENDING or sum(len(each.payload) for each in pending) >= _LARGE_PENDING

    async def move(self, session: Session, *, done: bool = True) -> None:
        """Give each pending message a document of its own. The next commit of this process takes them out."""
        pending = self._without_moved(session).pending
        if pending:
            await self.index(session, pending, done=done)
            remember(self._moved, (session.key, session.life), pending[-1].seq, _KNOWN_SESSIONS)

    async def index(self, session: Session, messages: Sequence[Message], *, done: bool = False) -> None:
        await send(self.client, self.names.messages, index_items(session, messages), done=done)

    async def read(self, session: Session, seqs: Sequence[int]) -> dict[int, Message]:
        """The messages of these seqs that have documents."""
        return _messages(session, await self.mget_messages(session, seqs))

    async def read_and_probe(
        self, session: Session, seqs: Sequence[int], message_ids: Sequence[str]
    ) -> tuple[dict[int, Message], dict[str, Pointed], bool]:
        """As `read`, what `message_ids` point to, and whether every message of the session has a document.

        A move writes the pointers of all pending messages, and then their documents, the newest last. One shard has
        them all, and reads in the order of the request. So if the newest message has its document, the session holds no
        message of an id whose pointer is not there.
        """
        ids = [message_key(session.key, session.life, seq) for seq in (*seqs, session.log[-1][1])]
        found = await self._mget_ids(session, [*ids, *(pointer_key(session.key, each) for each in message_ids)])
        amount = len(seqs)
        pointed = pointed_of(message_ids, found[amount + 1 :])
        return _messages(session, found[:amount]), pointed, bool(found[amount].get("found"))

    async def messages(self, loaded: Loaded, seqs: Sequence[int]) -> list[Message]:
        """The messages of these seqs, as of `loaded`. Raises `Lost` if they were removed meanwhile, `Corrupt`."""
        session = loaded.session
        found = {message.seq: message for message in session.pending}
        found |= await self.read(session, [seq for seq in seqs if seq not in found])
        missing = [seq for seq in seqs if seq not in found]
        if missing:
            found |= await self._missing(loaded, missing)
        return [found[seq] for seq in seqs]

    async def _missing(self, loaded: Loaded, missing: Sequence[int]) -> Mapping[int, Message]:
        """Its writer has not given it a document yet, or was killed before: then the session has it."""
        session = loaded.session
        (reply,) = await self.mget([self.session_doc(session.key, ())])
        now = loaded_of(session.key, reply)
        if now is not None and now.session.life == session.life:
            pending = {message.seq: message for message in now.session.pending}
            if all(seq in pending for seq in missing):
                return {seq: pending[seq] for seq in missing}
        if now is None or now.seq_no != loaded.seq_no:
            raise Lost
        again = await self.read(session, missing)
        for seq in missing:
            if seq not in again:
                raise Corrupt(message_name(session.record.id, f"with seq {seq}"), "its document is missing")
        return again


def _messages(session: Session, found: Sequence[Reply]) -> dict[int, Message]:
    read = [stored_message(session.record.id, each["_source"]) for each in found if each.get("found")]
    return {message.seq: message for message in read}


def loaded_of(key: str, reply: Reply) -> Loaded | None:
    if not reply.get("found"):
        return None
    return Loaded(session_of(key, reply["_source"]), reply["_seq_no"], reply["_primary_term"])
