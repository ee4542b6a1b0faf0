"""Agentkeep's SQLite adapter: sessions and messages in one file, with group commit, full-text search and watching."""

from agentkeep_sqlite.adapter import SQLiteAdapter

__all__ = ["SQLiteAdapter"]
