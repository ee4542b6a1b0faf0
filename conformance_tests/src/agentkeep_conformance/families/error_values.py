"""Errors as values: equal after pickling, of a named kind, without content; and how far a call came (ERR-2…5)."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from agentkeep import (
    AdapterNotInstalled,
    AlreadyExists,
    CapabilityNotSupported,
    Closed,
    ConfigurationError,
    Conflict,
    Corrupt,
    InvalidInput,
    Keep,
    LimitExceeded,
    MessageNotFound,
    NewMessage,
    OutcomeUnknown,
    PersistenceAdapter,
    PersistenceError,
    Refused,
    SchemaMissing,
    SchemaTooNew,
    SessionNotFound,
    StateTooNew,
    Unavailable,
    View,
    errors,
)
from agentkeep.records import Scope

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.delegating import Delegating
from agentkeep_conformance.samples import numbered, said, whole

SECRET = "s3cr3t-c0ntent"

_ERRORS: list[PersistenceError] = [
    PersistenceError("a"),
    InvalidInput("a"),
    LimitExceeded("a message", limit=5, actual=6),
    ConfigurationError("a"),
    AdapterNotInstalled("a"),
    SessionNotFound("s"),
    MessageNotFound("s", "m"),
    AlreadyExists("s"),
    Conflict("version", "the version", expected=1, actual=2),
    Conflict("content", "the content", expected="some", actual="other"),
    CapabilityNotSupported("search", "the x adapter"),
    Unavailable("a"),
    Refused("a"),
    OutcomeUnknown("a", done=3),
    Corrupt("message 'm'", "why"),
    SchemaMissing("a"),
    SchemaTooNew(found=9, known=2, oldest=5),
    StateTooNew("s", found=9, known=2),
    Closed("a"),
]

Call = Callable[[View], Awaitable[Any]]

CONFLICTS: dict[str, tuple[Call, str, Any, Any]] = {
    "update": (lambda keep: keep.sessions.update("s", title="t", expected_version=7), "version", 7, 1),
    "delete": (lambda keep: keep.sessions.delete("s", expected_version=7), "version", 7, 1),
    "append at a version": (lambda keep: keep.messages.append("s", [said()], expected_version=7), "version", 7, 1),
    "append to what is to be new": (
        lambda keep: keep.messages.append("s", [said()], create={}, expected_version=0),
        "version",
        0,
        1,
    ),
    "append to what is not there": (
        lambda keep: keep.messages.append("new", [said()], create={}, expected_version=7),
        "version",
        7,
        0,
    ),
    "append behind a seq": (lambda keep: keep.messages.append("s", [said()], expected_last_seq=9), "last_seq", 9, 2),
    "append with other content": (
        lambda keep: keep.messages.append("s", [said("other", id="m1")]),
        "message_id",
        None,
        None,
    ),
    "append of other roles": (
        lambda keep: keep.messages.append("s", [NewMessage(role="tool", content="text 1", id="m1")]),
        "message_id",
        None,
        None,
    ),
    "append of a batch that is stored in part": (
        lambda keep: keep.messages.append("s", [*numbered(2), said(id="new")]),
        "batch",
        None,
        None,
    ),
}
"""A call on a session with two messages, the kind of its conflict, and what was expected and found. A version of 1
stands for the session's own, which is not said by the contract."""

