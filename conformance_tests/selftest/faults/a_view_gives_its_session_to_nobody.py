"""A write in a user's view may take the session's user away.

`or` in the place of a default: None was taken for "not given".
"""

from agentkeep import _drafts, _message_drafts, sessions
from agentkeep._drafts import SessionUpdate
from agentkeep.capabilities import Capabilities
from agentkeep.records import Scope, SessionChanges
from over import OverMemory, plant

FAMILY = "views"
CLAUSE = "ISO-1"


checked = _drafts.session_changes


def session_changes(fields: SessionUpdate, scope: Scope, capabilities: Capabilities) -> SessionChanges:
    names_nobody = fields.get("user_id", "") is None
    return checked(fields, Scope(scope.tenant) if names_nobody else scope, capabilities)


for module in (sessions, _message_drafts):
    plant(module, "session_changes", session_changes)


class TestFault(OverMemory):
    pass
