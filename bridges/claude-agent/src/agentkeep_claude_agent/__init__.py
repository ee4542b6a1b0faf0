"""Claude Agent SDK: transcripts in any database of Agentkeep."""

from agentkeep_claude_agent.store import AgentkeepSessionStore

__all__ = ["AgentkeepSessionStore"]
