"""One conversation of Pydantic AI in Agentkeep (see `bridges/faults.py`). Its own store is in memory alone."""

from __future__ import annotations

import asyncio

import agentkeep as ak
from agentkeep_pydantic_ai import AgentkeepConversationStore
from pydantic_ai import ModelRequest, UserPromptPart
from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import ConversationConflict

own = None


class Messages:
    """A writer that meets a conflict loads the conversation again, as Pydantic AI's error says."""

    def __init__(self, keep: ak.Keep) -> None:
        self.keep = keep
        self.store = AgentkeepConversationStore(keep)

    async def add(self, text: str) -> None:
        for attempt in range(50):
            conversation = await self.store.load("shared", limit=1) or Conversation(conversation_id="shared")
            conversation.messages.append(ModelRequest(parts=[UserPromptPart(content=text)]))
            try:
                await self.store.save(conversation)
            except ConversationConflict:
                await asyncio.sleep(0.001 * attempt)
            else:
                return
        raise ConversationConflict("shared")

    async def texts(self) -> list[str]:
        conversation = await self.store.load("shared")
        assert conversation is not None
        return [str(getattr(part, "content", "")) for message in conversation.messages for part in message.parts]

    async def close(self) -> None:
        await self.keep.close()


async def agentkeep(url: str) -> Messages:
    return Messages(await ak.connect(url).open())
