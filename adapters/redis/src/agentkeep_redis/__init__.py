"""Agentkeep's Redis adapter: a single server, Sentinel, or a Redis Cluster."""

from agentkeep_redis.adapter import RedisAdapter

__all__ = ["RedisAdapter"]
