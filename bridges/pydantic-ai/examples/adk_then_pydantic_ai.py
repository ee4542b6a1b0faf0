"""A talk that begins in Google ADK goes on in Pydantic AI: both keep their sessions in one database.

    python adk_then_pydantic_ai.py sqlite:///chat.db

Each part may run in a process of its own. The models are scripted; give real ones to `main`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator

import agentkeep
from agentkeep import Keep
from agentkeep.bridging import chat_messages
from agentkeep.formats import to_pydantic_ai
from agentkeep_google_adk import AgentkeepSessionService
from agentkeep_pydantic_ai import AgentkeepConversationStore
from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import Runner
from google.genai import types
from pydantic_ai import Agent, ModelMessagesTypeAdapter
from pydantic_ai.conversation import Conversation
from pydantic_ai.models import Model
from pydantic_ai.models.test import TestModel


class Script(BaseLlm):
    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        yield LlmResponse(content=types.Content(role="model", parts=[types.Part(text="14A is free. Shall I book it?")]))


async def begin_in_adk(keep: Keep, model: BaseLlm | str) -> None:
    service = AgentkeepSessionService(keep)
    runner = Runner(app_name="travel", agent=LlmAgent(name="travel", model=model), session_service=service)
    await service.create_session(app_name="travel", user_id="ann", session_id="trip-42")
    said = types.Content(role="user", parts=[types.Part(text="A window seat to Oslo, please")])
    async for _ in runner.run_async(user_id="ann", session_id="trip-42", new_message=said):
        pass


async def go_on_in_pydantic_ai(keep: Keep, model: Model | str) -> None:
    [session] = (await keep.sessions.list(agent_name="google-adk", user_id="ann", limit=1)).items
    chat = chat_messages(await keep.messages.tail(session.id, 100, whole_turns=True))
    history = ModelMessagesTypeAdapter.validate_python(to_pydantic_ai(chat))
    conversation = Conversation(conversation_id="trip-42", messages=history)
    result = await Agent(model).run("Yes, please", conversation=conversation)
    await AgentkeepConversationStore(keep).save(result, scope="ann")


async def main(url: str, adk_model: BaseLlm | str, pydantic_ai_model: Model | str) -> None:
    async with agentkeep.connect(url) as keep:
        await begin_in_adk(keep, adk_model)
        await go_on_in_pydantic_ai(keep, pydantic_ai_model)
        for message in chat_messages(await keep.messages.tail("trip-42", 100)):
            print(f"{message.role}: {message.content}")


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else "sqlite:///chat.db"
    asyncio.run(main(url, Script(model="script"), TestModel(custom_output_text="Booked.")))
