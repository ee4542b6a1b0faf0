"""One session as an agent's author uses it."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar, Unpack

from agentkeep._drafts import SessionUpdate
from agentkeep._validation import check_optional_count
from agentkeep.conversations._changes import Changes, MessageFields, as_new, filled, replaced
from agentkeep.conversations._commit import commit, retried
from agentkeep.conversations._context import Context, CountTokens, Limits, Summarize, estimated_tokens
from agentkeep.conversations._ids import time_id
from agentkeep.conversations._settings import Settings, load
from agentkeep.conversations._summary import forget_summary, without_summary
from agentkeep.conversations._turn import Turn
from agentkeep.conversations._usage import Usage, as_counters, nanos, usage_in
from agentkeep.keep import View
from agentkeep.models import Appended, Message, NewMessage, Session, Status

Result = TypeVar("Result")


class Conversation:
    """One session. A `SessionManager` makes it; it may be made anew for each request, because it holds no connection.

    With `auto_save` each verb writes at once. Without it, `add_message`, `set_data`, `move` and `add_usage` only
    collect, and `save` writes all of it in one commit.

    All verbs that read or write raise `SessionNotFound` if the session was deleted or has expired.
    """

    def __init__(self, view: View, session: Session, settings: Settings) -> None:
        self.view = view
        self._session = session
        self.settings = settings
        self._pending = Changes()
        self._context = Context()

    def __repr__(self) -> str:
        return f"<Conversation {self.id!r} user={self._session.user_id!r} agent={self._session.agent_name!r}>"

    @property
    def id(self) -> str:
        """The session's id."""
        return self._session.id

    @property
    def session(self) -> Session:
        """The session as this object last read or wrote it. `reload` reads it again."""
        return self._session

    @session.setter
    def session(self, session: Session) -> None:
        self._session = session

    @property
    def data(self) -> dict[str, Any]:
        """A copy of the data that the agent collected, with the changes that are not saved yet."""
        return self._pending.data_over(self._session.state)

    async def reload(self) -> Session:
        """Read the session again, and migrate its data if necessary. Changes that are not saved yet stay."""
        self._session = await load(self.view, self.settings, self.id)
        self._context = Context()
        return self._session

    def working_copy(self) -> Conversation:
        """Another object for this session as it was last read, that collects until `save`."""
        return Conversation(self.view, self._session, dataclasses.replace(self.settings, auto_save=False))

    async def add_message(
        self, role: str, content: str | list[Any] | None = None, **fields: Unpack[MessageFields]
    ) -> Message | None:
        """Add a message and return it as stored; None without `auto_save`, because then `save` stores it.

        Give an `id` if you may repeat the call: a message of the same id and content is stored once (IDEM-1).
        Fields: `id`, `name`, `user_id`, `tool_calls`, `tool_call_id`, `turn_id`, `route`, `step`, `event`, `metadata`,
        `created_at`.
        """
        message = filled(NewMessage(role=role, content=content, **fields), id=time_id())
        if not self.settings.auto_save:
            self._pending.messages.append(message)
            return None
        return (await commit(self, Changes(messages=[message])))[0]

    async def history(self, n: int | None = None) -> list[Message]:
        """The newest `n` stored messages, oldest first; by default all. For a model's input see `context`."""
        if n is not None:
            return await self.view.messages.tail(self.id, n)
        return [message async for message in self.view.messages.iterate(self.id)]

    async def set_history(self, messages: Sequence[NewMessage | Message]) -> Appended:
        """Replace all messages by these, in one commit. They get new ids, and seqs that go on.

        Raises `LimitExceeded` if there are more than one append may have, as `capabilities.max_batch` says.
        """
        new = [replaced(as_new(message), id=time_id()) for message in messages]
        return await commit(self, Changes(messages=new, is_rewrite=True))

    async def clear_history(self) -> None:
        """Remove all messages, and the summary of those that fell out of the context. The data stays."""
        await commit(self, Changes(is_rewrite=True))

    async def reset(self, *, preserve_history: bool = False) -> None:
        """Begin again under the same id: empty data, no route and step, status "active", in one commit.

        The messages are removed too, unless `preserve_history`. Counters stay, because they say what was spent.
        """
        fields = SessionUpdate(status="active", current_route=None, current_step=None)
        if self.settings.schema_version is not None:
            fields["schema_version"] = self.settings.schema_version
        changes = Changes(fields=fields, is_rewrite=not preserve_history)
        changes.set_data({}, replace=True)
        await commit(self, changes)
        self._pending = Changes()

    async def set_data(self, changes: Mapping[str, Any], *, replace: bool = False) -> None:
        """Merge `changes` into the data: each of its top-level keys replaces that key, and the other keys stay.

        With `replace`, these are all of the data. If others wrote meanwhile, the session is read again and the change
        is applied to what they wrote, up to 20 times; then `Conflict`. A merge of two writers keeps the keys of both.
        """
        await self._collect(lambda pending: pending.set_data(changes, replace=replace))

    async def move(self, *, route: str | None = None, step: str | None = None) -> None:
        """Set the session's current route, step, or both."""
        await self._collect(lambda pending: pending.move(route, step))

    async def add_usage(self, *, input_tokens: int = 0, output_tokens: int = 0, cost: Decimal | str | int = 0) -> None:
        """Add to what this session used. `cost` is in units of your currency, for instance `"0.0123"` dollars."""
        used = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cost_nanos=nanos(cost))
        await self._collect(lambda pending: pending.add.update(as_counters(used)))

    async def usage(self) -> Usage:
        """What this session used in all; it reads the session. Usage that is not saved yet does not count."""
        return usage_in((await self.view.sessions.get(self.id)).counters)

    async def save(self, name: str | None = None) -> Session:
        """Write all that was collected, in one commit. `name` becomes the session's title.

        Raises `Conflict` if somebody else changed the session since this object last read it; messages that others
        only appended are no such change. Nothing is written then, and what was collected stays. `retry` reloads and
        tries again.
        """
        pending = self._pending
        if name is not None:
            pending.fields["title"] = name
        if pending:
            await commit(self, pending, is_strict=True)
            self._pending = Changes()
        return self._session

    async def retry(self, change: Callable[[Conversation], Awaitable[Result]]) -> Result:
        """Reload, call `change` with a copy of this conversation without `auto_save`, and save what it collected.

        If that is a `Conflict`, begin again, up to 20 times. So `change` may read `data` and decide by it:

            async def reserve(conversation):
                left = conversation.data["left"]
                await conversation.set_data({"left": left - 1})

            await conversation.retry(reserve)

        `change` may be called several times: it must do nothing that can't be repeated. What this object itself
        collected before is not saved by `retry`.
        """
        return await retried(self, change)

    def turn(self, id: str | None = None, *, keep_partial: bool = False) -> Turn:
        """One turn of the agent, written by one commit at its end: `async with conversation.turn() as turn:`.

        `id`: give the same id to run the same turn again after an error; else it gets a new one. `keep_partial`: keep
        what was finished if an exception ends the turn. See `Turn`.
        """
        return Turn(self, time_id() if id is None else id, keep_partial=keep_partial)

    async def stored_turn(self, id: str) -> list[Message]:
        """The stored messages of the turn of this id; empty if it was not committed.

        A service that may get a request again looks here before it asks the model again.
        """
        found = await self.view.messages.get_many(self.id, [f"{id}.0"])
        if not found:
            return []
        first = found[f"{id}.0"]
        stored = [first]
        async for message in self.view.messages.iterate(self.id, after=first.seq):
            if message.turn_id != id:
                break
            stored.append(message)
        return stored

    async def context(
        self,
        *,
        max_messages: int | None = None,
        max_tokens: int | None = None,
        count_tokens: CountTokens | None = None,
        keep_system: bool = True,
        drop_open_calls: bool = True,
        summarize: Summarize | None = None,
    ) -> list[Message]:
        """The messages to give to a model: whole turns, the newest that fit, oldest first.

        `max_messages`: by default the manager's `window`. `max_tokens`: by the sum of `count_tokens` of each message;
        without `count_tokens`, a token is taken for each four bytes of JSON, which is only an estimate. The newest turn
        is always there, even if it alone is over a limit.
        `keep_system`: the system messages at the beginning of the session come first, and count.
        `drop_open_calls`: tool calls without a result, and results without a call, are left out; models refuse them.
        `summarize` (sync or async) is called with the messages that do not fit and were not summarized before, after
        the summary of those before, if there is one. It returns a text, which is stored in the session's metadata. A
        message of role "system" with that text takes their place. A sync `summarize` runs in a thread.

        One read of the database; one more beside it if the session is longer than the window and this object has not
        seen the system messages yet, and more only for `max_tokens` over long sessions and for a new summary.
        """
        window = self.settings.window if max_messages is None else max_messages
        limits = Limits(
            messages=check_optional_count(window, "max_messages", least=1),
            tokens=check_optional_count(max_tokens, "max_tokens", least=1),
            count=count_tokens or estimated_tokens,
        )
        return await self._context.read(
            self, limits, keep_system=keep_system, drop_open_calls=drop_open_calls, summarize=summarize
        )

    async def fork(self, at: int | Message | None = None, *, id: str | None = None) -> Conversation:
        """A copy of this session and its messages up to and with `at` (a seq or a message), as a new conversation."""
        seq = at.seq if isinstance(at, Message) else at
        session = await self.view.sessions.get(self.id)
        metadata = without_summary(session.metadata, after=seq)
        update = None if metadata == session.metadata else SessionUpdate(metadata=metadata)
        forked = await self.view.sessions.fork(self.id, at_seq=seq, new_id=id or time_id(), update=update)
        return Conversation(self.view, forked, self.settings)

    async def rewind(self, to: int | Message) -> int:
        """Remove the messages after `to` (a seq or a message), and return how many. The data stays as it is."""
        seq = to.seq if isinstance(to, Message) else to
        await forget_summary(self, after=seq)  # before the messages: if this ends in between, nothing is wrong
        removed = await self.view.messages.truncate(self.id, after_seq=seq)
        await self.reload()
        return removed

    async def complete(self) -> Session:
        """End the conversation as completed: `resume_latest` begins another one."""
        return await self._end("completed")

    async def abandon(self) -> Session:
        """End the conversation as abandoned: `resume_latest` begins another one."""
        return await self._end("abandoned")

    async def delete(self) -> bool:
        """Remove the session and everything of it (SES-6). False if there was none."""
        return await self.view.sessions.delete(self.id)

    async def _end(self, status: Status) -> Session:
        await commit(self, Changes(fields=SessionUpdate(status=status)))
        return self._session

    async def _collect(self, change: Callable[[Changes], None]) -> None:
        if not self.settings.auto_save:
            change(self._pending)
            return
        changes = Changes()
        change(changes)
        if changes:
            await commit(self, changes)
