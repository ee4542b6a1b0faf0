"""Agentkeep's MongoDB adapter, over pymongo's `AsyncMongoClient`."""

from agentkeep_mongo.adapter import MongoAdapter

__all__ = ["MongoAdapter"]
