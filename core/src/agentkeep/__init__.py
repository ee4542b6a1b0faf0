"""Agentkeep keeps the sessions and messages of AI agents, in the database that a team already runs.

`logging.getLogger("agentkeep")` tells of what happens in silence: retries and migrations at INFO, sweeps at INFO if
they removed something, opening and closing at DEBUG. No content of messages and no password stands in it (ERR-3).
"""

from agentkeep._drafts import SessionFields, SessionFilters, SessionUpdate
from agentkeep._message_drafts import MessageUpdate
from agentkeep.capabilities import Capabilities
from agentkeep.config import from_config
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
    Refused,
    SchemaMissing,
    SchemaTooNew,
    SessionNotFound,
    StateTooNew,
    Unavailable,
)
from agentkeep.keep import Keep, View, connect
from agentkeep.models import Appended, Health, Hit, Message, NewMessage, Page, Resumed, Session, Status
from agentkeep.protocol import AdapterFactory, MessageRepository, PersistenceAdapter, SessionRepository
from agentkeep.records import Stored
from agentkeep.sessions import Order

__all__ = [
    "AdapterFactory",
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
    "MessageUpdate",
    "NewMessage",
    "Order",
    "OutcomeUnknown",
    "Page",
    "PersistenceAdapter",
    "PersistenceError",
    "Refused",
    "Resumed",
    "SchemaMissing",
    "SchemaTooNew",
    "Session",
    "SessionFields",
    "SessionFilters",
    "SessionNotFound",
    "SessionRepository",
    "SessionUpdate",
    "StateTooNew",
    "Status",
    "Stored",
    "Unavailable",
    "View",
    "connect",
    "from_config",
]
