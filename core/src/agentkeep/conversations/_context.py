"""What a model gets: whole turns, newest first until the limits are reached."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import msgspec

from agentkeep._turns import begins_turn
from agentkeep.conversations._calls import without_open_calls
from agentkeep.conversations._summary import Summary, as_message, store_summary, summary_in
from agentkeep.errors import InvalidInput
from agentkeep.models import Message, Resumed

if TYPE_CHECKING:
    from agentkeep.conversations._conversation import Conversation

CountTokens = Callable[[Message], int]
"""How many tokens a message has for the model."""
Summarize = Callable[[list[Message]], str | Awaitable[str]]
"""Returns a text that stands for the messages."""

_HEAD = 8
"""System messages at the beginning of a session that are kept, at most."""
_FIRST_READ = 100
"""Messages of the first read if only tokens limit the context."""
_NEXT_READ = 500
_SYSTEM = ("system", "developer")


@dataclass(frozen=True)
class Limits:
    """How much a context may have. None: no limit."""

    messages: int | None
    tokens: int | None
    count: CountTokens

    def tokens_of(self, messages: Sequence[Message]) -> int:
        return 0 if self.tokens is None else sum(self.count(message) for message in messages)

    def allow(self, messages: int, tokens: int) -> bool:
        return (self.messages is None or messages <= self.messages) and (self.tokens is None or tokens <= self.tokens)


def estimated_tokens(message: Message) -> int:
    """One for each four bytes of what the model gets of a message, and four for its frame."""
    shown = (message.role, message.content, message.tool_calls, message.event if message.content is None else None)
    return 4 + len(msgspec.json.encode(shown)) // 4


class Context:
    """Reads contexts of one conversation, and remembers its first system messages."""

    def __init__(self) -> None:
        self._head: list[Message] | None = None

    async def read(
        self,
        conversation: Conversation,
        limits: Limits,
        *,
        keep_system: bool,
        drop_open_calls: bool,
        summarize: Summarize | None,
    ) -> list[Message]:
        """See `Conversation.context`."""
        log = await self._read_log(conversation, limits, is_head_wanted=keep_system)
        system = (self._head or []) if keep_system else []
        log = Resumed(log.session, _without(log.messages, system))
        summary = summary_in(log.session)
        kept = _newest_turns(log.messages, limits, system)
        if len(kept) + len(system) < log.session.message_count:
            start = Summary(text="", through=system[-1].seq if system else 0)
            while True:
                shown = summary or (start if summarize else None)
                before = [*system, as_message(log.session, shown)] if shown else system
                kept = _newest_turns(log.messages, limits, before)
                if summarize is None or (summary is not None and summary.through >= _last_fallen(log.messages, kept)):
                    break
                summary = await _summarized(conversation, log, kept, summary or start, summarize)
            system = before
        chosen = [*system, *kept]
        return without_open_calls(chosen) if drop_open_calls else chosen

    async def _read_log(self, conversation: Conversation, limits: Limits, *, is_head_wanted: bool) -> Resumed:
        """The session, and at least as many of its newest messages as fit."""
        view, id, held = conversation.view, conversation.id, conversation.session.message_count
        first = limits.messages or (_FIRST_READ if limits.tokens is not None else max(1, held))
        reading = view.sessions.resume(id, tail=first, whole_turns=True)
        if is_head_wanted and self._head is None and held > first:
            log, page = await asyncio.gather(reading, view.messages.list(id, limit=_HEAD))
            self._head = _leading(page.items)
        else:
            log = await reading
        if is_head_wanted and self._head is None and len(log.messages) < log.session.message_count:
            self._head = _leading((await view.messages.list(id, limit=_HEAD)).items)
        messages = log.messages
        while len(messages) < log.session.message_count and limits.allow(len(messages) + 1, limits.tokens_of(messages)):
            page = await view.messages.list(id, before=messages[0].seq, limit=_NEXT_READ, newest_first=True)
            if not page.items:
                break
            messages = [*reversed(page.items), *messages]
        if is_head_wanted and len(messages) >= log.session.message_count:
            self._head = _leading(messages)
        return Resumed(log.session, messages)


def _leading(messages: Sequence[Message]) -> list[Message]:
    """The system messages before the first other message."""
    leading: list[Message] = []
    for message in messages[:_HEAD]:
        if message.role not in _SYSTEM:
            break
        leading.append(message)
    return leading


def _without(messages: Sequence[Message], left_out: Sequence[Message]) -> list[Message]:
    seqs = {message.seq for message in left_out}
    return [message for message in messages if message.seq not in seqs]


def _newest_turns(messages: Sequence[Message], limits: Limits, before: Sequence[Message]) -> list[Message]:
    """Whole turns that fit beside `before`, from the newest on, in the order of the log; at least the newest one."""
    count, tokens = len(before), limits.tokens_of(before)
    first = len(messages)
    for start in _turn_starts(messages):
        turn = messages[start:first]
        count += len(turn)
        tokens += limits.tokens_of(turn)
        if first < len(messages) and not limits.allow(count, tokens):
            break
        first = start
    return list(messages[first:])


def _turn_starts(messages: Sequence[Message]) -> list[int]:
    """Where turns begin, newest first; what is before the first turn counts as one."""
    starts = [place for place in range(len(messages) - 1, 0, -1) if begins_turn(messages[place], messages[place - 1])]
    return [*starts, 0] if messages else []


def _last_fallen(messages: Sequence[Message], kept: Sequence[Message]) -> int:
    """The seq of the newest message that is not kept."""
    fallen = messages[: len(messages) - len(kept)]
    if fallen:
        return fallen[-1].seq
    return messages[0].seq - 1 if messages else 0


async def _summarized(
    conversation: Conversation,
    log: Resumed,
    kept: Sequence[Message],
    earlier: Summary,
    summarize: Summarize,
) -> Summary:
    """A summary of all that is not kept, stored."""
    done = earlier.through
    through = _last_fallen(log.messages, kept)
    oldest_read = log.messages[0].seq
    older = conversation.view.messages.iterate(conversation.id, after=done, before=oldest_read)
    fallen = [message async for message in older] if done + 1 < oldest_read else []
    fallen += [message for message in log.messages if done < message.seq <= through]
    texts = [*([as_message(log.session, earlier)] if earlier.text else []), *fallen]
    if inspect.iscoroutinefunction(summarize):
        text = await cast("Awaitable[str]", summarize(texts))
    else:
        text = await asyncio.to_thread(summarize, texts)
        text = await text if inspect.isawaitable(text) else text
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"summarize returned a {type(text).__name__}: it must return a string")
    return await store_summary(conversation, log.session, Summary(text=text, through=through))
