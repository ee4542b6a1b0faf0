"""Conversations: what an agent's author uses on top of sessions and messages.

    from agentkeep.conversations import SessionManager

    manager = SessionManager(keep, agent_name="support", user_id="ann")
    conversation = await manager.resume_latest()
    async with conversation.turn() as turn:
        turn.add("user", "Where is my parcel?")
        turn.add("assistant", await ask_model(await conversation.context(max_messages=40), turn.messages))

`agentkeep.sync` has the same without `await`.
"""

from agentkeep.conversations._changes import MessageFields
from agentkeep.conversations._context import CountTokens, Summarize
from agentkeep.conversations._conversation import Conversation
from agentkeep.conversations._hooks import Hooks, ValidateData
from agentkeep.conversations._ids import time_id
from agentkeep.conversations._manager import SessionManager
from agentkeep.conversations._turn import Turn
from agentkeep.conversations._usage import NANOS, Usage
from agentkeep.conversations._versions import Migrate

__all__ = [
    "NANOS",
    "Conversation",
    "CountTokens",
    "Hooks",
    "MessageFields",
    "Migrate",
    "SessionManager",
    "Summarize",
    "Turn",
    "Usage",
    "ValidateData",
    "time_id",
]
