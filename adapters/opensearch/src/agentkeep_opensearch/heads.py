"""Sessions' documents as this process's last commits left them. An append on top of one need not read the document.

Its commit is a compare-and-swap of that very document. So if anybody changed, removed or replaced the session
meanwhile, the commit is lost, and the append begins anew with a read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from time import monotonic
from typing import TypeVar

from agentkeep.spi.ids import greatest_drawn, is_drawn
from msgspec.structs import replace

from agentkeep_opensearch.documents import Loaded

_SECONDS = 5.0
"""A head is used for so long. Later another process may well have appended, as the turns of a session may go to any
process, and a commit that is lost costs more than a read. After a lost commit no head is used for as long."""
_KNOWN_SESSIONS = 1_000

K = TypeVar("K")
V = TypeVar("V")


def remember(known: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    """As the newest; the oldest goes if there are more than `most`."""
    known[key] = value
    known.move_to_end(key)
    if len(known) > most:
        known.popitem(last=False)


def newest_id(known: str | None, ids: Iterable[str]) -> str | None:
    """The greatest id of the form of core's own, which begin with the time. None stays None: not known."""
    return None if known is None else max(known, greatest_drawn(ids) or "")


def are_new(ids: Iterable[str], newest: str | None) -> bool:
    """Whether no session can hold these ids that never held a greater id of core's form than `newest` (IDEM-2)."""
    return newest is not None and all(is_drawn(each) and each > newest for each in ids)


class Heads:
    """By the session's key."""

    def __init__(self) -> None:
        self._heads: OrderedDict[str, tuple[Loaded | None, float]] = OrderedDict()
        """None: another process commits too."""

    def take(self, key: str) -> Loaded | None:
        """The session, without its labels, state and metadata, if it is fresh. The next commit keeps it again."""
        head, moment = self._heads.get(key, (None, 0.0))
        if head is None or monotonic() - moment > _SECONDS:
            return None
        del self._heads[key]
        return head

    def committed(self, loaded: Loaded) -> Loaded:
        """`loaded`, which a commit of this process made. More work may follow, and then another commit or `keep`."""
        session = loaded.session
        if not (session.pending or session.cuts or session.is_dirty or session.is_dead):
            self.keep(loaded)
        elif self._heads.get(session.key, (None, 0.0))[0] is not None:
            del self._heads[session.key]
        return loaded

    def keep(self, loaded: Loaded) -> None:
        """All pending messages of it have their documents by now. So the next commit takes all out."""
        session = loaded.session
        head, moment = self._heads.get(session.key, (loaded, 0.0))
        if head is not None or monotonic() - moment > _SECONDS:
            record = replace(session.record, state="", metadata="")
            own = replace(session, record=record, labels=None, pending=())
            remember(self._heads, session.key, (loaded._replace(session=own), monotonic()), _KNOWN_SESSIONS)

    def lost(self, key: str) -> None:
        """Another commit came first."""
        remember(self._heads, key, (None, monotonic()), _KNOWN_SESSIONS)
