"""One turn of an agent: collected in memory while the model thinks, and written by one commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from agentkeep.conversations._changes import Changes, MessageFields, filled, replaced
from agentkeep.conversations._commit import commit
from agentkeep.conversations._ids import time_id
from agentkeep.conversations._usage import Usage, as_counters, nanos
from agentkeep.models import Appended, NewMessage

if TYPE_CHECKING:
    from agentkeep.conversations._conversation import Conversation


class Turn:
    """Collects the messages, data, route, step and usage of one turn, and writes them by one append at its end.

        async with conversation.turn() as turn:
            turn.add("user", "Where is my parcel?")
            async for chunk in turn.stream(model.answer(...)):
                print(chunk, end="")

    Nothing is read or written before the end, so no connection is held while the model thinks.

    If an exception ends the block, nothing is written and the session is as it was. With `keep_partial=True`, what was
    finished is written: the messages that were added, the data, the usage. These messages have `"partial": true` in
    their metadata, and a turn id of their own that begins with the turn's, so that the turn can be run again. A commit
    that has begun is then finished also if the task is cancelled meanwhile.

    The ids of the messages come from the turn's id: `<turn>.0`, `<turn>.1`, …. So a repeated commit stores the turn
    once. If the commit at the end fails with `Unavailable` or `OutcomeUnknown`, call `await turn.commit()` again: the
    turn still has all that it collected. The same holds in another process that runs the turn again with the same id
    and the same messages; with other messages it gets a `Conflict` (`kind` is "message_id"), and
    `conversation.stored_turn(id)` returns what is stored.

    If the data changed in the database since the conversation read it, the turn's changes are applied to what is
    stored now. So `set_data` of a turn never undoes the change of another key.
    """

    def __init__(self, conversation: Conversation, id: str, *, keep_partial: bool = False) -> None:
        self.id: str = id
        """The `turn_id` of its messages."""
        self.keep_partial: bool = keep_partial
        self.stored: Appended | None = None
        """What the commit stored; None before it, and if the turn had nothing to store."""
        self._conversation = conversation
        self._changes = Changes()
        self._is_committed = False

    def __repr__(self) -> str:
        return f"<Turn {self.id!r} messages={len(self._changes.messages)}>"

    @property
    def messages(self) -> tuple[NewMessage, ...]:
        """What was added so far, with the ids under which it will be stored."""
        return tuple(self._changes.messages)

    def add(self, role: str, content: str | list[Any] | None = None, **fields: Unpack[MessageFields]) -> NewMessage:
        """Add a message. Fields as in `Conversation.add_message`.

        The turn fills `id` and `turn_id` if you do not, and after `move` also `route` and `step`.
        """
        return self.add_messages([NewMessage(role=role, content=content, **fields)])[0]

    def add_messages(self, messages: Iterable[NewMessage]) -> list[NewMessage]:
        """Add several messages, for instance of a converter such as `from_openai`."""
        added: list[NewMessage] = []
        for message in messages:
            number = len(self._changes.messages)
            fields = self._changes.fields  # never the stored session's: after a commit a repeated turn would differ
            message = filled(
                message,
                id=f"{self.id}.{number}",
                turn_id=self.id,
                route=fields.get("current_route"),
                step=fields.get("current_step"),
            )
            self._changes.messages.append(message)
            added.append(message)
        return added

    async def stream(
        self, chunks: AsyncIterable[str], *, role: str = "assistant", **fields: Unpack[MessageFields]
    ) -> AsyncGenerator[str, None]:
        """Yield a model's chunks as they come, and add one message with the whole text when they have ended.

        If the stream breaks, no message is added.
        """
        parts: list[str] = []
        async for chunk in chunks:
            parts.append(chunk)
            yield chunk
        self.add(role, "".join(parts), **fields)

    def set_data(self, changes: Mapping[str, Any], *, replace: bool = False) -> None:
        """Merge into the session's data, or replace it, as `Conversation.set_data` does."""
        self._changes.set_data(changes, replace=replace)

    def move(self, *, route: str | None = None, step: str | None = None) -> None:
        """Set the session's current route, step, or both; messages that are added from now on have them too."""
        self._changes.move(route, step)

    def add_usage(self, *, input_tokens: int = 0, output_tokens: int = 0, cost: Decimal | str | int = 0) -> None:
        """Add to what the session used, as `Conversation.add_usage` does; counted once if the commit is repeated."""
        used = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cost_nanos=nanos(cost))
        self._changes.add.update(as_counters(used))

    async def commit(self) -> Appended | None:
        """Write all that was collected. The end of the block calls it; call it again only if it raised an error."""
        if self._changes and not self._is_committed:
            appended = await commit(self._conversation, self._changes)
            self.stored = appended if self._changes.messages else None
        self._is_committed = True
        return self.stored

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self.keep_partial:
            await _to_its_end(asyncio.ensure_future(self.commit()))
        elif error is None:
            await self.commit()
        elif self.keep_partial and self._changes.messages and not self._is_committed:
            await self._commit_partial(error)

    async def _commit_partial(self, error: BaseException) -> None:
        """Write what was finished, also if this task was cancelled. A failure becomes a note of `error`."""
        partial_id = f"{self.id}.partial.{time_id()}"
        self._changes.messages = [
            _partial(message, self.id, partial_id, number) for number, message in enumerate(self._changes.messages)
        ]
        try:
            with suppress(asyncio.CancelledError):
                await _to_its_end(asyncio.ensure_future(self.commit()))
        except Exception as failure:  # the exception of the block is the one to raise
            error.add_note(f"and the finished part of the turn was not kept: {type(failure).__name__}: {failure}")


def _partial(message: NewMessage, turn_id: str, partial_id: str, number: int) -> NewMessage:
    own_id = message.id if message.id != f"{turn_id}.{number}" else f"{partial_id}.{number}"
    own_turn = partial_id if message.turn_id == turn_id else message.turn_id
    return replaced(message, id=own_id, turn_id=own_turn, metadata=message.metadata | {"partial": True})


async def _to_its_end(task: asyncio.Future[Any]) -> None:
    """Wait for a task also if this one is cancelled, even again and again as by anyio's scopes; then raise that."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
