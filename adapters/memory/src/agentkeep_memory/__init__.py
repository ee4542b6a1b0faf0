"""Agentkeep's reference adapter: everything in this process's memory."""

from agentkeep_memory.adapter import MemoryAdapter, Snapshot

__all__ = ["MemoryAdapter", "Snapshot"]
