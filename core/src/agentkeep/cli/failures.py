"""How a command fails: a sentence for stderr and an exit code for the shell."""

from __future__ import annotations

from agentkeep.errors import (
    CapabilityNotSupported,
    ConfigurationError,
    InvalidInput,
    LimitExceeded,
    OutcomeUnknown,
    PersistenceError,
    SchemaMissing,
    SchemaTooNew,
    Unavailable,
)

REFUSED = 1
"""Not found, or refused because of what is stored: trying again changes nothing."""
USAGE = 2
"""The command, its input, the configuration or the schema is wrong: somebody has to correct it first."""
NO_DATABASE = 3
"""The database can't be reached or did not answer: a script may try again."""
INTERRUPTED = 130
"""Ctrl-C, as shells count it."""
PIPE_CLOSED = 141
"""The reader of our output went away, as shells count it."""

_CODES: tuple[tuple[type[PersistenceError], int], ...] = (
    (LimitExceeded, REFUSED),
    (InvalidInput, USAGE),
    (ConfigurationError, USAGE),
    (SchemaMissing, USAGE),
    (SchemaTooNew, USAGE),
    (Unavailable, NO_DATABASE),
    (OutcomeUnknown, NO_DATABASE),
)


class CommandError(Exception):
    """A command can't go on. Its text is one sentence for the user."""

    def __init__(self, sentence: str, code: int = USAGE) -> None:
        super().__init__(sentence)
        self.code = code


def sentence(error: PersistenceError) -> str:
    """The error for somebody who does not use Python."""
    if isinstance(error, CapabilityNotSupported):
        return f"this database does not offer {error.name!r}: `agentkeep doctor` shows what it offers"
    return str(error)


def exit_code(error: PersistenceError) -> int:
    """By the first class of the table that fits; any other error means that the call was refused."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), REFUSED)
