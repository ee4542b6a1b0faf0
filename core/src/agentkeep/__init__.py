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
from agentkeep.models import Appended, Health, Hit, Message, NewMessage, Page, Resumed, Session, Status
from agentkeep.protocol import MessageRepository, PersistenceAdapter, SessionRepository

__all__ = [
    "AdapterNotInstalled",
    "AlreadyExists",
    "Appended",
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
    "Resumed",
    "SchemaMissing",
    "SchemaTooNew",
    "Session",
    "SessionNotFound",
    "SessionRepository",
    "Status",
    "Unavailable",
    "connect",
]
