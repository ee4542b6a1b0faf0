"""Search if it is declared; a refusal if not (SRCH-1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from agentkeep import CapabilityNotSupported, Keep, NewMessage, SessionNotFound, View

from agentkeep_conformance.clauses import proves
from agentkeep_conformance.database import Database
from agentkeep_conformance.families.ttl import expired, filled_in_time
from agentkeep_conformance.samples import Verb, ids, said, whole
from agentkeep_conformance.tables import IDS, TEXTS

FINDS: dict[str, tuple[str, str]] = {
    "a word": ("the quick brown fox", "brown"),
    "two words apart": ("the quick brown fox", "fox quick"),
    "a chinese word": ("请帮我搜索一下航班信息", "航班"),
    "a japanese word": ("東京から大阪までの便", "大阪"),
    "a korean word": ("서울에서 출발합니다", "서울"),
    "an identifier": ("call getUserById(42) now", "getUserById"),
    "snake case": ("the field user_id_hash is wrong", "user_id_hash"),
    "a path": ("look at /usr/local/bin/python3", "/usr/local/bin"),
    "a dotted name": ("import os.path.join", "os.path"),
    "a hyphened word": ("a well-known state-of-the-art thing", "state-of-the-art"),
    "an apostrophe": ("it's o'clock", "o'clock"),
    "double quotes": ('she said "never mind" twice', '"never mind"'),
    "a percentage": ("discount of 100%_off today", "100%_off"),
    "an address": ("write to ann@example.org soon", "ann@example.org"),
    "an order number": ("order #A-12345/6 shipped", "A-12345/6"),
    "an error code": ("failed: E0308: mismatched types", "E0308:"),
    "cyrillic": ("заказать билет в Москву", "билет"),
    "emoji": ("great 👍 thanks", "👍"),
}
"""A text, and a query that must find it."""

# fmt: off
SYNTAX = [
    '"', "'", "*", "-", "(", ")", "()", '"open', "a:b", "^a", "~", "a*", "title:x", "/re.*/", "\\",
    "a\\", "&", "|", "!", "<->", "@@", "%", "_", "?", "$", "{}", "[]", "{!lucene}", "#tag",
    "a OR", "AND", "NOT", "NEAR(a b)", "+a -b", "{a TO b}", "[1 TO 2]", "a AND NOT b", "a & !b",
]
# fmt: on
"""What is syntax in some search engine."""

TEXT_KEYS = ["bid", "paid", "said", "amountPaid", "Id", "identity", "typed", "roles", "database", "ID card", "", "text"]
"""Keys that name no id, no marker and no bytes, though some look like it: what stands under them is text."""

REMOVALS: dict[str, Verb] = {
    "pop": lambda keep: keep.messages.pop("s"),
    "truncate": lambda keep: keep.messages.truncate("s", after_seq=0),
    "trim": lambda keep: keep.messages.trim("s", keep_last=0),
    "clear": lambda keep: keep.messages.clear("s"),
    "rewinding append": lambda keep: keep.messages.append("s", [said("y")], truncate_after=0),
    "rolling append": lambda keep: keep.messages.append("s", [said("y")], keep_last=1),
    "redaction": lambda keep: keep.messages.update("s", "m", content="[redacted]"),
    "delete": lambda keep: keep.sessions.delete("s"),
    "delete_many": lambda keep: keep.sessions.delete_many(user_id="u"),
    "delete_user": lambda keep: keep.sessions.delete_user("u"),
}
"""Every way by which the word of message "m" goes."""


async def searches(database: Database, keep: View) -> bool:
    """True where search is declared; else shows that it is refused, with nothing touched."""
    if keep.capabilities.search:
        return True
    await keep.sessions.create("refused")
    await keep.messages.append("refused", [said("word")])
    before = await whole(keep, "refused")
    with pytest.raises(CapabilityNotSupported) as caught:
        await keep.messages.search("word")
    assert caught.value.name == "search"
    assert await whole(keep, "refused") == before
    database.refused("search")
    return False


async def found(keep: View, query: str, **filters: Any) -> list[str]:
    return sorted(hit.message.id for hit in await keep.messages.search(query, **filters))


class Searching:
    @proves("SRCH-1", "ORD-5")
    @pytest.mark.parametrize("row", FINDS)
    async def test_a_message_is_found_as_soon_as_it_is_appended(
        self, database: Database, keep: Keep, twin: Keep, row: str
    ) -> None:
        if await searches(database, keep):
            text, query = FINDS[row]
            await keep.sessions.create("s")
            [message] = await keep.messages.append("s", [said(text, id="m")])
            for instance in (keep, twin):
                [hit] = await instance.messages.search(query)
                assert hit.message == message
            await keep.messages.append("s", [said("nothing of the kind")])
            assert await found(twin, query) == ["m"]

    @proves("SRCH-1")
    async def test_all_words_must_occur_and_the_best_come_first(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            texts = ["alpha beta", "alpha gamma", "beta alpha beta gamma", "delta"]
            await keep.messages.append("s", [said(text, id=f"m{n}") for n, text in enumerate(texts)])
            assert await found(keep, "alpha") == ["m0", "m1", "m2"]
            assert await found(keep, "beta alpha") == ["m0", "m2"]
            assert await found(keep, "alpha delta") == await found(keep, "epsilon") == []
            hits = await keep.messages.search("alpha")
            scores = [hit.score for hit in hits]
            assert scores == sorted(scores, reverse=True)
            for hit in hits:
                assert any("**alpha**" in highlight for highlight in hit.highlights)

    @proves("SRCH-1")
    async def test_parts_and_events_are_searched(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            call = {"type": "function_call", "name": "bookFlight", "arguments": '{"city": "Lisbon"}'}
            parts = [{"type": "text", "text": "see the picture"}, {"type": "text", "text": "of Porto"}]
            await keep.messages.append("s", [NewMessage(role="assistant", id="call", event=call)])
            await keep.messages.append("s", [said(parts, id="parts")])
            assert await found(keep, "bookFlight") == await found(keep, "Lisbon") == ["call"]
            assert await found(keep, "Porto picture") == ["parts"]

    @proves("SRCH-1", "ISO-2")
    async def test_any_query_text_is_legal_and_finds_nothing_foreign(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", [said("ωωω", id="m")])
            for query in [*SYNTAX, *TEXTS.values(), *IDS.values()]:
                assert await keep.messages.search(query) == []
            assert await found(keep, "ωωω") == ["m"]

    @proves("SRCH-1")
    async def test_filters_narrow_and_an_absent_session_is_not_found(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            for name, user, agent in (("a", "u1", "sales"), ("b", "u1", "support"), ("c", "u2", "sales")):
                await keep.sessions.create(name, user_id=user, agent_name=agent)
                await keep.messages.append(name, [said("word", id=f"{name}1")])
                await keep.messages.append(name, [NewMessage(role="assistant", content="word", id=f"{name}2")])
            assert await found(keep, "word", session_id="a") == ["a1", "a2"]
            assert await found(keep, "word", user_id="u1") == ["a1", "a2", "b1", "b2"]
            assert await found(keep, "word", agent_name="sales", role="user") == ["a1", "c1"]
            assert await found(keep, "word", user_id="u2", agent_name="support") == []
            assert await found(keep.for_user("u2"), "word") == ["c1", "c2"]
            assert await found(keep.for_tenant("other"), "word") == []
            await keep.sessions.update("a", user_id="u2", agent_name="new")
            assert await found(keep, "word", user_id="u2", agent_name="new") == ["a1", "a2"]
            for view, name in ((keep, "nobody"), (keep.for_user("u1"), "c"), (keep.for_tenant("other"), "a")):
                with pytest.raises(SessionNotFound):
                    await view.messages.search("word", session_id=name)

    @proves("SRCH-1", "READ-1")
    async def test_the_limit_is_the_callers(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            for _ in range(3):
                await keep.messages.append("s", [said("word")] * 400)
            for limit in (1, 10, 101, 1_000):
                assert len(await keep.messages.search("word", limit=limit)) == limit

    @proves("SRCH-1", "SES-6")
    @pytest.mark.parametrize("removal", REMOVALS)
    async def test_what_is_removed_is_never_found(
        self, database: Database, keep: Keep, twin: Keep, removal: str
    ) -> None:
        if await searches(database, keep):
            for name in ("s", "stays"):
                await keep.sessions.create(name, user_id="u" if name == "s" else "other")
                await keep.messages.append(name, [said("canary", id="m" if name == "s" else "kept")])
            assert await found(twin, "canary") == ["kept", "m"]
            await REMOVALS[removal](keep)
            assert await found(twin, "canary") == ["kept"]
            await keep.sessions.get_or_create("s")
            await keep.messages.append("s", [said("canary", id="new")])
            assert await found(twin, "canary") == ["kept", "new"]

    @proves("SRCH-1")
    async def test_a_replaced_text_is_found_by_its_new_words(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", [said("before", id="m")])
            await keep.messages.update("s", "m", content="afterwards")
            assert await found(keep, "afterwards") == ["m"]
            assert await found(keep, "before") == []

    @proves("SRCH-1", "TTL-1")
    async def test_an_expired_message_is_not_found(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):

            async def fill(life: timedelta) -> None:
                await keep.sessions.create("s", ttl=life)
                await keep.messages.append("s", [said("canary")])

            await filled_in_time(fill)
            await expired(keep, "s")
            assert await keep.messages.search("canary") == []
            await keep.sessions.create("s")
            assert await keep.messages.search("canary") == []

    @proves("SRCH-1", "SES-5")
    async def test_a_forks_messages_are_found_in_it(self, database: Database, keep: Keep) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", [said("canary", id="m1"), said("canary", id="m2")])
            await keep.sessions.fork("s", at_seq=1, new_id="copy")
            hits = await keep.messages.search("canary", session_id="copy")
            assert [(hit.message.session_id, hit.message.id) for hit in hits] == [("copy", "m1")]
            await keep.sessions.delete("s")
            assert ids([hit.message for hit in await keep.messages.search("canary")]) == ["m1"]

    @proves("SRCH-1")
    async def test_a_message_is_found_behind_many_that_only_look_like_it(self, database: Database, keep: Keep) -> None:
        """An index of parts finds them all, and likes them better."""
        if await searches(database, keep):
            await keep.sessions.create("s")
            await keep.messages.append("s", [said("one phantom among much else that is said", id="m")])
            for _ in range(2):
                await keep.messages.append("s", [said("phant hanto antom phant hanto antom") for _ in range(150)])
            for words in ("phantom", "phantom one"):
                assert await found(keep, words) == ["m"]
                assert ids([hit.message for hit in await keep.messages.search(words, session_id="s", limit=1)]) == ["m"]

    @proves("SRCH-1")
    @pytest.mark.parametrize("field", ["content", "event"])
    async def test_text_is_found_under_any_key_that_names_text(
        self, database: Database, keep: Keep, field: str
    ) -> None:
        if await searches(database, keep):
            await keep.sessions.create("s")
            fields: dict[str, Any] = {field: [{key: f"needle{number}"} for number, key in enumerate(TEXT_KEYS)]}
            await keep.messages.append("s", [NewMessage(role="assistant", id="m", **fields)])
            missed = [key for number, key in enumerate(TEXT_KEYS) if await found(keep, f"needle{number}") != ["m"]]
            assert missed == []
