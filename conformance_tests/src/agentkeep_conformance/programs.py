"""What random programs are made of: few ids, so that they are met again, and values at the edges, named one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

from agentkeep import NewMessage

from agentkeep_conformance.tables import ESCAPED

T = TypeVar("T")
Drawn = dict[str, Any]

USERS = ["u1", "U1", "u%"]
"""Two that differ by case alone, and one that is a wildcard elsewhere."""
SESSIONS = ["s", "S", " s ", "s%"]
COPY = "fork"
"""Only forks and restored sessions have this id, beside those above."""
MESSAGES = ["m", "M", "m ", "m:1", "*"]
AGENTS = ["support", "support ", "sales"]
ORDERS = ["updated_at", "-updated_at", "created_at", "-created_at"]
WORDS = ["aardvark", "Zeppelin", "日本語話", "def_main"]
"""None is part of another, so that every kind of word search has to find the same messages."""
SCALARS: list[Any] = [None, True, False, 0, 1, 1.0, -0.0, 0.1, 2**53 + 1, 2**70, "", "1", "a.b", "\x00"]
VALUES: list[Any] = [*SCALARS, [], {}, [1, 1.0], {"b": 1, "a": [{}]}, {"$ne": None, "a.b": "_", "": ""}]
TEXTS = [None, "", " ", "\x00", "e\u0301", "é", "🙂" * 3, "x" * 5000]
ENDS: list[Any] = [timedelta(hours=1), timedelta(days=400), 7_200, 7_200.5]
"""Of fixed ends and idle times: far enough away for a program on a server's clock."""
TIMES = [datetime(2000, 1, 1, 0, 0, 0, 1, UTC), datetime(2038, 1, 19, 3, 14, 8, 999_999, UTC)]
CALLS: list[Any] = [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}]
PARTS: list[Any] = [
    [{"type": "text", "n": 1.0}, {"type": "image", "data": None}],
    [{"type": "text", "text": "aardvark"}],
    [{"type": "tool_result", "text": "Zeppelin"}],
]