_SECRETS: dict[str, Call] = {
    "other content": lambda keep: keep.messages.append("s", [said(f"{SECRET}!", id="m")]),
    "a part of a batch": lambda keep: keep.messages.append("s", [said(SECRET, id="m"), said(SECRET, id="n")]),
    "a stale version": lambda keep: keep.sessions.update("s", title=SECRET, expected_version=9),
    "a stale seq": lambda keep: keep.messages.append("s", [said(SECRET)], expected_last_seq=9),
    "an existing id": lambda keep: keep.sessions.create("s", title=SECRET, state={SECRET: SECRET}),
    "a lone surrogate": lambda keep: keep.messages.append("s", [said(f"{SECRET}\ud800")]),
    "a lone surrogate in a title": lambda keep: keep.sessions.update("s", title=f"{SECRET}\ud800"),
    "a lone surrogate in a state": lambda keep: keep.sessions.update("s", state={"k": f"{SECRET}\ud800"}),
    "not a number": lambda keep: keep.messages.append("s", [said([SECRET, float("nan")])]),
    "a value that is no JSON": lambda keep: keep.messages.append("s", [said([SECRET, {SECRET}])]),
    "content of a wrong type": lambda keep: keep.messages.append("s", [said({"a": SECRET})]),
    "a state of a wrong type": lambda keep: keep.sessions.update("s", state=[SECRET]),  # type: ignore[arg-type]
    "metadata of a wrong type": lambda keep: keep.messages.update("s", "m", metadata=SECRET),  # type: ignore[arg-type]
    "a title of a wrong type": lambda keep: keep.sessions.update("s", title=[SECRET]),  # type: ignore[arg-type]
    "tool calls of a wrong type": lambda keep: keep.messages.update("s", "m", tool_calls=SECRET),  # type: ignore[arg-type]
    "too much of it": lambda keep: keep.messages.append("s", [said(SECRET * 4_000_000)]),
    "too many labels": lambda keep: keep.sessions.update("s", metadata={f"{SECRET}{n}": n for n in range(2_001)}),
    "a naive time": lambda keep: keep.messages.append("s", [said([SECRET], created_at="yesterday")]),
}
"""Calls that fail, with content that no error may show."""

_STEPS: dict[str, tuple[str, Call]] = {
    "delete_many": ("delete_many", lambda keep: keep.sessions.delete_many(user_id="u")),
    "delete_user": ("delete_many", lambda keep: keep.sessions.delete_user("u")),
    "sweep": ("sweep", lambda keep: keep.sweep()),
}
"""A verb that works in steps, and the adapter's method that does one of them."""


def _pickled(error: PersistenceError) -> list[PersistenceError]:
    protocols = range(2, pickle.HIGHEST_PROTOCOL + 1)
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in protocols]  # noqa: S301 - our own bytes
    return [*copies, copy.copy(error), copy.deepcopy(error)]


