"""A `Session` of the OpenAI Agents SDK over a keep: an item is a message whose `event` is the item, verbatim."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar, cast

from agentkeep import InvalidInput, NewMessage, SessionNotFound, View
from agentkeep import Session as StoredSession
from agentkeep.bridging import append_once, from_stored, item_message, item_of, joined_id, to_stored
from agentkeep.retention import delete_whole
from agents import RunContextWrapper, SessionSettings, TResponseInputItem
from agents.memory.session_settings import coerce_session_settings, resolve_session_limit
from agents.result import RunResultBase

from agentkeep_openai_agents import branches
from agentkeep_openai_agents.branches import MAIN, Branch

T = TypeVar("T")
FRAMEWORK = AGENT = "openai-agents"
"""The `agent_name` of these sessions; branches have `openai-agents/branch`, so that a listing can leave them out."""
_ROLES = {"function_call_output": "tool", "computer_call_output": "tool", "local_shell_call_output": "tool"}


class AgentkeepSession:
    """Give it an open keep, or a view of it for one tenant or user. `add_items` lands whole or not at all.

    With `user_of`, each call is for the user that it returns of the run's context: another user's session raises
    `AlreadyExists` or is empty.
    """

    def __init__(
        self,
        session_id: str,
        view: View,
        *,
        user_of: Callable[[RunContextWrapper[Any]], str] | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
    ) -> None:
        self.session_id = session_id
        self.session_settings: SessionSettings | None = coerce_session_settings(session_settings or SessionSettings())
        self._view = view
        self._user_of = user_of
        self._branch = MAIN

    @property
    def branch(self) -> str:
        """The branch that this object reads and writes; `main` at first."""
        return self._branch

    async def get_items(
        self, limit: int | None = None, *, wrapper: RunContextWrapper[Any] | None = None
    ) -> list[TResponseInputItem]:
        """The newest `limit` items (by default those of `session_settings`, else all), oldest first. One round trip."""
        wanted = resolve_session_limit(limit, self.session_settings)
        if wanted is not None and wanted <= 0:
            return []
        messages = self._for(wrapper).messages
        try:
            if wanted is None:
                stored = [message async for message in messages.iterate(self._id)]
            else:
                stored = await messages.tail(self._id, wanted)
        except SessionNotFound:
            return []
        return [item_of(message, FRAMEWORK) for message in stored]

    async def add_items(
        self, items: list[TResponseInputItem], *, wrapper: RunContextWrapper[Any] | None = None
    ) -> None:
        """One round trip, two in a branch; more items than `capabilities.max_batch` (1,000 or more) go in batches."""
        view = self._for(wrapper)
        batch = view.capabilities.max_batch
        create = {"agent_name": AGENT, "metadata": {"session": to_stored(self.session_id)}}
        for start in range(0, len(items), batch):
            messages = [_message(item) for item in items[start : start + batch]]
            await _finished(append_once(view.messages, self._id, messages, create=create))
        if self._branch != MAIN:
            await branches.use_main(view, self.session_id)

    async def pop_item(self, *, wrapper: RunContextWrapper[Any] | None = None) -> TResponseInputItem | None:
        try:
            message = await _finished(self._for(wrapper).messages.pop(self._id))
        except SessionNotFound:
            return None
        return None if message is None else item_of(message, FRAMEWORK)

    async def clear_session(self, *, wrapper: RunContextWrapper[Any] | None = None) -> None:
        """Remove the items of the current branch; usage and other branches stay. To remove all: `delete_session`."""
        try:
            await _finished(self._for(wrapper).messages.clear(self._id))
        except SessionNotFound:
            return

    async def delete_session(self, *, wrapper: RunContextWrapper[Any] | None = None) -> None:
        """Remove the session, its usage and all of its branches."""
        view = self._for(wrapper)
        await delete_whole(view, joined_id(self.session_id))
        self._branch = MAIN

    async def store_run_usage(self, result: RunResultBase, *, wrapper: RunContextWrapper[Any] | None = None) -> None:
        """Add the run's usage to the session's, exactly, with any number of workers."""
        usage = result.context_wrapper.usage
        add = {"requests": usage.requests, "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
        await self._for(wrapper).sessions.update(joined_id(self.session_id), add=add)

    async def get_session_usage(self, *, wrapper: RunContextWrapper[Any] | None = None) -> dict[str, int]:
        """Requests and tokens, all branches together."""
        session = await self._for(wrapper).sessions.find(joined_id(self.session_id))
        return {} if session is None else dict(session.counters)

    async def create_branch(
        self, name: str, *, before_turn: int | None = None, wrapper: RunContextWrapper[Any] | None = None
    ) -> None:
        """Copy the current branch up to (not with) its user message number `before_turn`, from 1, and switch to it.

        Without `before_turn`, all of it. Raises `ValueError` for a turn that is not there or a name that is in use.
        """
        await branches.create(self._for(wrapper), self.session_id, self._id, name, before_turn)
        self._branch = name

    async def switch_to_branch(self, name: str, *, wrapper: RunContextWrapper[Any] | None = None) -> None:
        """Raises `ValueError` if there is no such branch."""
        await branches.require(self._for(wrapper), self.session_id, name)
        self._branch = name

    async def delete_branch(self, name: str, *, wrapper: RunContextWrapper[Any] | None = None) -> None:
        """Raises `ValueError` for `main`, the current branch, or a branch that is not there."""
        if name in (MAIN, self._branch):
            raise ValueError(f"branch {name!r} is the main or the current one: switch to another one, and keep main")
        await branches.require(self._for(wrapper), self.session_id, name)
        await self._for(wrapper).sessions.delete(branches.branch_id(self.session_id, name))

    async def list_branches(self, *, wrapper: RunContextWrapper[Any] | None = None) -> list[Branch]:
        """Main first, then the others by age."""
        return await branches.listed(self._for(wrapper), self.session_id)

    @property
    def _id(self) -> str:
        return branches.branch_id(self.session_id, self._branch)

    def _for(self, wrapper: RunContextWrapper[Any] | None) -> View:
        if self._user_of is None:
            return self._view
        if wrapper is None:
            raise InvalidInput("this session belongs to the run's user: give wrapper=RunContextWrapper(context)")
        return self._view.for_user(self._user_of(wrapper))


async def _finished(call: Coroutine[Any, Any, T]) -> T:
    """The call's result. A cancelled caller waits for the write's end: the SDK rewinds by what is stored then."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def list_sessions(view: View) -> AsyncIterator[str]:
    """The ids of all sessions that the view sees, the last used first. The SDK itself has no such verb."""
    async for session in view.sessions.iterate(agent_name=AGENT):
        yield _session_id(session)


def _session_id(session: StoredSession) -> str:
    return cast("str", from_stored(session.metadata["session"]))


def _message(item: TResponseInputItem) -> NewMessage:
    fields = cast("dict[str, Any]", item)
    role = fields.get("role") or _ROLES.get(fields.get("type", ""), "assistant")
    return item_message(FRAMEWORK, fields, role=joined_id(str(role)))
