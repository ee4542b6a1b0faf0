"""What an error reply means that the table of statuses and types does not name (ERR-1, ERR-2)."""

from __future__ import annotations

import pytest
from agentkeep import PersistenceError, Refused, Unavailable
from agentkeep.spi.resend import Cause
from agentkeep_opensearch.errors import ServerError, cause_of, error_of


@pytest.mark.parametrize(
    ("status", "kind", "cause"),
    [
        (409, Refused, Cause.REFUSED),
        (499, Refused, Cause.REFUSED),
        (500, Unavailable, Cause.UNREADABLE),
        (501, Unavailable, Cause.UNREADABLE),
        (599, Unavailable, Cause.UNREADABLE),
    ],
)
def test_a_failure_of_the_server_may_have_come_after_the_write(
    status: int, kind: type[PersistenceError], cause: Cause
) -> None:
    """From 500 on a write may have happened, and another try may help; below, neither."""
    error = ServerError(status, "some_exception")
    assert cause_of(error) is cause
    assert type(error_of(error, "server")) is kind
