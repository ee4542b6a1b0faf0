"""OpenSearch's errors to ours, by status and type, in one table (ERR-1, ERR-2). No text of a message decides."""

from __future__ import annotations

import json
import ssl
from contextlib import suppress
from typing import Any, cast

from agentkeep.errors import (
    ConfigurationError,
    PersistenceError,
    Refused,
    SchemaMissing,
    Unavailable,
)
from agentkeep.spi.resend import Cause
from opensearchpy.exceptions import (
    ConnectionError,
    ConnectionTimeout,
    OpenSearchException,
    SerializationError,
    TransportError,
)

_TYPES: dict[str, tuple[Cause, type[PersistenceError]]] = {
    "index_not_found_exception": (Cause.REFUSED, SchemaMissing),
    "alias_not_found_exception": (Cause.REFUSED, SchemaMissing),
    "cluster_block_exception": (Cause.REFUSED, Unavailable),
    "circuit_breaking_exception": (Cause.CONTENTION, Unavailable),
    "process_cluster_event_timeout_exception": (Cause.TIMEOUT, Unavailable),
    "no_shard_available_action_exception": (Cause.REFUSED, Unavailable),
    "unavailable_shards_exception": (Cause.REFUSED, Unavailable),
}
"""By the error's type, which comes first."""

_STATUSES: dict[int, tuple[Cause, type[PersistenceError]]] = {
    400: (Cause.REFUSED, Refused),
    401: (Cause.REFUSED, ConfigurationError),
    403: (Cause.REFUSED, ConfigurationError),
    404: (Cause.REFUSED, Refused),
    405: (Cause.REFUSED, ConfigurationError),
    408: (Cause.REFUSED, Unavailable),
    413: (Cause.REFUSED, Refused),
    429: (Cause.CONTENTION, Unavailable),
    502: (Cause.UNREADABLE, Unavailable),
    503: (Cause.REFUSED, Unavailable),
    504: (Cause.TIMEOUT, Unavailable),
}
"""By the HTTP status. Another one of 500 and more may come after a write: its outcome is unknown."""


class ServerError(Exception):
    """An error reply, of a request or of one item of a bulk request. Its text holds no content (ERR-3)."""

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(f"status {status}, {kind}")
        self.status = status
        self.kind = kind


def server_error(error: TransportError) -> ServerError:
    """One of opensearch-py's two connection classes parses the reply's body; the other leaves its text."""
    body: Any = error.info
    if body is None:
        with suppress(ValueError):
            body = json.loads(str(error.error))
    return reply_error(int(error.status_code), body)


def reply_error(status: int, body: Any) -> ServerError:
    found = cast("dict[str, Any]", body).get("error") if isinstance(body, dict) else None
    kind = cast("dict[str, Any]", found).get("type") if isinstance(found, dict) else None
    return ServerError(status, str(kind or "no type"))


def _rule(error: ServerError) -> tuple[Cause, type[PersistenceError]]:
    rule = _TYPES.get(error.kind) or _STATUSES.get(error.status)
    return rule or ((Cause.UNREADABLE, Unavailable) if error.status >= 500 else (Cause.REFUSED, Refused))


def cause_of(error: Exception) -> Cause:
    """Why a sending failed, for the resend policy."""
    if isinstance(error, ServerError):
        return _rule(error)[0]
    if isinstance(error, ConnectionTimeout | TimeoutError):
        return Cause.TIMEOUT
    if isinstance(error, ConnectionError | OSError):
        return Cause.LOST
    if isinstance(error, SerializationError):
        return Cause.UNREADABLE
    return Cause.REFUSED


def error_of(error: Exception, server: str) -> PersistenceError:
    """Our error for one after which nothing has run."""
    if isinstance(error, ServerError):
        kind = _rule(error)[1]
        hint = _HINTS.get(kind, "")
        return kind(f"{server}: {error}{hint}")
    if _is_certificate(error):
        return ConfigurationError(f"{server}: its certificate is not trusted: see the option ca_certs")
    if isinstance(error, RuntimeError) and not isinstance(error, OpenSearchException):
        return ConfigurationError(f"{server}: {error}: a client belongs to one event loop; make one in each loop")
    reason = getattr(getattr(error, "info", None), "os_error", None) or type(error).__name__
    return Unavailable(f"{server}: {reason}")


_HINTS: dict[type[PersistenceError], str] = {
    ConfigurationError: ": check the user, the password and the rights of this user",
    SchemaMissing: ": open it once with manage_schema=True",
}


def _is_certificate(error: BaseException) -> bool:
    seen: list[BaseException | None] = [error, error.__cause__, error.__context__]
    seen += [info for info in getattr(error, "args", ()) if isinstance(info, BaseException)]
    return any(
        isinstance(each, ssl.SSLCertVerificationError)
        or isinstance(getattr(each, "certificate_error", None), ssl.SSLCertVerificationError)
        for each in seen
        if each is not None
    )