class Draw:
    """Random values of one program."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def one(self, values: Sequence[T]) -> T:
        return self._random.choice(values)

    def chance(self, part: float) -> bool:
        return self._random.random() < part

    def number(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def some(self, chance: float = 0.3, **fields: Callable[[], Any]) -> Drawn:
        """Each of these arguments, by chance."""
        return {name: draw() for name, draw in fields.items() if self.chance(chance)}

    def shuffled(self, values: Sequence[T]) -> list[T]:
        return self._random.sample(values, len(values))

    def view(self) -> tuple[int, int, str | None]:
        """Which instance, which tenant, and whether through a user's view."""
        return self.number(0, 1), 0 if self.chance(0.85) else 1, self.one(USERS) if self.chance(0.2) else None

    def session_id(self) -> str:
        """One is met most of the time: a program that finds nothing shows nothing."""
        return "s" if self.chance(0.6) else self.one(SESSIONS)

    def json(self) -> Any:
        return self.one(VALUES)

    def object(self) -> Drawn:
        return {self.one(["k", "K", "k.k", "$k", "_id", ""]): self.json() for _ in range(self.number(0, 3))}

    def labels(self) -> Drawn:
        """Metadata that filters are likely to find."""
        return {self.one(["k", "K"]): self.one([1, True, "a"]) for _ in range(self.number(1, 2))}

    def metadata(self) -> Drawn:
        return self.labels() if self.chance(0.7) else self.object()

    def end(self) -> Any:
        return None if self.chance(0.3) else self.one(ENDS)

    def text(self) -> str | None:
        if self.chance(0.8):
            return self.one(TEXTS)
        return "".join(self.one(list(ESCAPED)) for _ in range(self.number(1, 6)))

    def content(self) -> Any:
        if self.chance(0.5):
            return " ".join(self.one(WORDS) for _ in range(self.number(1, 3)))
        return self.one([*TEXTS, *PARTS])

    def message(self) -> NewMessage:
        return NewMessage(
            role=self.one(["user", "assistant", "tool"]),
            id=self.one(MESSAGES) if self.chance(0.5) else None,
            content=self.content(),
            name=self.text(),
            user_id=self.one([None, *USERS]),
            turn_id=self.one([None, None, "t1", "t2"]),
            tool_calls=self.one([None, None, [], CALLS]),
            tool_call_id=self.one([None, None, None, "c1"]),
            route=self.text(),
            step=self.text(),
            event=self.json(),
            metadata=self.object(),
            created_at=self.one(TIMES) if self.chance(0.3) else None,
        )

    def batch(self) -> list[NewMessage]:
        """Mostly without an id that stands twice in it."""
        batch = [self.message() for _ in range(self.number(0, 4))]
        by_id = {message.id or index: message for index, message in enumerate(batch)}
        return batch if self.chance(0.1) else list(by_id.values())

    def created_fields(self) -> Drawn:
        return self.some(
            user_id=lambda: self.one(USERS),
            agent_name=lambda: self.one(AGENTS),
            title=self.text,
            state=self.object,
            metadata=self.metadata,
            ttl=self.end,
            idle_ttl=self.end,
            parent_id=self.session_id,
            schema_version=lambda: 7,
        )

    def updated_fields(self) -> Drawn:
        fields = self.some(
            0.2,
            agent_name=lambda: self.one(AGENTS),
            title=self.text,
            status=lambda: self.one(["active", "completed", "abandoned"]),
            current_route=self.text,
            current_step=self.text,
            state=self.object,
            metadata=self.metadata,
            schema_version=lambda: self.one([None, 8]),
            ttl=self.end,
            idle_ttl=self.end,
        )
        fields |= {"user_id": self.one([*USERS, None])} if self.chance(0.05) else {}
        return fields or {"title": "t"}

    def fields_beside_counters(self) -> Drawn:
        """Of an update that may only add to counters."""
        return self.updated_fields() if self.chance(0.8) else {}

    def filters(self) -> Drawn:
        return self.some(
            user_id=lambda: self.one(USERS),
            agent_name=lambda: self.one(AGENTS),
            status=lambda: self.one(["active", "completed", "abandoned"]),
            parent_id=self.session_id,
            metadata=lambda: self.labels() if self.chance(0.8) else {self.one(["k.k", "$k"]): self.one(SCALARS)},
            bound=lambda: (self.session_id(), self.chance(0.5)),
        )

    def message_fields(self) -> Drawn:
        fields = self.some(
            role=lambda: self.one(["user", "assistant"]),
            content=self.content,
            event=self.json,
            metadata=self.object,
            name=self.text,
            user_id=lambda: self.one([None, *USERS]),
            route=self.text,
            step=self.text,
            turn_id=lambda: self.one([None, "t1"]),
            tool_calls=lambda: self.one([None, CALLS]),
            tool_call_id=lambda: self.one([None, "c1"]),
        )
        return fields or {"content": "[removed]"}

    def additions(self) -> dict[str, int]:
        most = 2**53 - 1
        return {
            self.one(["tokens", "tokens", "a.b-c_1", "0"]): self.one([1, -3, 0, most, most])
            for _ in range(self.number(1, 2))
        }

    def update_additions(self) -> dict[str, int] | None:
        return self.additions() if self.chance(0.3) else None

    def expected(self) -> int | str | None:
        """What a writer expects: nothing, the right number, one too few, or that there is no session."""
        if self.chance(0.75):
            return None
        return self.one([0, 0, 0, 1, "none yet"])

    def append_options(self) -> Drawn:
        return self.some(
            0.2,
            create=self.created_fields,
            update=self.updated_fields,
            add=self.additions,
            stored=lambda: self.one(["conflict", "skip", "skip"]),
            truncate_after=lambda: self.number(0, 6),
            keep_last=lambda: self.number(1, 6),
        )

    def window(self) -> Drawn:
        return self.some(0.5, after=lambda: self.number(0, 3), before=lambda: self.number(0, 12))
