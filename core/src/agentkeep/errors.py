"""Every error that leaves Agentkeep (ERR-1). A driver's own exception is kept as `__cause__`.

    PersistenceError
    ├── InvalidInput                  the call is wrong; nothing was written
    │   └── LimitExceeded             over a declared limit; nothing was written
    ├── ConfigurationError            a bad URL or option
    │   └── AdapterNotInstalled       the URL's scheme has no adapter here
    ├── SessionNotFound, MessageNotFound
    ├── AlreadyExists
    ├── Conflict                      somebody else wrote first; nothing of this call landed
    ├── CapabilityNotSupported        this adapter does not offer it; nothing was touched
    ├── Unavailable                   nothing was written: retry freely
    ├── OutcomeUnknown                may have been written: retry with the same message ids
    ├── Corrupt                       a stored record can't be read
    ├── SchemaMissing, SchemaTooNew
    └── Closed

No message ever holds a password (ERR-3): URLs pass through `agentkeep.spi.urls.redact` first.
"""


class PersistenceError(Exception):
    """The root of all errors that Agentkeep raises."""


class InvalidInput(PersistenceError):
    """The call can't be right, whatever is stored. Raised before anything is written."""


class LimitExceeded(InvalidInput):
    """Something is larger than the adapter's declared limit (FID-4). Raised before anything is written."""

    def __init__(self, what: str, *, limit: int, actual: int) -> None:
        super().__init__(f"{what}: {actual:,} is over this adapter's limit of {limit:,}")
        self.limit = limit
        self.actual = actual


class ConfigurationError(PersistenceError):
    """A URL or an option is wrong; the message says what would be right."""


class AdapterNotInstalled(ConfigurationError):
    """No installed package answers to the URL's scheme; the message says the pip command."""


class SessionNotFound(PersistenceError):
    """The session is absent, expired, deleted or not this tenant's or user's (SES-4, TTL-1, ISO-1)."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"no session {session_id!r} here")
        self.session_id = session_id


class MessageNotFound(PersistenceError):
    """The session exists and holds no message of that id."""

    def __init__(self, session_id: str, message_id: str) -> None:
        super().__init__(f"no message {message_id!r} in session {session_id!r}")
        self.session_id = session_id
        self.message_id = message_id


class AlreadyExists(PersistenceError):
    """`create` or `fork` met a living session of that id in this tenant; it was not changed (SES-1)."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} exists already")
        self.session_id = session_id


class Conflict(PersistenceError):
    """A stale writer, or a message id that is stored with other content. Nothing of the call landed (ORD-4, IDEM-1).

    `expected` and `actual` are the two versions, the two seqs, or descriptions of the two contents.
    """

    def __init__(self, what: str, *, expected: object, actual: object) -> None:
        super().__init__(f"{what}: expected {expected}, found {actual}")
        self.expected = expected
        self.actual = actual


class CapabilityNotSupported(PersistenceError):
    """The adapter does not declare this capability. Nothing was touched."""

    def __init__(self, name: str, adapter: str = "this adapter") -> None:
        super().__init__(f"{adapter} does not offer {name!r}; `keep.capabilities` says what it does")
        self.name = name


class Unavailable(PersistenceError):
    """The database can't be reached or refused to work, and nothing was written: retry freely (ERR-2)."""


class OutcomeUnknown(PersistenceError):
    """The write may have happened. Retry with the same message ids: it is applied once in all (ERR-2, IDEM-1)."""


class Corrupt(PersistenceError):
    """A stored record can't be read. It was neither skipped nor overwritten (ERR-4)."""

    def __init__(self, record: str, why: str = "") -> None:
        super().__init__(f"stored record can't be read: {record}{f' ({why})' if why else ''}")
        self.record = record


class SchemaMissing(PersistenceError):
    """The database has no Agentkeep schema and `manage_schema` is off (LIFE-1)."""


class SchemaTooNew(PersistenceError):
    """The database was migrated by a newer Agentkeep than this one (LIFE-1)."""

    def __init__(self, *, found: int, known: int) -> None:
        super().__init__(f"the database's schema is version {found}, this Agentkeep knows {known}: upgrade Agentkeep")
        self.found = found
        self.known = known


class Closed(PersistenceError):
    """Used before `open` or after `close` (LIFE-2)."""
