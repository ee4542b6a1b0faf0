"""Agentkeep's NAME adapter."""

from agentkeep_NAME.adapter import CLASSAdapter

__all__ = ["CLASSAdapter"]
