"""The template is an adapter as somebody outside begins it: checked by the type checker, never run.

It uses core's public names and `agentkeep.spi` alone. If the template needs a change, every stranger's adapter does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from agentkeep import Keep, PersistenceAdapter
from agentkeep.protocol import MessageRepository, SessionRepository, SupportsSearch, SupportsWatch
from agentkeep.records import HitRecord, MessageRange, MessageRecord, Scope, SearchQuery
from agentkeep.spi.notify import Key, Listener, Notifier
from agentkeep.spi.watch import Life, watch
from agentkeep_NAME import CLASSAdapter
from agentkeep_NAME.messages import CLASSMessages


class NAMEListener:
    def hears(self, key: Key) -> bool:
        raise NotImplementedError

    async def listen(self, key: Key) -> None:
        raise NotImplementedError

    def forget(self, key: Key) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError


class OptionalAbilities(CLASSMessages):
    notifier = Notifier(NAMEListener)

    async def search(self, scope: Scope, query: SearchQuery) -> Sequence[HitRecord]:
        raise NotImplementedError

    def watch(self, scope: Scope, session_id: str, *, after_seq: int) -> AsyncIterator[MessageRecord]:
        async def read(window: MessageRange) -> tuple[Life, Sequence[MessageRecord]]:
            raise NotImplementedError

        return watch(self.notifier, scope, session_id, read, after_seq=after_seq)


def promises(adapter: CLASSAdapter, messages: OptionalAbilities) -> None:
    _adapter: PersistenceAdapter = adapter
    _sessions: SessionRepository = adapter.sessions
    _messages: MessageRepository = adapter.messages
    _searches: SupportsSearch = messages
    _watches: SupportsWatch = messages
    _listener: Listener = NAMEListener()
    Keep(adapter)
