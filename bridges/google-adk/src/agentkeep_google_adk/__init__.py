"""Google ADK: sessions in any database of Agentkeep."""

from agentkeep_google_adk.by_uri import AgentkeepSessionServiceByUri
from agentkeep_google_adk.service import AgentkeepSessionService

__all__ = ["AgentkeepSessionService", "AgentkeepSessionServiceByUri"]
