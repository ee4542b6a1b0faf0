"""Agentkeep's OpenSearch adapter."""

from agentkeep_opensearch.adapter import OpenSearchAdapter
from agentkeep_opensearch.analysis import AnalysisHit, AnalysisQuery, AnalysisResult

__all__ = ["AnalysisHit", "AnalysisQuery", "AnalysisResult", "OpenSearchAdapter"]
