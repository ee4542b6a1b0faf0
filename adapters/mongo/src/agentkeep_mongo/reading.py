"""Reading a session's log: what was moved to the messages' collection, and what stands in the session's document.

One request reads both as of one moment. What is left over from a crash in the range is left out here, and read past.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

from agentkeep.errors import PersistenceError, SessionNotFound
from agentkeep.records import MessageRange, MessageRecord, Scope
from agentkeep.spi.decode import decode_all, message_name, session_name
from pymongo import ASCENDING, DESCENDING

from agentkeep_mongo import queries, statements
from agentkeep_mongo.client import Client
from agentkeep_mongo.commit import pause
from agentkeep_mongo.concerns import Collections, Document
from agentkeep_mongo.documents import Life, Segment, batch_messages, message_record, session_key
from agentkeep_mongo.ends import read_surely
from agentkeep_mongo.errors import is_too_large
from agentkeep_mongo.moving import Mover
from agentkeep_mongo.state import admitted

_OF_MOVED = ("life", "segments", "floor", "cuts")
"""As long as these stay the same, a session holds the same moved messages, with the same contents."""


class Window(NamedTuple):
    """A session's document, as far as it was asked for, and messages in the asked order."""

    session: Document
    messages: list[MessageRecord]


class Reading:
    def __init__(self, client: Client, mover: Mover) -> None:
        self._client = client
        self._mover = mover

    async def window(
        self, scope: Scope, session_id: str, wanted: MessageRange, *, whole: bool = False, latest: bool = False
    ) -> Window:
        """`latest`: as the primary has it now, for a writer that checks it. Raises `SessionNotFound`."""
        if wanted.newest_first and wanted.before is None and not wanted.after:
            found = await self._tail(scope, session_id, wanted.limit, whole=whole, latest=latest)
            if found is not None:
                return found
        key = session_key(scope.tenant, session_id)
        extra = 0
        while True:
            found = await self._whole_or_apart(
                scope,
                session_id,
                lambda to, extra=extra: queries.window(key, scope, wanted, to.messages.name, extra=extra, whole=whole),
                wanted,
                latest=latest,
            )
            moved = admitted(found, found["moved"])
            leftovers = len(found["moved"]) - len(moved)
            if leftovers <= extra:
                break
            extra = leftovers + wanted.limit
        pending = [each for each in _pending(session_id, found) if _is_inside(each["q"], wanted)]
        messages = [*pending[::-1], *moved] if wanted.newest_first else [*moved, *pending]
        return Window(found, _records(session_id, messages[: wanted.limit]))

    async def _tail(self, scope: Scope, session_id: str, limit: int, *, whole: bool, latest: bool) -> Window | None:
        """None: leftovers stand among the newest messages, so there may be older ones. Raises `SessionNotFound`."""
        key = session_key(scope.tenant, session_id)
        session = await self._settled(
            scope,
            session_id,
            lambda to: queries.tail(key, scope, limit, to.messages.name, whole=whole),
            latest=latest,
            rows=limit + 1,
        )
        rows, life = session["rows"], session["life"]
        moved = admitted(session, [row for row in rows if "e" in row and row["l"] == life])
        messages = [*(row for row in rows if "e" not in row), *moved]
        if len(messages) < len(rows) == limit:
            return None
        return Window(session, _records(session_id, messages))

    async def by_ids(self, scope: Scope, session_id: str, ids: Sequence[str]) -> list[MessageRecord]:
        """Raises `SessionNotFound`."""
        key = session_key(scope.tenant, session_id)
        found = await self._whole_or_apart(
            scope, session_id, lambda to: queries.by_ids(key, scope, ids, to.messages.name), ids
        )
        return _records(session_id, [*admitted(found, found["moved"]), *found["pending"]])

    async def _whole_or_apart(
        self,
        scope: Scope,
        session_id: str,
        pipeline: Callable[[Collections], statements.Pipeline],
        wanted: MessageRange | Sequence[str],
        *,
        latest: bool = False,
    ) -> Document:
        """The one document of a pipeline. If it would be too large, the moved messages come by a request of their own.

        They are read between two reads of the session. If it was the same in both, all is of one moment.
        """
        try:
            return await self._settled(scope, session_id, pipeline, latest=latest)
        except PersistenceError as error:
            if not is_too_large(error):
                raise

        def smaller(to: Collections) -> statements.Pipeline:
            return queries.without_moved(pipeline(to))

        before = await self._settled(scope, session_id, smaller, latest=latest)
        tries = 0
        while True:
            moved = await self._client.read(partial(moved_in, before, wanted, latest))
            found = await self._settled(scope, session_id, smaller, latest=latest)
            if all(found[name] == before[name] for name in _OF_MOVED):
                return {**found, "moved": moved}
            before = found
            tries += 1
            await pause(tries)

    async def _settled(
        self,
        scope: Scope,
        session_id: str,
        pipeline: Callable[[Collections], statements.Pipeline],
        *,
        latest: bool = False,
        rows: int = 0,
    ) -> Document:
        """The one document of a pipeline, read again until nothing of it is unsettled.

        `rows`: the document is the `head` of the first of so many, and the others become its `rows`.
        """

        async def send(to: Collections) -> Document | None:
            sessions = to.sessions if latest else to.seen
            # a batch that is not full ends the cursor in the same request
            found = await (await sessions.aggregate(pipeline(to), batchSize=rows + 2)).to_list()
            if not found or (rows and "head" not in found[0]):
                return None  # there is no such session for this caller, but moved messages of its key
            return found[0]["head"] | {"rows": found[1:]} if rows else found[0]

        def missing(found: Document | None) -> list[str]:
            return [session_key(scope.tenant, session_id)] if found is None else []

        tries = 0
        while True:
            found = await (self._client.read(send) if latest else read_surely(self._client, scope, send, missing))
            if found is None:
                raise SessionNotFound(session_id)
            if not found.get("unsettled"):
                return found
            await self._mover.settle(Life(found["_id"], found["life"]))
            tries += 1
            await pause(tries)


async def moved_in(
    session: Document, wanted: MessageRange | Sequence[str], latest: bool, to: Collections
) -> list[Document]:
    """The moved messages that a session holds, of a range or of some ids, as a cursor returns them."""
    collection = to.messages if latest else to.seen_messages
    life, segments = Life(session["_id"], session["life"]), [Segment(*each) for each in session["segments"]]
    if not isinstance(wanted, MessageRange):
        of_ids = {"_id.s": life.key, "_id.l": life.id, "id": {"$in": list(wanted)}}
        return await collection.find(of_ids, queries.MOVED).to_list()
    after = max(wanted.after, int(session["floor"]))
    of_range = queries.visible(life, segments, after=after, before=wanted.before)
    side = DESCENDING if wanted.newest_first else ASCENDING
    return await collection.find(of_range, queries.MOVED).sort("_id", side).limit(wanted.limit).to_list()


def _pending(session_id: str, found: Document) -> list[Document]:
    """The single messages of a session's batches, in order."""
    batches = decode_all(found["batches"], batch_messages, lambda _: session_name(session_id))
    return list(chain.from_iterable(batches))


def _is_inside(seq: int, wanted: MessageRange) -> bool:
    return wanted.after < seq and (wanted.before is None or seq < wanted.before)


def _records(session_id: str, documents: Sequence[Document]) -> list[MessageRecord]:
    return decode_all(documents, message_record, lambda each: message_name(session_id, each.get("id")))
