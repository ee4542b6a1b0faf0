"""Strands Agents: sessions in any database of Agentkeep."""

from agentkeep_strands_agents.repository import AgentkeepSessionManager, AgentkeepSessionRepository

__all__ = ["AgentkeepSessionManager", "AgentkeepSessionRepository"]
