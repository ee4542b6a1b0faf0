"""Agentkeep's OpenSearch adapter."""

from agentkeep_opensearch.adapter import OpenSearchAdapter

__all__ = ["OpenSearchAdapter"]