class ErrorValues:
    @proves("ERR-5")
    @pytest.mark.parametrize("error", _ERRORS, ids=lambda error: f"{type(error).__name__}-{error}"[:40])
    async def test_every_error_pickles_and_is_equal(self, error: PersistenceError) -> None:
        for copied in _pickled(error):
            assert type(copied) is type(error)
            assert copied == error
            assert hash(copied) == hash(error)
            assert (str(copied), copied.args, vars(copied)) == (str(error), error.args, vars(error))
        assert [other for other in _ERRORS if other == error] == [error]

    @proves("ERR-5")
    async def test_no_error_is_left_out(self) -> None:
        classes = {kind for kind in vars(errors).values() if isinstance(kind, type)}
        ours = {kind for kind in classes if issubclass(kind, PersistenceError)}
        assert ours == {type(error) for error in _ERRORS}

    @proves("ERR-5", "ORD-4", "SES-2", "IDEM-1")
    @pytest.mark.parametrize("way", CONFLICTS)
    async def test_a_conflict_says_its_kind(self, keep: Keep, way: str) -> None:
        call, kind, expected, actual = CONFLICTS[way]
        version = (await keep.sessions.create("s")).version
        await keep.messages.append("s", numbered(2))
        before = await whole(keep, "s")
        while version == 7:  # the version that these calls expect in vain
            version = (await keep.sessions.update("s", title="t")).version
        with pytest.raises(Conflict) as caught:
            await call(keep)
        assert caught.value.kind == kind
        assert _pickled(caught.value) == [caught.value] * len(_pickled(caught.value))
        if expected is not None:
            assert caught.value.expected == expected
            assert caught.value.actual == (version if (kind, actual) == ("version", 1) else actual)
        assert await whole(keep, "s") == before
        assert await keep.sessions.find("new") is None

    @proves("ERR-5", "FLT-3")
    async def test_a_message_that_others_keep_changing_is_a_conflict_of_content(self, database: Database) -> None:
        adapter = database.unopened()
        async with Keep(_Meddling(adapter)) as keep:
            await keep.sessions.create("s")
            await keep.messages.append("s", numbered(1))
            with pytest.raises(Conflict) as caught:
                await keep.messages.update("s", "m1", content="mine")
            assert caught.value.kind == "content"
            stored = await keep.messages.get("s", "m1")
            assert str(stored.content).startswith("theirs")

    @proves("ERR-2", "ERR-5")
    @pytest.mark.parametrize("verb", _STEPS)
    @pytest.mark.parametrize("error", [Unavailable("away"), Refused("no"), OutcomeUnknown("lost", done=2)])
    async def test_a_step_that_fails_tells_what_the_steps_before_removed(
        self, database: Database, verb: str, error: PersistenceError
    ) -> None:
        method, call = _STEPS[verb]
        first = error.done if isinstance(error, OutcomeUnknown) else 0
        for steps in range(3):
            async with Keep(_Failing(database.unopened(), method, error, after=steps)) as keep:
                with pytest.raises(PersistenceError) as caught:
                    await call(keep)
            if steps == 0:
                assert caught.value == error
            else:
                assert isinstance(caught.value, OutcomeUnknown)
                assert caught.value.done == 100 * steps + first
                assert str(error) in str(caught.value)

    @proves("ERR-3")
    @pytest.mark.parametrize("way", _SECRETS)
    async def test_no_error_and_no_log_line_shows_content(
        self, keep: Keep, caplog: pytest.LogCaptureFixture, way: str
    ) -> None:
        caplog.set_level(logging.DEBUG)
        await keep.sessions.create("s", title=SECRET, state={"k": SECRET}, metadata={"k": SECRET})
        await keep.messages.append("s", [said(SECRET, id="m", event={"k": SECRET})])
        with pytest.raises(PersistenceError) as caught:
            await _SECRETS[way](keep)
        assert str(caught.value), "the error says nothing"
        assert SECRET not in str(caught.value) + repr(caught.value)
        assert SECRET not in caplog.text

    @proves("ERR-3", "ERR-4")
    @pytest.mark.parametrize("payload", [f'{{"metadata":["{SECRET}"]}}', f'{{"content":"{SECRET}', f'"{SECRET}"'])
    async def test_an_unreadable_record_is_named_and_not_shown(
        self, database: Database, caplog: pytest.LogCaptureFixture, payload: str
    ) -> None:
        caplog.set_level(logging.DEBUG)
        async with Keep(_Scribbling(database.unopened(), payload)) as keep:
            await keep.sessions.create("s")
            await keep.messages.append("s", numbered(1))
            with pytest.raises(Corrupt, match="m1") as caught:
                await keep.messages.tail("s", 5)
        assert SECRET not in str(caught.value) + repr(caught.value) + caught.value.record + caplog.text


class _Meddling(Delegating):
    """Between each read of a message and what follows, somebody else changes it."""

    def __init__(self, inner: PersistenceAdapter) -> None:
        super().__init__(inner)
        self._changes = 0

    async def messages_get(self, scope: Scope, session_id: str, message_id: str) -> Any:
        record = await self.inner.messages.get(scope, session_id, message_id)
        self._changes += 1
        async with Keep(_Open(self.inner)) as theirs:
            await theirs.messages.update(session_id, message_id, content=f"theirs {self._changes}")
        return record


class _Open(Delegating):
    """An adapter that is open already and stays so."""

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass


class _Failing(Delegating):
    """Its step number `after` fails; the steps before removed all that they were asked for."""

    def __init__(self, inner: PersistenceAdapter, method: str, error: PersistenceError, *, after: int) -> None:
        super().__init__(inner)
        self._error = error
        self._method = method
        self._left = after

    async def sweep(self, scope: Scope | None, *, limit: int) -> int:
        return await self._step(limit) if self._method == "sweep" else await super().sweep(scope, limit=limit)

    async def sessions_delete_many(self, *args: Any, limit: int) -> int:
        return await self._step(limit)

    async def _step(self, limit: int) -> int:
        if self._left == 0:
            raise self._error
        self._left -= 1
        return limit


class _Scribbling(Delegating):
    """Stores another payload than it was given."""

    def __init__(self, inner: PersistenceAdapter, payload: str) -> None:
        super().__init__(inner)
        self._payload = payload

    async def messages_append(self, scope: Scope, append: Any) -> Any:
        from msgspec.structs import replace

        written = [replace(draft, payload=self._payload) for draft in append.messages]
        result = await self.inner.messages.append(scope, replace(append, messages=written))
        return result._replace(messages=[replace(row, payload="{}") for row in result.messages])
