"""What the index is made from: a session's facets, each 16 characters that stand for one filterable value."""

from __future__ import annotations

from collections.abc import Sequence

from agentkeep.records import Scope, SessionChanges, SessionQuery, SessionRecord

from agentkeep_redis.keys import facet

_NO_FACET = "-" * 16
_NUMBERS = {"all": 1, "user": 2, "agent": 3, "status": 4, "parent": 5}
"""Each of these has a fixed position in a session's facets; the labels' facets follow them (see lua/index.lua)."""
LABELS_AT = 16 * len(_NUMBERS)


def facets_of(record: SessionRecord, labels: str) -> str:
    """All facets of a new session, as its row of the index contains them."""
    values = {
        "all": "",
        "user": record.user_id,
        "agent": record.agent_name,
        "status": record.status,
        "parent": record.parent_id,
    }
    return "".join(_facet(kind, values[kind]) for kind in _NUMBERS) + labels


def label_facets(labels: Sequence[str]) -> str:
    return "".join(facet("label", label) for label in dict.fromkeys(labels))


def changed_facets(changes: SessionChanges) -> dict[int, str]:
    """By number. The labels' facets are not among them."""
    values: dict[str, str | None] = {}
    if "user_id" in changes:
        values["user"] = changes["user_id"]
    if "agent_name" in changes:
        values["agent"] = changes["agent_name"]
    if "status" in changes:
        values["status"] = changes["status"]
    return {_NUMBERS[kind]: _facet(kind, value) for kind, value in values.items()}


def query_facets(user_id: str | None, query: SessionQuery) -> list[str] | None:
    """All facets that a session must have. None: nothing can match, as a user's view asked for another user's."""
    if user_id is not None and query.user_id not in (None, user_id):
        return None
    values = {
        "user": user_id or query.user_id,
        "agent": query.agent_name,
        "status": query.status,
        "parent": query.parent_id,
    }
    wanted = [facet(kind, value) for kind, value in values.items() if value is not None]
    wanted += [facet("label", label) for label in query.labels]
    return wanted or [facet("all", "")]


def user_facet(scope: Scope) -> str | None:
    """The facet of a user's view."""
    return None if scope.user_id is None else facet("user", scope.user_id)


def split_facets(facets: str) -> frozenset[str]:
    return frozenset(facets[at : at + 16] for at in range(0, len(facets), 16))


def _facet(kind: str, value: str | None) -> str:
    return _NO_FACET if value is None else facet(kind, value)
