"""Pydantic AI: conversations in any database of Agentkeep."""

from agentkeep_pydantic_ai.store import AgentkeepConversationStore

__all__ = ["AgentkeepConversationStore"]
