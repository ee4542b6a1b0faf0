"""Errors: typed, before any write, without secrets (ERR-1, ERR-3, ERR-4)."""

from __future__ import annotations

import logging
from datetime import timedelta
from operator import attrgetter
from typing import Any

import pytest
from agentkeep import (
    AlreadyExists,
    Conflict,
    Corrupt,
    InvalidInput,
    Keep,
    MessageNotFound,
    PersistenceAdapter,
    PersistenceError,
    SessionNotFound,
)
from agentkeep.records import Append, MessageDraft, Scope, SessionDraft

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.secrets import adapter_kind
from agentkeep_conformance.samples import log, numbered, said, whole

SECRET = "s3cr3t-pa55"

WRONG: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("sessions.create", ["x"], {"titel": "t"}),
    ("sessions.create", ["x"], {"title": 1}),
    ("sessions.create", ["x"], {"state": []}),
    ("sessions.create", ["x"], {"metadata": "{}"}),
    ("sessions.create", ["x"], {"schema_version": "1"}),
    ("sessions.create", ["x"], {"schema_version": -1}),
    ("sessions.update", ["s"], {}),
    ("sessions.update", ["s"], {"created_at": None}),
    ("sessions.update", ["s"], {"status": "gone"}),
    ("sessions.update", ["s"], {"status": None}),
    ("sessions.update", ["s"], {"state": None}),
    ("sessions.update", ["s"], {"title": "t", "expected_version": True}),
    ("sessions.update", ["s"], {"title": "t", "expected_version": "1"}),
    ("sessions.update", ["s"], {"title": "t", "expected_version": -1}),
    ("sessions.touch", ["s", "5"], {}),
    ("sessions.get_many", ["s"], {}),
    ("sessions.get_many", [["s", 1]], {}),
    ("sessions.resume", ["s"], {"tail": 0}),
    ("sessions.delete", ["s"], {"expected_version": "1"}),
    ("sessions.fork", ["s"], {"update": {"version": 9}}),
    ("sessions.fork", ["s"], {"update": {"status": "gone"}}),
    ("messages.get_many", ["s", "m1"], {}),
    ("messages.append", ["s", [said()]], {"create": {"titel": "t"}}),
    ("messages.append", ["s", [said()]], {"stored": "ignore"}),
    ("messages.append", ["s", [said()]], {"update": {"version": 9}}),
    ("messages.append", ["s", [said()]], {"keep_last": 0}),
    ("messages.append", ["s", [said()]], {"truncate_after": -1}),
    ("messages.append", ["s", [said()]], {"expected_last_seq": 1.0}),
    ("messages.append", ["s", [said(1)]], {}),
    ("messages.append", ["s", [said({"a": 1})]], {}),
    ("messages.append", ["s", [said(metadata=None)]], {}),
    ("messages.append", ["s", [said(tool_calls="f()")]], {}),
    ("messages.append", ["s", [said(name=1)]], {}),
    ("messages.append", ["s", [said(user_id="")]], {}),
    ("messages.truncate", ["s"], {"after_seq": -1}),
    ("messages.truncate", ["s"], {"after_seq": "1"}),
    ("messages.truncate", ["s"], {"after_seq": 2**63}),
    ("messages.trim", ["s"], {"keep_last": -1}),
    ("messages.trim", ["s"], {"keep_last": None}),
    ("messages.list", ["s"], {"before": 1.5}),
    ("messages.list", ["s"], {"after": -1}),
]
"""Calls that can't be right, whatever is stored."""

SCOPE = Scope("default")


async def with_unreadable(adapter: PersistenceAdapter) -> None:
    """Store records that core never writes: JSON, but of another shape. Session "bad", and message "bad" of "s"."""
    draft = SessionDraft(
        id="bad",
        user_id="bad",
        agent_name=None,
        title=None,
        state='["no object"]',
        metadata="{}",
        labels=(),
        parent_id=None,
        schema_version=None,
        ttl=None,
        idle_ttl=None,
        version=1,
    )
    await adapter.sessions.create(SCOPE, draft)
    message = MessageDraft(
        id="bad",
        role="user",
        payload='{"metadata":["no object"]}',
        content_key="k" * 22,
        search_text="unreadable",
        created_at=None,
    )
    await adapter.messages.append(SCOPE, Append(session_id="s", messages=[message], may_be_stored=True))


