"""Agentkeep's PostgreSQL adapter."""

from agentkeep_postgres.adapter import PostgresAdapter

__all__ = ["PostgresAdapter"]
