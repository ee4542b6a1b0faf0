"""What follows a commit that removed messages or changed their owner: the documents follow the session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from agentkeep_opensearch import log
from agentkeep_opensearch.bulk import GONE, gone_item, item, removal_item, removals_of, send
from agentkeep_opensearch.commit import Lost, Store, loaded_of
from agentkeep_opensearch.documents import Loaded, Message, Session
from agentkeep_opensearch.log import Log
from agentkeep_opensearch.statements import message_key
from agentkeep_opensearch.steps import owner_of

_SLICE = 250
"""Messages in one request."""


async def erase(store: Store, session: Session, removed: Log, known: Mapping[int, str]) -> None:
    """Remove the documents of these seqs, and refuse those that a slow writer sends later.

    `known`: by seq, the ids of messages that may not have documents yet.
    """
    seqs = list(log.seqs(removed))
    for start in range(0, len(seqs), _SLICE):
        part = seqs[start : start + _SLICE]
        ids = {**known, **await _ids(store, session, part)}
        removals = [removal for seq in part for removal in removals_of(session.key, session.life, seq, ids.get(seq))]
        items = [removal_item(store.names.removals_of_messages, removal) for removal in removals]
        await send(store.client, store.names.messages, items, done=True, instead=list(map(gone_item, removals)))


async def _ids(store: Store, session: Session, seqs: Sequence[int]) -> dict[int, str]:
    docs = [
        {
            "_index": store.names.messages,
            "_id": message_key(session.key, session.life, seq),
            "routing": session.key,
            "_source": ["id", GONE],
        }
        for seq in seqs
    ]
    replies = await store.mget(docs)
    pairs = zip(seqs, replies, strict=True)
    return {seq: str(each["_source"].get("id")) for seq, each in pairs if each.get("found")}


async def erase_all(store: Store, session: Session) -> None:
    """All messages of a dead session."""
    pending = {message.seq: message.id for message in session.pending}
    await erase(store, session, log.union(session.log, session.cuts, log.of_seqs(pending)), pending)


async def finish(store: Store, loaded: Loaded, known: Iterable[Message] = ()) -> None:
    """What a verb does after its commit: removes documents, gives the others their owner. Then the mark goes."""
    session = loaded.session
    await erase(store, session, session.cuts, {message.seq: message.id for message in (*session.pending, *known)})
    if session.is_dirty:
        await _label(store, session)
    try:
        await store.commit(loaded, replace(session, cuts=(), is_dirty=False))
    except Lost:
        await _unmark(store, session)


async def _unmark(store: Store, done: Session) -> None:
    async def attempt() -> None:
        (reply,) = await store.mget([store.session_doc(done.key, ())])
        loaded = loaded_of(done.key, reply)
        if loaded is None or loaded.session.life != done.life or loaded.session.is_dead:
            return
        now = loaded.session
        cuts = log.without(now.cuts, done.cuts)
        is_labelled = done.is_dirty and owner_of(now.record) == owner_of(done.record)
        is_dirty = now.is_dirty and not is_labelled
        if (cuts, is_dirty) != (now.cuts, now.is_dirty):
            await store.commit(loaded, replace(now, cuts=cuts, is_dirty=is_dirty))

    await store.again(attempt)


async def _label(store: Store, session: Session) -> None:
    """The session's user and agent, for the search, in each message's document."""
    labels = dict(zip(("user_id", "agent_name"), owner_of(session.record), strict=True))
    seqs = list(log.seqs(session.log))
    for start in range(0, len(seqs), _SLICE):
        items: list[bytes] = []
        for seq in seqs[start : start + _SLICE]:
            own = {"_id": message_key(session.key, session.life, seq), "routing": session.key}
            items.append(item({"update": {**own, "retry_on_conflict": 3}}, {"doc": labels}))
        await send(store.client, store.names.messages, items, done=True)
