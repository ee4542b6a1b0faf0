"""Agentkeep keeps the sessions and messages of AI agents, in the database that a team already runs."""

from agentkeep.capabilities import Capabilities
from agentkeep.errors import (
    AdapterNotInstalled,
    AlreadyExists,
    CapabilityNotSupported,
    Closed,
    ConfigurationError,
    Conflict,
    Corrupt,
    InvalidInput,
    LimitExceeded,
    MessageNotFound,
    OutcomeUnknown,
    PersistenceError,
    SchemaMissing,
    SchemaTooNew,
    SessionNotFound,
    Unavailable,
)
from agentkeep.keep import Keep, connect
from agentkeep.models import Health, Hit, Message, NewMessage, Page, Session
from agentkeep.protocol import MessageRepository, PersistenceAdapter, SessionRepository

__all__ = [
    "AdapterNotInstalled",
    "AlreadyExists",
    "Capabilities",
    "CapabilityNotSupported",
    "Closed",
    "ConfigurationError",
    "Conflict",
    "Corrupt",
    "Health",
    "Hit",
    "InvalidInput",
    "Keep",
    "LimitExceeded",
    "Message",
    "MessageNotFound",
    "MessageRepository",
    "NewMessage",
    "OutcomeUnknown",
    "Page",
    "PersistenceAdapter",
    "PersistenceError",
    "SchemaMissing",
    "SchemaTooNew",
    "Session",
    "SessionNotFound",
    "SessionRepository",
    "Unavailable",
    "connect",
]
