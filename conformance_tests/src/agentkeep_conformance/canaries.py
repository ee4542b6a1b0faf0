"""Words that occur nowhere else, one in each field that a user fills, to be looked for in what a server stores."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from agentkeep import NewMessage, View

from agentkeep_conformance.database import Database

_SESSION = ("user", "agent", "title", "route", "step", "state", "statekey", "meta", "metakey", "session")
_MESSAGE = (
    "message",
    "content",
    "part",
    "name",
    "author",
    "calls",
    "call",
    "turn",
    "mroute",
    "mstep",
    "event",
    "mmeta",
)


class Canary:
    """One family of words; `at("title")` is the one in the title."""

    def __init__(self) -> None:
        self._stem = f"canary{uuid4().hex[:12]}"
        self.session_id = self.at("session")

    def at(self, field: str) -> str:
        return f"{self._stem}x{field}"

    @property
    def all(self) -> list[str]:
        return [self.at(field) for field in _SESSION + _MESSAGE]

    @property
    def of_messages(self) -> list[str]:
        return [self.at(field) for field in _MESSAGE]

    def session_fields(self) -> dict[str, Any]:
        return {
            "user_id": self.at("user"),
            "agent_name": self.at("agent"),
            "title": self.at("title"),
            "state": {self.at("statekey"): self.at("state")},
            "metadata": {self.at("metakey"): self.at("meta")},
        }

    def updated_fields(self) -> dict[str, Any]:
        return {"current_route": self.at("route"), "current_step": self.at("step")}

    def messages(self) -> list[NewMessage]:
        """Two: one with text, one with parts; together they hold all words of messages."""
        common: dict[str, Any] = {"turn_id": self.at("turn"), "route": self.at("mroute"), "step": self.at("mstep")}
        return [
            NewMessage(
                role="assistant",
                id=self.at("message"),
                content=self.at("content"),
                name=self.at("name"),
                user_id=self.at("author"),
                tool_calls=[{"id": "c1", "function": {"name": "f", "arguments": f'{{"q": "{self.at("calls")}"}}'}}],
                **common,
            ),
            NewMessage(
                role="tool",
                id=self.at("message") + "2",
                content=[{"type": "text", "text": self.at("part")}],
                tool_call_id=self.at("call"),
                event={"raw": [self.at("event")]},
                metadata={"k": self.at("mmeta")},
                **common,
            ),
        ]

    async def store(self, keep: View, **fields: Any) -> None:
        """A session with all of the words, each in the database's usual field for it, the search index included.

        Raises `SessionNotFound` if it expires before that.
        """
        await keep.sessions.create(self.session_id, **self.session_fields() | fields)
        await keep.messages.append(self.session_id, self.messages(), update=self.updated_fields())  # pyright: ignore[reportArgumentType]
        if keep.capabilities.search:  # an index that is filled by the first search is filled now
            found = await keep.messages.search(self.at("content"))
            await keep.sessions.get(self.session_id)  # none is found if it has expired meanwhile
            assert len(found) == 1


_CUTS = ("truncate", "trim", "pop", "clear", "rewind", "rolling window")
"""Ways to take messages away that are neither a deletion nor a redaction: tests name them so."""


async def found_after(way: str, database: Database, words: list[str]) -> list[str]:
    """Which of the words the database holds after a removal of that name; after a cut it may take a while."""
    return await (found_later_in if way in _CUTS else found_in)(database, words)


async def found_later_in(database: Database, words: list[str]) -> list[str]:
    """Which of the words the database still holds after a while."""
    await database.enrolment.settle(database.dsn, database.namespace)
    return await found_in(database, words)


async def found_in(database: Database, words: list[str]) -> list[str]:
    """Which of the words the whole database holds, anywhere."""
    stored = database.scan()
    assert stored is not None, "the enrolment offers no scan: what is erased can't be shown to be gone"
    sought = {word: word.encode() for word in words}
    found: set[str] = set()
    async for part in stored:
        found |= {word for word, encoded in sought.items() if encoded in part}
    return [word for word in words if word in found]
