"""Every error that leaves Agentkeep (ERR-1). A driver's own exception is kept as `__cause__`.

    PersistenceError
    ├── InvalidInput                  the call is wrong; nothing was written
    │   └── LimitExceeded             over a declared limit; nothing was written
    ├── ConfigurationError            a wrong URL or option
    │   └── AdapterNotInstalled       no installed package serves the URL's scheme
    ├── SessionNotFound, MessageNotFound
    ├── AlreadyExists
    ├── Conflict                      somebody else wrote first; nothing of this call was stored
    ├── CapabilityNotSupported        this adapter does not offer it; nothing was touched
    ├── Unavailable                   nothing was written: retry freely
    ├── Refused                       nothing was written: retrying will not help
    ├── OutcomeUnknown                something may have been written: retry with the same message ids
    ├── Corrupt                       a stored record can't be read
    ├── SchemaMissing, SchemaTooNew
    ├── StateTooNew                   a newer release of the agent stored this session's data
    └── Closed

No message holds a password or stored content (ERR-3): a URL passes through `agentkeep.spi.urls.redact` first.
Every error pickles, and the copy equals the original: same class, same message, same attributes (ERR-5).
"""

from __future__ import annotations

from typing import Any, Literal, Self, cast

ConflictKind = Literal["version", "last_seq", "message_id", "batch", "content"]
"""What a `Conflict` is about: the session's version or last seq; a message id that is stored with other content; a
batch of which only some ids are stored; the content of a message that others keep changing during an update."""


class PersistenceError(Exception):
    """The root of all errors that Agentkeep raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _copy, (type(self), self.args, self.__dict__)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        return self.args == cast("PersistenceError", other).args and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), str(self)))


def _copy(kind: type[PersistenceError], args: tuple[Any, ...], attributes: dict[str, Any]) -> PersistenceError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(attributes)
    return error


class InvalidInput(PersistenceError):
    """The call can't be right, whatever is stored. Raised before anything is written."""


class LimitExceeded(InvalidInput):
    """Something exceeds a limit of the adapter or of the contract (FID-4, CNT-2). Nothing was written."""

    def __init__(self, what: str, *, limit: int, actual: int) -> None:
        super().__init__(f"{what}: {actual:,} is over the limit of {limit:,}")
        self.limit = limit
        self.actual = actual


class ConfigurationError(PersistenceError):
    """A URL or an option is wrong; the message says what would be right."""


class AdapterNotInstalled(ConfigurationError):
    """No installed package serves the URL's scheme; the message says the pip command."""


class SessionNotFound(PersistenceError):
    """The session is absent, expired, deleted or belongs to another tenant or user (SES-4, TTL-1, ISO-1)."""

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
    """This tenant has a living session of that id, and the call may not use it; it was not changed (SES-1, ISO-4)."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} exists already")
        self.session_id = session_id


class Conflict(PersistenceError):
    """A stale writer, or a message id that is stored with other content. Nothing was stored (ORD-4, IDEM-1).

    `kind` says what it is about. `expected` and `actual` are the two versions, the two seqs, or descriptions.
    """

    def __init__(self, kind: ConflictKind, what: str, *, expected: object, actual: object) -> None:
        super().__init__(f"{what}: expected {expected}, found {actual}")
        self.kind: ConflictKind = kind
        self.expected = expected
        self.actual = actual


class CapabilityNotSupported(PersistenceError):
    """The adapter does not declare this capability. Nothing was touched."""

    def __init__(self, name: str, adapter: str = "this adapter") -> None:
        super().__init__(f"{adapter} does not offer {name!r}; `keep.capabilities` says what it offers")
        self.name = name


class Unavailable(PersistenceError):
    """The database can't be reached or can't work at the moment, and nothing was written: retry freely (ERR-2)."""


class Refused(PersistenceError):
    """The database refused the statement, and nothing was written; the same call will be refused again (ERR-2).

    A right is missing, a constraint or a limit of the server forbids it, or our statement is wrong.
    """


class OutcomeUnknown(PersistenceError):
    """Something may have been written (ERR-2). Retry with the same message ids: it is applied once in all (IDEM-1).

    `done`: for verbs that work in batches, how many sessions were removed before (delete_many, delete_user, sweep).
    """

    def __init__(self, what: str, *, done: int = 0) -> None:
        super().__init__(what)
        self.done = done

    def after(self, done: int) -> Self:
        """The same error of a call that had removed `done` sessions in its earlier batches."""
        error = type(self)(str(self), done=self.done + done)
        error.__cause__ = self.__cause__
        return error


class Corrupt(PersistenceError):
    """A stored record can't be read. It was neither skipped nor overwritten (ERR-4)."""

    def __init__(self, record: str, why: str = "") -> None:
        super().__init__(f"stored record can't be read: {record}{f' ({why})' if why else ''}")
        self.record = record


class SchemaMissing(PersistenceError):
    """The database has no Agentkeep schema and `manage_schema` is off (LIFE-1)."""


class SchemaTooNew(PersistenceError):
    """The database was migrated by a newer Agentkeep, and this one is too old to use it (LIFE-4)."""

    def __init__(self, *, found: int, known: int, oldest: int | None = None) -> None:
        least = found if oldest is None else oldest
        super().__init__(
            f"the database's schema is version {found}, which needs an Agentkeep that knows version {least} or newer; "
            f"this one knows version {known}: upgrade Agentkeep"
        )
        self.found = found
        self.known = known
        self.oldest = least


class StateTooNew(PersistenceError):
    """A newer release of the agent stored this session's data, and this one can't read it. Nothing was changed."""

    def __init__(self, session_id: str, *, found: int, known: int) -> None:
        super().__init__(
            f"session {session_id!r} has data of schema version {found}, and this agent knows version {known}: "
            "upgrade the agent"
        )
        self.session_id = session_id
        self.found = found
        self.known = known


class Closed(PersistenceError):
    """Used before `open` or after `close` (LIFE-2)."""
