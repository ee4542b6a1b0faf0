"""A cursor belongs to one query of one view, and a restored session to one tenant and user (READ-2, ISO-1)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from agentkeep import InvalidInput, Keep, Session, SessionNotFound, View
from agentkeep.transfer import restore
from msgspec.structs import replace

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.samples import ids, log, numbered, said, seqs, whole

_FIELDS: dict[str, Any] = {"user_id": "u", "agent_name": "a", "parent_id": "p", "metadata": {"k": 1, "l": 1}}
_VIEWS = ("all", "tenant", "user", "tenant and user", "another user")

QUERIES: list[dict[str, Any]] = [
    {},
    {"order": "updated_at"},
    {"order": "created_at"},
    {"order": "-created_at"},
    {"user_id": "u"},
    {"agent_name": "a"},
    {"parent_id": "p"},
    {"status": "active"},
    {"metadata": {"k": 1}},
    {"metadata": {"l": 1}},
    {"metadata": {"k": 1, "l": 1}},
    {"user_id": "u", "agent_name": "a"},
    {"user_id": "u", "metadata": {"k": 1}},
]
"""Each is another query, and all of them match the same sessions."""

WINDOWS: list[dict[str, Any]] = [
    {},
    {"newest_first": True},
    {"after": 1},
    {"after": 1, "newest_first": True},
    {"before": 7},
    {"before": 7, "newest_first": True},
    {"after": 1, "before": 7},
]

IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "a last seq before the last message": {"last_seq": 2},
    "a negative last seq": {"last_seq": -1},
    "a last seq that is no integer": {"last_seq": 3.0},
    "a last seq beyond any": {"last_seq": 2**63},
    "too few messages": {"message_count": 4},
    "too many messages": {"message_count": 2},
    "an unknown status": {"status": "gone"},
    "a naive time": {"created_at": "naive"},
    "an empty id": {"id": ""},
    "a state that is no object": {"state": []},
    "a counter that is no integer": {"counters": {"n": 1.5}},
    "a counter beyond any": {"counters": {"n": 2**53}},
}
"""Fields of a session that no session with three messages can have."""

_NO_PLACE: list[Any] = ["", "\0", "a\nb", "x" * 256, "é" * 128, "\ud800", None, True, 1.5, 2**70, -(2**70), [], {}]
"""No row stands at any of these: they are no id, no time and no seq."""


def _forged(cursor: str) -> Iterator[str]:
    """The cursor with another value in the place of each that it holds, with one less, and with one more."""
    held: list[Any] = json.loads(urlsafe_b64decode(cursor))
    for place in range(len(held)):
        yield _packed(held[:place] + held[place + 1 :])
        for wrong in _NO_PLACE:
            yield _packed([*held[:place], wrong, *held[place + 1 :]])
    yield _packed([*held, 1])


def _packed(held: list[Any]) -> str:
    return urlsafe_b64encode(json.dumps(held).encode()).decode()


def _view(keep: Keep, name: str) -> View:
    return {
        "all": keep,
        "tenant": keep.for_tenant("other"),
        "user": keep.for_user("u"),
        "tenant and user": keep.for_tenant("other").for_user("u"),
        "another user": keep.for_user("u2"),
    }[name]


class BoundCursors:
    @proves("READ-2", "ISO-1")
    async def test_a_session_cursor_is_of_one_query_in_one_view(self, keep: Keep, twin: Keep) -> None:
        for view in (keep, keep.for_tenant("other")):
            for number in range(4):
                await view.sessions.create(f"s{number}", **_FIELDS)
        for view in _VIEWS[:4]:
            for number, query in enumerate(QUERIES):
                cursor = (await _view(keep, view).sessions.list(limit=2, **query)).next_cursor
                assert cursor is not None
                rest = await _view(twin, view).sessions.list(limit=2, cursor=cursor, **query)
                assert len(rest.items) == 2
                others = [(view, other) for place, other in enumerate(QUERIES) if place != number]
                others += [(other, query) for other in _VIEWS if other != view]
                for other_view, other in others:
                    with pytest.raises(InvalidInput):
                        await _view(twin, other_view).sessions.list(limit=2, cursor=cursor, **other)

    @proves("READ-2")
    async def test_a_cursor_is_of_one_bound(self, keep: Keep) -> None:
        sessions = [await keep.sessions.create(f"s{number}") for number in range(5)]
        bounds = [{name: session.updated_at} for session in sessions[:1] for name in ("updated_after",)]
        bounds += [{"updated_before": sessions[4].updated_at}, {"updated_before": sessions[3].updated_at}, {}]
        for bound in bounds:
            cursor = (await keep.sessions.list(limit=2, **bound)).next_cursor  # pyright: ignore[reportArgumentType]
            for other in bounds:
                if other != bound:
                    with pytest.raises(InvalidInput):
                        await keep.sessions.list(limit=2, cursor=cursor, **other)  # pyright: ignore[reportArgumentType]

    @proves("READ-2", "ISO-1")
    async def test_a_message_cursor_is_of_one_window_of_one_session(self, keep: Keep, twin: Keep) -> None:
        places = [("all", "s"), ("all", "t"), ("tenant", "s"), ("user", "s")]
        for view in (keep, keep.for_tenant("other")):
            for name in ("s", "t"):
                await view.messages.append(name, numbered(8), create={"user_id": "u"})
        for view, name in places:
            for number, window in enumerate(WINDOWS):
                cursor = (await _view(keep, view).messages.list(name, limit=2, **window)).next_cursor
                assert cursor is not None
                rest = await _view(twin, view).messages.list(name, limit=1, cursor=cursor, **window)
                assert len(rest.items) == 1
                others = [(view, name, other) for place, other in enumerate(WINDOWS) if place != number]
                others += [(*place, window) for place in places if place != (view, name)]
                for other_view, other_name, other in others:
                    with pytest.raises(InvalidInput):
                        await _view(twin, other_view).messages.list(other_name, limit=1, cursor=cursor, **other)

    @proves("READ-2", "ERR-1")
    async def test_a_cursor_with_other_values_in_it_is_refused(self, keep: Keep) -> None:
        for number in range(3):
            await keep.messages.append(f"s{number}", numbered(3), create={})
        for order in ("-updated_at", "created_at"):
            cursor = (await keep.sessions.list(limit=2, order=order)).next_cursor
            assert cursor is not None
            for forged in _forged(cursor):
                with pytest.raises(InvalidInput):
                    await keep.sessions.list(limit=2, order=order, cursor=forged)
        cursor = (await keep.messages.list("s0", limit=2)).next_cursor
        assert cursor is not None
        for forged in _forged(cursor):
            with pytest.raises(InvalidInput):
                await keep.messages.list("s0", limit=2, cursor=forged)

    @proves("ERR-1", "SES-1")
    @pytest.mark.parametrize("row", IMPOSSIBLE)
    async def test_a_session_that_can_not_have_been_is_not_restored(self, keep: Keep, row: str) -> None:
        await keep.messages.append("s", numbered(3), create=_FIELDS)  # pyright: ignore[reportArgumentType]
        session, messages = await whole(keep, "s")
        fields = IMPOSSIBLE[row]
        if fields.get("created_at") == "naive":
            fields = {"created_at": session.created_at.replace(tzinfo=None)}
        elsewhere = keep.for_tenant("elsewhere")
        with pytest.raises(InvalidInput):
            await restore(elsewhere, replace(session, **fields), messages)
        assert await elsewhere.sessions.count() == 0

    @proves("ORD-1", "ERR-1")
    async def test_a_log_that_can_not_have_been_is_not_restored(self, keep: Keep) -> None:
        await keep.messages.append("s", numbered(3), create={})
        session, messages = await whole(keep, "s")
        first, second, third = messages
        elsewhere = keep.for_tenant("elsewhere")
        for wrong in (
            [first, third, second],
            [first, second, replace(third, seq=2)],
            [replace(first, seq=0), second, third],
            [first, second, replace(third, seq=4)],
            [first, second, replace(third, id="m1")],
            [first, second, replace(third, role="")],
        ):
            with pytest.raises(InvalidInput):
                await restore(elsewhere, session, wrong)
        assert await elsewhere.sessions.count() == 0

    @proves("ORD-1", "READ-2", "ORD-4")
    @pytest.mark.parametrize("last", [2**31, 2**32, 2**53 - 4], ids=["31 bits", "32 bits", "53 bits"])
    async def test_very_large_seqs_are_seqs_like_any(self, keep: Keep, twin: Keep, last: int) -> None:
        await keep.messages.append("s", numbered(3), create={})
        session, messages = await whole(keep, "s")
        given = [last - 5, last - 1, last]
        large = [replace(message, seq=seq) for message, seq in zip(messages, given, strict=True)]
        view, other = keep.for_tenant("elsewhere"), twin.for_tenant("elsewhere")
        await restore(view, replace(session, last_seq=last), large)
        assert await log(other, "s") == large
        assert seqs(await view.messages.append("s", [said(), said()], expected_last_seq=last)) == [last + 1, last + 2]
        assert seqs(await other.messages.tail("s", 3)) == [last, last + 1, last + 2]
        assert seqs((await other.messages.list("s", after=last - 1, before=last + 2)).items) == [last, last + 1]
        page = await other.messages.list("s", limit=3)
        rest = await other.messages.list("s", limit=3, cursor=page.next_cursor)
        assert seqs([*page.items, *rest.items]) == [*given, last + 1, last + 2]
        assert (await other.sessions.fork("s", at_seq=last, new_id="copy")).last_seq == last
        assert await view.messages.truncate("s", after_seq=last) == 2
        assert (await other.sessions.get("s")).last_seq == last + 2
        assert seqs(await view.messages.append("s", [said()])) == [last + 3]

    @proves("ISO-1", "SES-1")
    async def test_a_view_restores_what_is_its_own(self, keep: Keep, twin: Keep) -> None:
        await keep.messages.append("s", numbered(2), create=_FIELDS)  # pyright: ignore[reportArgumentType]
        session, messages = await whole(keep, "s")
        wrong: list[tuple[View, Session]] = [
            (keep.for_user("u2"), session),
            (keep.for_tenant("other").for_user("u2"), session),
            (keep.for_tenant("other").for_user("u"), replace(session, user_id=None)),
        ]
        for view, restored in wrong:
            with pytest.raises(InvalidInput):
                await restore(view, restored, messages)
        assert await keep.for_tenant("other").sessions.count() == 0
        await restore(keep.for_tenant("other").for_user("u"), session, messages)
        await restore(keep.for_tenant("third"), replace(session, user_id=None), messages)
        assert ids((await twin.for_tenant("other").for_user("u").sessions.list()).items) == ["s"]
        assert await log(twin.for_tenant("other").for_user("u"), "s") == messages
        with pytest.raises(SessionNotFound):
            await twin.for_tenant("third").for_user("u").sessions.get("s")
        assert await keep.sessions.get("s") == session
