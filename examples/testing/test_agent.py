"""How to test an agent: its sessions are kept in memory, and a list of answers plays the model.

pip install "agentkeep[memory]" pytest
pytest
"""

from __future__ import annotations

import asyncio

from agentkeep import Keep
from agentkeep.conversations import Conversation, SessionManager
from agentkeep.sync import SyncKeep, SyncSessionManager


class Agent:
    """The agent to be tested; here a very small one."""

    def __init__(self, answers: list[str]) -> None:
        self._answers = iter(answers)

    async def reply(self, conversation: Conversation, text: str) -> str:
        async with conversation.turn() as turn:
            turn.add("user", text)
            answer = next(self._answers)
            turn.add("assistant", answer)
            turn.set_data({"turns": conversation.data.get("turns", 0) + 1})
        return answer


def test_the_agent_remembers(keep: Keep) -> None:
    async def talk() -> None:
        agent = Agent(["Hello Ann", "You are Ann"])
        conversation = await SessionManager(keep).get_or_create("s")
        await agent.reply(conversation, "I am Ann")
        later = await SessionManager(keep).get_or_create("s")
        assert await agent.reply(later, "Who am I?") == "You are Ann"
        assert (await later.context())[0].content == "I am Ann"
        assert later.data == {"turns": 2}

    asyncio.run(talk())


def test_each_test_has_an_empty_keep(sync_keep: SyncKeep) -> None:
    assert sync_keep.sessions.count() == 0
    assert SyncSessionManager(sync_keep).get_or_create("s").history() == []
