"""OpenAI Agents SDK: sessions in any database of Agentkeep."""

from agentkeep_openai_agents.branches import Branch
from agentkeep_openai_agents.session import AgentkeepSession, list_sessions

__all__ = ["AgentkeepSession", "Branch", "list_sessions"]
