"""One table from the server's codes and the driver's own failures to ours (ERR-1, ERR-2). Texts decide nothing."""

from __future__ import annotations

from agentkeep.errors import (
    ConfigurationError,
    Corrupt,
    OutcomeUnknown,
    PersistenceError,
    Refused,
    SchemaMissing,
    Unavailable,
)
from agentkeep.spi.resend import Cause
from bson.errors import BSONError
from pymongo import errors as driver
from pymongo.topology_description import TopologyDescription

DRIVER_ERRORS = (driver.PyMongoError, BSONError, OSError, OverflowError)
"""What pymongo raises."""

DUPLICATE_KEY = 11000

_STEPPED_DOWN = frozenset({10107, 10058, 13435, 13436})
"""The server is no primary and did nothing: another one is about to be."""
_INTERRUPTED = frozenset({6, 7, 89, 91, 189, 9001, 11600, 11602})
"""The server went away or stepped down while it was at work."""
_TOO_LATE = frozenset({50, 64, 202, 262})
"""MaxTimeMSExpired, WriteConcernFailed, ExceededTimeLimit: it may be done, or not yet everywhere."""
_CONTENTION = frozenset({112, 246, 24})
"""WriteConflict, SnapshotUnavailable, LockTimeout."""

_TOO_LARGE = frozenset({4568, 10334})
"""What a `$lookup` found exceeds 100 MB, or the document with it 16 MiB (seen on 6.0.5)."""

_BY_CODE: dict[int, type[ConfigurationError | SchemaMissing | Unavailable | Refused]] = {
    13: ConfigurationError,  # Unauthorized
    18: ConfigurationError,  # AuthenticationFailed
    8000: ConfigurationError,  # Atlas: wrong user or password
    26: SchemaMissing,  # NamespaceNotFound
    2: Refused,  # BadValue
    9: Refused,  # FailedToParse
    121: Refused,  # DocumentValidationFailure
    10334: Refused,  # BSONObjectTooLarge
    17280: Refused,  # KeyTooLong
    17419: Refused,  # the updated document is too large
    20: Refused,  # IllegalOperation
    115: Refused,  # CommandNotSupported
}
"""Any other code is `Unavailable`: the server answered that it did not do it."""


def code_of(error: BaseException) -> int | None:
    """The server's code; None if the error is not the server's."""
    return error.code if isinstance(error, driver.OperationFailure) else None


def is_duplicate(error: BaseException) -> bool:
    return code_of(error) == DUPLICATE_KEY


def is_too_large(error: BaseException) -> bool:
    """Whether a read failed because its result does not fit into one document."""
    return error.__cause__ is not None and code_of(error.__cause__) in _TOO_LARGE


def duplicates(error: driver.BulkWriteError) -> list[int] | None:
    """Which documents of a bulk insert were there already. None: it failed for another reason too."""
    details, refused = error.details, error.details.get("writeErrors", ())
    if details.get("writeConcernErrors") or any(each["code"] != DUPLICATE_KEY for each in refused):
        return None
    return [each["index"] for each in refused]


def was_not_sent(error: BaseException) -> bool:
    """Whether the statement can't have reached a server."""
    if isinstance(error, driver.ServerSelectionTimeoutError | driver.WaitQueueTimeoutError):
        return True
    return isinstance(error, driver.ConnectionFailure) and isinstance(
        error.__cause__ or error.__context__, ConnectionRefusedError
    )


def cause_of(error: Exception) -> Cause:
    if isinstance(error, driver.WriteConcernError | driver.WTimeoutError):
        return Cause.LOST
    code = code_of(error)
    if isinstance(error, driver.NotPrimaryError) or code in _STEPPED_DOWN:
        return Cause.CONTENTION if code_in_details(error) in _STEPPED_DOWN else Cause.LOST
    if isinstance(error, driver.NetworkTimeout | driver.ExecutionTimeout) or code in _TOO_LATE:
        return Cause.TIMEOUT
    if isinstance(error, driver.ServerSelectionTimeoutError | driver.WaitQueueTimeoutError):
        return Cause.REFUSED  # the driver has waited as long as the options say, and sent nothing
    if isinstance(error, driver.ConnectionFailure | OSError) or code in _INTERRUPTED:
        return Cause.LOST
    if code in _CONTENTION:
        return Cause.CONTENTION
    if isinstance(error, BSONError) and not isinstance(error, OverflowError):
        return Cause.UNREADABLE
    return Cause.REFUSED


def code_in_details(error: BaseException) -> int | None:
    """A `NotPrimaryError` has its code in the server's reply."""
    details = getattr(error, "details", None)
    return details.get("code") if isinstance(details, dict) else code_of(error)  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]


def error_of(error: Exception, server: str, topology: TopologyDescription) -> PersistenceError:
    """Our error for a driver's after which nothing was written."""
    if isinstance(error, driver.ServerSelectionTimeoutError) and _is_untrusted(topology):
        return ConfigurationError(f"{server}: its certificate is not trusted: see tlsCAFile in the URL")
    if isinstance(error, driver.WriteConcernError | driver.WTimeoutError):
        return OutcomeUnknown(f"{server}: written, but not confirmed by a majority of the replica set")
    if isinstance(error, driver.ConfigurationError | driver.InvalidURI):
        return ConfigurationError(f"{server}: {error}")
    if isinstance(error, driver.DocumentTooLarge | driver.InvalidOperation):
        return Refused(f"{server}: {_why(error)}")
    if isinstance(error, BSONError):
        return Corrupt(server, type(error).__name__)
    kind = _BY_CODE.get(code_of(error) or 0, Unavailable)
    return kind(f"{server}: {_why(error)}")


def _is_untrusted(topology: TopologyDescription) -> bool:
    """Whether the driver left all servers because of their certificates: of the cause it keeps only the text."""
    texts = [str(each.error) for each in topology.server_descriptions().values()]
    return bool(texts) and all("CERTIFICATE_VERIFY_FAILED" in text for text in texts)


def _why(error: Exception) -> str:
    """The code and its name. The server's own sentence may quote a stored value (ERR-3)."""
    if isinstance(error, driver.OperationFailure):
        name = (error.details or {}).get("codeName", "")
        return f"the server answered {error.code} {name}".rstrip()
    if isinstance(error, driver.ServerSelectionTimeoutError):
        return "no server could be reached that takes writes"
    if isinstance(error, driver.WaitQueueTimeoutError):
        return "no connection was free (option max_connections)"
    if isinstance(error, driver.AutoReconnect):
        return "the connection was lost"
    return type(error).__name__
