"""How what a conversation collected is written: one call of the keep, tried again on what others wrote."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace as with_fields

from agentkeep._drafts import SessionUpdate
from agentkeep.conversations._changes import Changes
from agentkeep.conversations._summary import without_summary
from agentkeep.errors import Conflict
from agentkeep.models import Appended, NewMessage, Session

if TYPE_CHECKING:
    from agentkeep.conversations._conversation import Conversation

Result = TypeVar("Result")
TRIES = 20
_FIELDS = ("state", "title", "current_route", "current_step", "status", "metadata", "schema_version")


async def commit(conversation: Conversation, changes: Changes, *, is_strict: bool = False) -> Appended:
    """Write `changes` in one call. `is_strict`: a session that somebody else changed since it was read is a `Conflict`.

    Otherwise the session is read again and the changes of its data are applied to what is stored now.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            return await _write(conversation, changes, is_strict=is_strict)
        except Conflict as error:
            conflict = error
        await conversation.settings.call(lambda hook, conflict=conflict: hook.on_conflict(conversation, conflict))
        if is_strict or conflict.kind != "version" or not tries_left:
            raise conflict
        await conversation.reload()
    raise AssertionError("the last try returns or raises")


async def _write(conversation: Conversation, changes: Changes, *, is_strict: bool) -> Appended:
    settings, seen = conversation.settings, conversation.session
    update = SessionUpdate(**changes.fields)
    expected = seen.version if is_strict or changes.data or changes.is_rewrite else None
    if changes.data:
        update["state"] = changes.data_over(seen.state)
    if changes.is_rewrite:
        update["metadata"] = without_summary(seen.metadata, after=0)
    await _call_before(conversation, update, changes.messages)
    add = dict(changes.add) or None
    if changes.messages or changes.is_rewrite:
        appended = await conversation.view.messages.append(
            conversation.id,
            changes.messages,
            update=update or None,
            add=add,
            truncate_after=0 if changes.is_rewrite else None,
            expected_version=expected,
        )
        conversation.session = _after(seen, appended, update, add or {})
    else:
        session = await conversation.view.sessions.update(conversation.id, expected_version=expected, add=add, **update)
        conversation.session = session
        appended = Appended([], version=session.version, last_seq=session.last_seq, new=0)
    if changes.is_rewrite:
        await conversation.reload()
    if changes.messages:
        await settings.call(lambda hook: hook.after_append(conversation, appended))
    if changes.data:
        await settings.call(lambda hook: hook.after_save(conversation, conversation.session))
    return appended


async def _call_before(conversation: Conversation, update: SessionUpdate, messages: Sequence[NewMessage]) -> None:
    settings = conversation.settings
    if messages:
        await settings.call(lambda hook: hook.before_append(conversation, tuple(messages)))
    if "state" in update:
        data = update["state"]
        await settings.call(lambda hook: hook.before_save(conversation, copy.deepcopy(data)))


async def retried(conversation: Conversation, change: Callable[[Conversation], Awaitable[Result]]) -> Result:
    """See `Conversation.retry`."""
    for tries_left in reversed(range(TRIES)):
        await conversation.reload()
        attempt = conversation.working_copy()
        result = await change(attempt)
        try:
            conversation.session = await attempt.save()
        except Conflict as conflict:
            if conflict.kind != "version" or not tries_left:
                raise
        else:
            return result
    raise AssertionError("the last try returns or raises")


def _after(seen: Session, appended: Appended, update: SessionUpdate, add: dict[str, int]) -> Session:
    """What is known of a session after an append, without reading it."""
    changed: dict[str, Any] = {name: value for name, value in update.items() if name in _FIELDS}
    if appended.new:
        changed["counters"] = seen.counters | {name: seen.counters.get(name, 0) + more for name, more in add.items()}
        changed["message_count"] = seen.message_count + appended.new
        changed["last_message_at"] = appended[-1].created_at
    return with_fields(seen, version=appended.version, last_seq=appended.last_seq, **changed)
