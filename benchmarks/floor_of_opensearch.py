"""The floor of OpenSearch: the fewest requests by which opensearch-py keeps the same messages.

An append reads the session's document, writes the messages by one bulk request, and writes the session's document if
nobody did since, else it begins again. The ids of messages hold their seq, so a read of the newest needs the session's
document and one `_mget`, and no refresh. A listing refreshes first if this client wrote since the last refresh.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from candidate import LISTED, USER
from columns import COLUMNS, new_session, whole
from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import ConflictError

_SETTINGS = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}
_SESSIONS = {"dynamic": False, "properties": {"user_id": {"type": "keyword"}, "updated_at": {"type": "long"}}}
_MESSAGES = {"dynamic": False, "properties": {"session": {"type": "keyword"}}}
"""No index of the messages' text: a floor has no search."""


class OpenSearchFloor:
    def __init__(self, url: str, prefix: str) -> None:
        parts = urlsplit(url)
        self._client: Any = AsyncOpenSearch(hosts=[{"host": parts.hostname, "port": parts.port}], timeout=60)
        self._sessions, self._messages = f"{prefix}-s", f"{prefix}-m"
        self._is_dirty = False

    async def open(self) -> None:
        for index, mappings in ((self._sessions, _SESSIONS), (self._messages, _MESSAGES)):
            await self._client.indices.create(index=index, body={"settings": _SETTINGS, "mappings": mappings})

    async def close(self) -> None:
        await self._client.close()

    async def create(self, session: str) -> None:
        fields = {name: value for name, value in new_session(session, _now()).items() if value is not None}
        await self._client.index(index=self._sessions, id=session, body=fields)
        self._is_dirty = True

    async def append(self, session: str, texts: Sequence[str]) -> None:
        ids = [uuid4().hex for _ in texts]
        is_written = False
        while not is_written:
            is_written = await self._try_to_append(session, ids, texts)

    async def _try_to_append(self, session: str, ids: Sequence[str], texts: Sequence[str]) -> bool:
        found = await self._client.get(index=self._sessions, id=session)
        fields, now = found["_source"], _now()
        last = fields["last_seq"]
        place = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
        changed = {"last_seq": last + len(texts), "message_count": fields["message_count"] + len(texts)}
        try:  # the session first: two writers would write messages under the same ids
            await self._client.index(
                index=self._sessions, id=session, body=fields | changed | {"updated_at": now}, params=place
            )
        except ConflictError:
            return False
        lines: list[str] = []
        for seq, (id, text) in enumerate(zip(ids, texts, strict=True), last + 1):
            lines.append(json.dumps({"index": {"_id": f"{session}/{seq}", "routing": session}}))
            payload = json.dumps({"content": text})
            lines.append(json.dumps({"session": session, "id": id, "role": "user", "payload": payload, "created": now}))
        reply = await self._client.bulk(index=self._messages, body="\n".join(lines) + "\n")
        if reply["errors"]:
            raise RuntimeError("a bulk request was not written whole")
        self._is_dirty = True
        return True

    async def newest(self, session: str, limit: int) -> list[str]:
        return await self._newest(session, (await self._session(session))["last_seq"], limit)

    async def resume(self, session: str, limit: int) -> list[str]:
        found = await self._session(session)
        whole([found.get(name) for name in COLUMNS])
        return await self._newest(session, found["last_seq"], limit)

    async def _session(self, session: str) -> Any:
        return (await self._client.get(index=self._sessions, id=session))["_source"]

    async def _newest(self, session: str, last: int, limit: int) -> list[str]:
        first = max(1, last - limit + 1)
        wanted = [{"_id": f"{session}/{seq}", "routing": session} for seq in range(first, last + 1)]
        rows = (await self._client.mget(index=self._messages, body={"docs": wanted}))["docs"]
        return [json.loads(row["_source"]["payload"])["content"] for row in rows]

    async def listing(self) -> int:
        if self._is_dirty:
            await self._client.indices.refresh(index=self._sessions)
            self._is_dirty = False
        query = {"query": {"term": {"user_id": USER}}, "sort": [{"updated_at": "desc"}], "size": LISTED}
        hits = (await self._client.search(index=self._sessions, body=query))["hits"]["hits"]
        return len([whole([hit["_source"].get(name) for name in COLUMNS]) for hit in hits])


def _now() -> int:
    return time.time_ns() // 1000