class Errors:
    @proves("ERR-1")
    @pytest.mark.parametrize(("verb", "args", "fields"), WRONG)
    async def test_a_call_that_cannot_be_right_changes_nothing(
        self, keep: Keep, verb: str, args: list[Any], fields: dict[str, Any]
    ) -> None:
        await keep.sessions.create("s", title="t")
        await keep.messages.append("s", numbered(2))
        before = await whole(keep, "s")
        with pytest.raises(InvalidInput):
            await attrgetter(verb)(keep)(*args, **fields)
        assert await whole(keep, "s") == before
        assert await keep.sessions.count() == 1

    @proves("ERR-1")
    async def test_each_refusal_is_of_its_own_kind(self, keep: Keep) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(1))
        refusals: list[tuple[type[PersistenceError], Any]] = [
            (SessionNotFound, keep.sessions.get("nobody")),
            (MessageNotFound, keep.messages.get("s", "nobody")),
            (AlreadyExists, keep.sessions.create("s")),
            (Conflict, keep.sessions.update("s", title="t", expected_version=9)),
            (Conflict, keep.messages.append("s", [said("other", id="m1")])),
        ]
        for kind, call in refusals:
            with pytest.raises(PersistenceError) as caught:
                await call
            assert type(caught.value) is kind
            assert str(caught.value)

    @proves("ERR-4")
    async def test_what_cannot_be_read_is_corrupt_by_name_and_never_skipped(
        self, database: Database, keep: Keep
    ) -> None:
        await keep.sessions.create("s")
        await keep.messages.append("s", numbered(2))
        await with_unreadable(await database.adapter())
        await keep.messages.append("s", numbered(1, start=3))
        reads: list[tuple[str, Any]] = [
            ("bad", keep.sessions.get("bad")),
            ("bad", keep.sessions.find("bad")),
            ("bad", keep.sessions.get_many(["s", "bad"])),
            ("bad", keep.sessions.find_active("bad")),
            ("bad", keep.sessions.list()),
            ("bad", keep.sessions.resume("bad")),
            ("bad", keep.sessions.resume("s")),
            ("bad", keep.sessions.get_or_create("bad")),
            ("bad", keep.messages.get("s", "bad")),
            ("bad", keep.messages.get_many("s", ["m1", "bad"])),
            ("bad", keep.messages.list("s")),
            ("bad", keep.messages.tail("s", 3)),
            ("bad", keep.messages.update("s", "bad", content="x")),
            ("bad", log(keep, "s")),
        ]
        if keep.capabilities.search:
            reads.append(("bad", keep.messages.search("unreadable")))
        if keep.capabilities.watch:
            reads.append(("bad", anext(keep.messages.watch("s", after_seq=2))))
        for name, read in reads:
            with pytest.raises(Corrupt, match=name) as caught:
                await read
            assert name in caught.value.record
        assert (await keep.messages.get("s", "m1")).content == "text 1"
        assert [message.id for message in await keep.messages.tail("s", 1)] == ["m3"]

    @proves("ERR-4", "IDEM-1")
    async def test_what_cannot_be_read_is_never_overwritten(self, database: Database, keep: Keep) -> None:
        await keep.sessions.create("s")
        adapter = await database.adapter()
        await with_unreadable(adapter)
        with pytest.raises(Conflict):
            await keep.messages.append("s", [said("good", id="bad")])
        with pytest.raises(AlreadyExists):
            await keep.sessions.create("bad")
        with pytest.raises(Corrupt):
            await keep.messages.update("s", "bad", content="good")
        with pytest.raises(Corrupt):
            await keep.messages.pop("s")
        with pytest.raises(Corrupt):
            await keep.sessions.fork("bad", new_id="copy")
        record = await adapter.messages.get(SCOPE, "s", "bad")
        assert record.payload == '{"metadata":["no object"]}'
        assert (await adapter.sessions.get(SCOPE, "bad")).state == '["no object"]'
        assert await keep.sessions.count() == 2

    @proves("ERR-3")
    async def test_no_secret_of_a_url_is_shown(self, database: Database, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        scheme, kind = await adapter_kind(database)
        shown: list[str] = []
        for url in (
            f"{scheme}://user:{SECRET}@127.0.0.1:1/d",
            f"{scheme}://:{SECRET}@127.0.0.1:1",
            f"{scheme}://user:{SECRET}@127.0.0.1:1/d?nonsense=1",
            f"{scheme}://127.0.0.1:1/?password={SECRET}&nonsense=1",
            f"{scheme}://user:{SECRET}@[::1/d",
        ):
            try:
                adapter = kind.from_url(url)
            except PersistenceError as error:
                shown += [str(error), repr(error)]
            else:
                shown += [repr(adapter), str(adapter), repr(Keep(adapter))]
        assert len(shown) >= 10
        assert not [text for text in [*shown, caplog.text] if SECRET in text]

    @proves("ERR-3", "ERR-1")
    async def test_no_content_is_logged(self, database: Database, keep: Keep, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        await keep.sessions.create("s", title=SECRET, state={"k": SECRET}, metadata={"k": SECRET})
        await keep.messages.append("s", [said(SECRET, id="m", metadata={"k": SECRET})])
        with pytest.raises(Conflict) as caught:
            await keep.messages.append("s", [said(f"{SECRET} other", id="m")])
        with pytest.raises(AlreadyExists):
            await keep.sessions.create("s", title=SECRET, ttl=timedelta(hours=1))
        await keep.sessions.count(metadata={"k": SECRET})
        assert (await keep.health()).adapter == (await database.adapter()).name
        assert SECRET not in caplog.text + str(caught.value) + repr(keep)
