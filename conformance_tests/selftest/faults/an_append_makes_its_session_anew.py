"""An append that cuts reads its session first, and makes it anew if it was removed in between.

An upsert instead of an update.
"""

from agentkeep.records import Append, AppendedRecord, Scope, SessionDraft, SessionRecord
from msgspec.structs import replace
from over_wire import OverWire
from wire.repositories import WireMessages

FAMILY = "late_writes"
CLAUSE = "SES-4"


class Messages(WireMessages):
    async def append(self, scope: Scope, append: Append) -> AppendedRecord:
        if append.create is not None or (append.truncate_after, append.keep_last) == (None, None):
            return await super().append(scope, append)
        read: SessionRecord = await self.link.call("sessions.get", scope, append.session_id, again=(append.session_id,))
        anew = SessionDraft(
            id=read.id,
            user_id=read.user_id,
            agent_name=read.agent_name,
            title=read.title,
            state=read.state,
            metadata=read.metadata,
            labels=(),
            parent_id=read.parent_id,
            schema_version=read.schema_version,
            ttl=None,
            idle_ttl=None,
            version=read.version,
        )
        return await super().append(scope, replace(append, create=anew))


class TestFault(OverWire):
    messages = Messages
