"""Which failures lead to a second sending, and which error is raised if there is none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from agentkeep.errors import Closed, ConfigurationError, OutcomeUnknown, PersistenceError, Unavailable
from agentkeep.spi.resend import Attempt, Cause, Effect, Resend

pytestmark = pytest.mark.anyio

SENT = True
NOT_SENT = False


class DriverError(Exception):
    def __init__(self, cause: Cause, text: str = "") -> None:
        super().__init__(text)
        self.cause = cause


def cause_of(error: Exception) -> Cause:
    assert isinstance(error, DriverError)
    return error.cause


def translate(error: Exception) -> PersistenceError:
    assert isinstance(error, DriverError)
    kind = ConfigurationError if error.cause is Cause.REFUSED else Unavailable
    return kind(f"duckdb: {error.cause.value}")


def resend(seconds: float | None = None) -> Resend:
    return Resend(server="duckdb", cause=cause_of, translate=translate, seconds=seconds)


Step = tuple[bool, Cause | PersistenceError | None]
"""Whether the statement was sent, and how that failed; None: it was answered."""


class Server:
    """Fails as its steps say, one for each attempt."""

    def __init__(self, *steps: Step, reused: bool = False) -> None:
        self._steps = list(steps)
        self._reused = reused
        self.attempts: list[Attempt] = []

    async def send(self, attempt: Attempt) -> str:
        self.attempts.append(attempt)
        is_sent, failure = self._steps.pop(0)
        if is_sent:
            attempt.sending(reused=self._reused)
        if isinstance(failure, Cause):
            raise DriverError(failure)
        if failure is not None:
            raise failure
        return "rows"

    @property
    def left(self) -> int:
        return len(self._steps)


ANSWERED: Step = (SENT, None)
EVERY = [Effect.READ, Effect.REPEATABLE, Effect.ONCE]


@pytest.mark.parametrize("effect", EVERY)
async def test_one_sending_is_enough_if_it_is_answered(effect: Effect) -> None:
    server = Server(ANSWERED)
    assert await resend(10.0).run(effect, server.send) == "rows"


@pytest.mark.parametrize("effect", EVERY)
@pytest.mark.parametrize("cause", [Cause.LOST, Cause.TIMEOUT])
async def test_what_was_not_sent_is_sent_again_once(effect: Effect, cause: Cause) -> None:
    assert await resend().run(effect, Server((NOT_SENT, cause), ANSWERED).send) == "rows"
    server = Server((NOT_SENT, cause), (NOT_SENT, cause), ANSWERED)
    with pytest.raises(Unavailable):
        await resend().run(effect, server.send)
    assert server.left == 1


@pytest.mark.parametrize(
    ("effect", "cause", "reused"),
    [
        (Effect.READ, Cause.LOST, False),
        (Effect.READ, Cause.LOST, True),
        (Effect.READ, Cause.TIMEOUT, True),
        (Effect.REPEATABLE, Cause.LOST, False),
    ],
)
async def test_it_is_sent_again_once_if_a_second_run_does_no_harm(effect: Effect, cause: Cause, reused: bool) -> None:
    server = Server((SENT, cause), ANSWERED, reused=reused)
    assert await resend().run(effect, server.send) == "rows"
    assert [attempt.needs_new_connection for attempt in server.attempts] == [False, True]
    assert server.attempts[1].may_have_run is (effect is Effect.REPEATABLE)


@pytest.mark.parametrize(
    ("effect", "cause", "raised"),
    [
        (Effect.READ, Cause.TIMEOUT, Unavailable),
        (Effect.READ, Cause.UNREADABLE, Unavailable),
        (Effect.REPEATABLE, Cause.TIMEOUT, OutcomeUnknown),
        (Effect.REPEATABLE, Cause.UNREADABLE, OutcomeUnknown),
        (Effect.ONCE, Cause.LOST, OutcomeUnknown),
        (Effect.ONCE, Cause.TIMEOUT, OutcomeUnknown),
        *((effect, Cause.REFUSED, ConfigurationError) for effect in EVERY),
    ],
)
async def test_it_is_not_sent_again_if_that_is_in_vain_or_harmful(
    effect: Effect, cause: Cause, raised: type[PersistenceError]
) -> None:
    server = Server((SENT, cause), ANSWERED)
    with pytest.raises(raised) as caught:
        await resend().run(effect, server.send)
    assert type(caught.value) is raised
    assert isinstance(caught.value.__cause__, DriverError)
    assert server.left == 1


@pytest.mark.parametrize(
    "second",
    [(SENT, Cause.LOST), (SENT, Cause.TIMEOUT), (SENT, Cause.REFUSED), (NOT_SENT, Cause.LOST), (NOT_SENT, Closed())],
)
async def test_after_a_write_without_an_answer_every_failure_is_an_unknown_outcome(second: Step) -> None:
    """ERR-2: an error reply to the second sending says nothing about the first."""
    with pytest.raises(OutcomeUnknown, match="may have happened"):
        await resend().run(Effect.REPEATABLE, Server((SENT, Cause.LOST), second).send)


async def test_a_lost_read_leaves_nothing_unknown() -> None:
    with pytest.raises(ConfigurationError):
        await resend().run(Effect.READ, Server((SENT, Cause.LOST), (SENT, Cause.REFUSED)).send)


async def test_our_own_errors_pass_as_they_are() -> None:
    closed = Closed("closed")
    with pytest.raises(Closed) as caught:
        await resend().run(Effect.ONCE, Server((NOT_SENT, closed)).send)
    assert caught.value is closed
    assert caught.value.__cause__ is None


async def test_a_redirection_counts_as_not_sent() -> None:
    steps: list[Callable[[Attempt], None]] = []

    async def send(attempt: Attempt) -> str:
        attempt.sending()
        steps.append(Attempt.did_nothing)
        if len(steps) == 1:
            attempt.did_nothing()  # "ask the other node"
            raise DriverError(Cause.LOST)
        return "rows"

    assert await resend().run(Effect.ONCE, send) == "rows"


async def test_contention_is_tried_again_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr("random.random", lambda: 1.0)
    server = Server(*[(SENT, Cause.CONTENTION)] * 7, ANSWERED)
    assert await resend().run(Effect.ONCE, server.send) == "rows"
    assert pauses == [0.01 * 2**number for number in range(1, 8)]
    with pytest.raises(Unavailable):
        await resend().run(Effect.ONCE, Server(*[(SENT, Cause.CONTENTION)] * 8, ANSWERED).send)


async def test_contention_is_not_tried_beyond_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    server = Server(*[(SENT, Cause.CONTENTION)] * 8)
    with pytest.raises(Unavailable, match="contention"):
        await resend(0.015).run(Effect.ONCE, server.send)
    assert server.left == 7


@pytest.mark.parametrize(
    ("effect", "is_sent", "raised", "text"),
    [
        (Effect.ONCE, NOT_SENT, Unavailable, "no connection was free within 0.01 seconds"),
        (Effect.REPEATABLE, SENT, OutcomeUnknown, "no answer came within 0.01 seconds"),
        (Effect.READ, SENT, Unavailable, "no answer came within 0.01 seconds"),
    ],
)
async def test_the_deadline_bounds_the_whole_call(
    effect: Effect, is_sent: bool, raised: type[PersistenceError], text: str
) -> None:
    """FLT-5: the wait for a connection is included."""

    async def send(attempt: Attempt) -> str:
        if is_sent:
            attempt.sending()
        await asyncio.sleep(60)
        return "never"

    async with asyncio.timeout(5):
        with pytest.raises(raised, match=text) as caught:
            await resend(0.01).run(effect, send)
    assert type(caught.value) is raised


async def test_a_read_on_a_silent_connection_has_time_left_for_a_new_one() -> None:
    """FLT-2 and FLT-5 together: the first attempt takes half of the time."""
    started = asyncio.get_running_loop().time()

    async def send(attempt: Attempt) -> str:
        attempt.sending(reused=not attempt.needs_new_connection)
        if not attempt.needs_new_connection:
            await asyncio.sleep(60)
        return "rows"

    assert await resend(0.2).run(Effect.READ, send) == "rows"
    assert 0.09 < asyncio.get_running_loop().time() - started < 5


async def test_a_connection_that_comes_too_late_is_no_error_of_its_own() -> None:
    async def send(attempt: Attempt) -> str:
        try:
            await asyncio.sleep(60)
        finally:
            attempt.sending(reused=True)
        return "never"

    with pytest.raises(Unavailable) as caught:
        await resend(0.01).run(Effect.READ, send)
    assert isinstance(caught.value.__cause__, TimeoutError)


async def test_cancelling_passes_through_and_sends_nothing_again() -> None:
    attempts: list[Attempt] = []

    async def send(attempt: Attempt) -> str:
        attempts.append(attempt)
        attempt.sending()
        await asyncio.sleep(60)
        return "never"

    task = asyncio.create_task(resend(10).run(Effect.READ, send))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(attempts) == 1


async def test_an_adapter_that_forgets_to_say_that_it_sends_is_told_at_its_first_call() -> None:
    async def send(attempt: Attempt) -> str:
        return "rows"

    with pytest.raises(RuntimeError, match=r"attempt\.sending"):
        await resend().run(Effect.ONCE, send)


async def test_a_silent_retry_is_logged_without_the_errors_text(caplog: pytest.LogCaptureFixture) -> None:
    """ERR-3: the text of a driver's error may hold content."""

    async def send(attempt: Attempt) -> str:
        attempt.sending()
        if not attempt.needs_new_connection:
            raise DriverError(Cause.LOST, "Key (id)=(secret)")
        return "rows"

    with caplog.at_level(logging.INFO, logger="agentkeep"):
        await resend().run(Effect.READ, send)
    assert caplog.messages == ["duckdb: a read is sent again after DriverError"]


@pytest.mark.parametrize("is_sent", [SENT, NOT_SENT])
async def test_the_deadline_is_one_for_all_attempts(is_sent: bool) -> None:
    attempts: list[float] = []
    clock = asyncio.get_running_loop().time
    started = clock()

    async def send(attempt: Attempt) -> str:
        attempts.append(clock())
        if is_sent:
            attempt.sending()
        await asyncio.sleep(0.4)
        raise DriverError(Cause.LOST)

    with pytest.raises(Unavailable):
        await resend(0.5).run(Effect.READ, send)
    assert len(attempts) == 2
    assert clock() - started < 0.75
